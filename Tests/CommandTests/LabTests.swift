// From end to end: a real host and a real guest are booted, recorded and analyzed, and held against what the
// application wrote down.

import Foundation
import TestSupport
import Testing

/// Identity, order and completeness; never a duration, so that a busy machine makes it slower and not red.
@Suite(
    .serialized, .enabled(if: Lab.obstacle == nil, "NO END-TO-END TEST: the lab can't run here: \(Lab.obstacle ?? "")"))
struct LabTests {
    static let traffic = [["--count", "300"], ["--count", "240", "--burst", "16", "--interval", "60ms"]]

    @Test(.timeLimit(.minutes(45)))
    func `what the application saw of each packet is what virtlat says of a live host and guest`() async throws {
        try await Lab.up(["--path", "tap"]) {
            for (index, options) in Self.traffic.enumerated() {
                let folder = try await Lab.record(
                    ["record-trace-cmd"] + options, into: "live-\(index)", lack: Lab.incomplete)
                let live = try Recording(folder: folder)
                try await holdIdentity(live)
                // Under load the order of a burst can't always be proven on a single vCPU; then a packet is ambiguous,
                // never wrong.
                let isBurst = options.contains("--burst")
                try await holdExactly(folder, complete: isBurst ? 0 : 0.99)
                if !isBurst { try await holdCompleteness(live) }
            }
            // The same by our own recorder, each way it can reach the guest and get its trace.
            for (name, options) in Self.recorders {
                let verb = ["record", "--count", "300"] + options
                let folder = try await Lab.record(verb, into: "session-\(name)", lack: Lab.incomplete)
                let live = try Recording(session: folder, packets: 300)
                try await holdIdentity(live)
                try await holdCompleteness(live)
                try await holdExactly(folder, complete: 0.99)
                try await holdManifest(live)
            }
        }
    }

    /// What a session says of itself, of a recording that nothing disturbed.
    private func holdManifest(_ live: Recording) async throws {
        let manifest = try JSON(
            String(
                decoding: #require(FileManager.default.contents(atPath: live.folder + "/session.json")), as: UTF8.self))
        #expect(manifest["outcome"] == .text("complete"))
        #expect(manifest["faults"].list.isEmpty)
        #expect(manifest["trace_clock"] == .text("x86-tsc"))
        let clock = try #require(manifest["clocks"].list.first)
        let exchanges = clock["exchanges"].list
        #expect(exchanges.count >= 300)
        #expect(clock["cross_timestamps"].list.count >= 16)
        #expect(clock["kvm"].list.count == 2)
        // Every exchange has the true offset within half its round trip, by KVM's own word.
        let truth = -live.hostTime(tsc: 0)
        for exchange in exchanges {
            #expect(try abs(exchange.integer("offset_ns") - truth) <= exchange.integer("round_trip_ns") / 2 + 2)
        }
        try await holdEvidence(live)
        let merged = try await Command.run([
            try Command.path(of: "trace-cmd", package: "trace-cmd"), "report", "-i", live.host, "-i", live.guest,
        ])
        #expect(merged.status == 0)
        // Around each packet both files' events alternate, so the merged order changes sides thousands of times.
        let sides = merged.output.split(separator: "\n").map { $0.contains("guest-g3.dat:") }
        #expect(zip(sides, sides.dropFirst()).filter { $0 != $1 }.count > 1000)
    }

    /// Each kind of evidence about the clock says no more than the truth, which is KVM's own word.
    private func holdEvidence(_ live: Recording) async throws {
        let run = try await Command.virtlat("clock", live.folder, "--format", "json")
        try #require(run.status == 0, "\(run.errors)")
        let guest = try #require(try JSON(run.output)["guests"].list.first)
        #expect(guest["used"] == .text("kvm-tsc-offset"))
        let evidence = guest["evidence"].list
        #expect(
            try Set(evidence.map { try $0.text("method") }) == [
                "kvm-tsc-offset", "ptp-kvm", "exchanges", "containment",
            ])
        let exact = try #require(evidence.first).integer("offset_ns")
        for kind in evidence {
            let name = try kind.text("method")
            #expect(kind["contradicted"] == .bool(false), "\(name)")
            #expect(try abs(kind.integer("offset_ns") - exact) <= kind.integer("error_ns") + 1, "\(name)")
        }
    }

    private static let recorders: KeyValuePairs = [
        "vsock": [], "tcp": ["--transport", "tcp"], "live": ["--transfer", "live", "--buffer-size", "256K"],
    ]

    @Test(.timeLimit(.minutes(10)), arguments: [(SIGTERM, 1), (SIGINT, 5), (SIGTERM, 9), (SIGINT, 14)])
    func `an up that is interrupted leaves no process, device or mount behind`(signal: Int32, seconds: Int) async throws
    {
        _ = try await Lab.run(["down"])
        let before = try Traces.of("end-to-end")
        try #require(before.processes.isEmpty)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let up = try ChildProcess(
            [Checkout.root + "/Tests/Lab/lab", "up"], ["LAB": "end-to-end"], output: folder.path("output"),
            errors: folder.path("errors"))
        try await Task.sleep(for: .seconds(seconds))
        up.send(signal)
        var status: Int32?
        while status == nil {
            switch up.state {
            case .running: try await Task.sleep(for: .milliseconds(50))
            case .exited(let code): status = code
            case .signalled(let signal): status = -signal
            }
        }
        // On a fast machine it may have been up already.
        if status == 0 { _ = try await Lab.run(["down"]) }
        let errors = try folder.text("errors")
        #expect(status == 128 + signal || status == 0, "\(errors)")
        // Process namespaces end a moment after their first process, which is a longer one where the machine is busy.
        let end = ContinuousClock.now + .seconds(60)
        while try Traces.of("end-to-end") != before, ContinuousClock.now < end {
            try await Task.sleep(for: .seconds(1))
        }
        #expect(try Traces.of("end-to-end") == before)
    }

    /// What a lab could leave behind. A namespace needs a process or a mount to live on.
    private struct Traces: Equatable {
        var processes: [String]
        var devices: [String]
        var mounts: [Substring]

        static func of(_ lab: String) throws -> Traces {
            let files = FileManager.default
            let processes = try files.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap {
                id -> String? in
                let words = { (file: String) in
                    String(decoding: files.contents(atPath: "/proc/\(id)/\(file)") ?? Data(), as: UTF8.self).split(
                        separator: "\0")
                }
                let command = words("cmdline").joined(separator: " ")
                return words("environ").contains("LAB=\(lab)") || command.contains("virtlat-lab-\(lab)") ? command : nil
            }
            let mounts = String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: "/proc/self/mountinfo")), as: UTF8.self)
            return Traces(
                processes: processes,
                devices: try files.contentsOfDirectory(atPath: "/sys/class/net").filter { $0.hasPrefix("out") }
                    .sorted(),
                mounts: mounts.split(separator: "\n").filter {
                    $0.contains("nsfs") || $0.contains("/lab/") || $0.contains("/dev/net")
                }
                .sorted())
        }
    }

    /// The tests that the stored recordings have to pass, but for those that measure time.
    private func holdIdentity(_ live: Recording) async throws {
        let log = try ApplicationLog(live)
        try #require(
            log.echoed.map(\.sequence) == Array(0..<live.packets), "the server did not see each packet once, in order")

        let truth = TruthTests()
        try await truth.`no host half is joined to another packet's guest half`(recording: live)
        try await truth.`no packet arrives before it was sent`(recording: live)

        let tiling = TilingTests()
        try await tiling.`points of a complete journey never run backwards, and none that it needs is absent`(
            recording: live)
        try await tiling.`a row has no other words than the design's`(recording: live)
        for direction in ["rx", "tx"] {
            try await tiling.`every packet is accounted for`(recording: live, direction: direction)
            try await tiling.`stages are the rows' own, in the path's order`(recording: live, direction: direction)
            try await tiling.`stages add up to end to end, to the nanosecond`(recording: live, direction: direction)
        }
        try await LostEventsTests().`a recording without holes has none`(recording: live)
        try await expectTrueClock(live)
    }

    private func holdCompleteness(_ live: Recording) async throws {
        let truth = TruthTests()
        try await truth.`no packet the application read is missing or counted twice`(recording: live)
        try await truth.`no answer is missing, sent at another time, or out before the application sent it`(
            recording: live)
    }

    /// The clock that the analysis found in the files is the one that the host's KVM had.
    private func expectTrueClock(_ live: Recording) async throws {
        let analyzed = try await AnalyzedRecording.of(live)
        let clock = try #require(analyzed.json["clocks"].list.first)
        #expect(try clock.integer("outside") == 0)
        #expect(try clock.integer("contained") > 1000)
        // Host minus guest, in ns: one rounding of the product apart.
        #expect(abs(try clock.integer("offset_ns") - live.hostTime(tsc: 0)) <= 1)
    }
}
