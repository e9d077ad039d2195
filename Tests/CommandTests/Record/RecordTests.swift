// virtlat record of this machine alone: a session that can be read, of the time that was asked for.

import Foundation
import RecordingTurns
import Sessions
import Testing

/// Everything that records does so one after the other: they would trace each other's work.
@Suite(
    .serialized, .recordsAlone, .timeLimit(.minutes(10)), .enabled(if: Tracing.isPossible, Tracing.reason))
struct RecordTests {
    @Test func `a session has the host's trace, and says what it is`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        let run = try await session.record("--duration", "300ms")
        #expect(run.status == 0, "\(run)")
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("virtlat: recording\n"))
        let manifest = try session.manifest()
        #expect(manifest.outcome == .complete)
        #expect(manifest.faults.isEmpty)
        #expect(manifest.traceClock == "mono_raw")
        let window = try #require(manifest.measured)
        let length = try #require(window.end) - window.begin
        #expect((300_000_000...600_000_000).contains(length), "\(length) ns for 300 ms")
        #expect(manifest.machines.count == 1)
        let host = manifest.machines[0]
        #expect(host.role == .host && host.file == "host.dat")
        #expect(host.disturbance.allEvents ?? 0 > 0)
        #expect(
            host.disturbance.cpuTime != nil && host.disturbance.wakeUps != nil && host.disturbance.bytesDuring != nil
                && host.disturbance.bytesAfter != nil)
        // Every event is on or known to be absent, with its filter.
        #expect(host.events.contains(RecordedEvent(event: "sched:sched_switch", filter: nil)))
        #expect(host.events.contains(RecordedEvent(event: "irq:softirq_raise", filter: "vec == 3")))
        #expect(host.events.contains(RecordedEvent(event: "net:net_dev_queue", filter: "name != \"lo\"")))
        #expect(host.events.contains(RecordedEvent(event: "net:netif_receive_skb", filter: nil)))
        for name in host.absentEvents {
            #expect(
                !FileManager.default.fileExists(
                    atPath: "/sys/kernel/tracing/events/" + name.replacingOccurrences(of: ":", with: "/")),
                "\(name)")
        }
        try await session.expectReadable("host.dat")
    }

    @Test func `trace-cmd reads what was recorded, and finds our marks`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        #expect(try await session.record("--duration", "100ms").status == 0)
        let lines = try await session.report("host.dat")
        #expect(lines.contains { $0.contains("sched_switch:") })
        let marks = lines.filter { $0.contains("raw_data:") }
        #expect(marks.count == 2, "begin and end: \(marks)")
        let window = try #require(try session.manifest().measured)
        let times = marks.compactMap { line in
            line.split(separator: " ").first { $0.hasSuffix(":") && $0.contains(".") }?.dropLast()
        }
        #expect(
            times.map { $0.replacingOccurrences(of: ".", with: "") } == [String(window.begin), String(window.end ?? 0)])
    }

    @Test(arguments: ["mono", "boot", "tai", "x86-tsc", "local", "global"])
    func `any of the kernel's trace clocks can be recorded with`(clock: String) async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        let run = try await session.record("--duration", "50ms", "--trace-clock", clock)
        let rateIsTold = try await Self.rateIsTold
        guard clock != "x86-tsc" || rateIsTold else {
            // Cycles that nobody can make ns of.
            run.expectRefusal(naming: "x86-tsc", saying: "does not tell how many make a ns", "mono_raw")
            #expect(session.names.isEmpty)
            return
        }
        #expect(run.status == 0, "\(run)")
        let manifest = try session.manifest()
        #expect(manifest.traceClock == clock)
        let window = try #require(manifest.measured)
        let length = try #require(window.end) - window.begin
        #expect((50_000_000...350_000_000).contains(length), "\(length) ns for 50 ms")
        try await session.expectReadable("host.dat")
    }

    /// This machine's kernel tells the rate of its TSC.
    private static var rateIsTold: Bool {
        get async throws {
            let doctor = try JSON(try await Command.virtlat("doctor", "--format", "json").output)
            return try doctor["findings"].list.contains {
                try $0.text("id") == "clock.tsc" && $0.text("severity") == "ok"
            }
        }
    }

    @Test(arguments: [
        ("counter", "measures no time"), ("uptime", "10 ms"), ("ppc-tb", "not known"), ("sundial", "not known"),
        ("tsc2nsec", "x86-tsc"),
    ])
    func `a clock that measures no time is refused before anything is recorded, with those that do`(
        clock: String, why: String
    ) async throws {
        let experiment = ["experiment", "--arm", "unbound", "--arm", "same-cpu", "--vm", "g3=vsock:3", "-o", "nowhere"]
        for arguments in [["record"], experiment] {
            let run = try await Command.virtlat(arguments + ["--trace-clock", clock])
            #expect(run.status == 64, "\(run)")
            #expect(run.errors.contains("--trace-clock \(clock): ") && run.errors.contains(why), "\(run)")
            #expect(run.errors.contains("local, global, perf, mono, mono_raw, boot, tai, x86-tsc"), "\(run)")
        }
    }

    // MARK: A command

    @Test(arguments: [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)] as [(String, Int32)])
    func `a command's status is passed on`(line: String, status: Int32) async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        #expect(try await session.record("--", "sh", "-c", line).status == status)
        let manifest = try session.manifest()
        #expect(manifest.commandStatus == status)
        #expect(manifest.command == ["sh", "-c", line])
        #expect(manifest.outcome == .complete)
        try await session.expectReadable("host.dat")
    }

    @Test func `a command that is not there is 127, and said`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        let run = try await session.record("--", "no-such-command")
        #expect(run.status == 127)
        #expect(run.errors.contains("no-such-command: No such file or directory"))
    }

    @Test func `a command that takes longer than the duration is ended`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        #expect(try await session.record("--duration", "100ms", "--", "sleep", "60").status == 143)
        try await session.expectReadable("host.dat")
    }

    // MARK: The folder

    @Test func `a folder that holds something is left alone`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        try FileManager.default.createDirectory(atPath: session.path, withIntermediateDirectories: false)
        try session.folder.write("mine".utf8, to: "s/notes")
        try await session.record("--duration", "50ms").expectRefusal(naming: session.path, saying: "not empty", "-o")
        #expect(session.names == ["notes"])
    }

    @Test func `an empty folder is taken, and one that can't be made is refused`() async throws {
        let session = try RecordedSession()
        defer { session.remove() }
        try FileManager.default.createDirectory(atPath: session.path, withIntermediateDirectories: false)
        #expect(try await session.record("--duration", "50ms").status == 0)
        let run = try await Command.virtlat("record", "--duration", "50ms", "-o", session.folder.path("no/such/folder"))
        run.expectRefusal(naming: "no/such/folder", saying: "can't be made")
    }
}
