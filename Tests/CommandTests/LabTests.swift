// From end to end: a real host and a real guest are booted, recorded and analyzed, and held against what the application wrote down.

import Foundation
import TestSupport
import Testing

/// The lab of Tests/Lab, under a name that only these tests use.
enum Lab {
    /// Why it can't run here; nil when it can.
    static let obstacle: String? = {
        if ProcessInfo.processInfo.environment["VIRTLAT_LAB"] == "off" { return "VIRTLAT_LAB=off says so" }
        #if !arch(x86_64)
            return "it is an x86-64 machine, and this is another"
        #endif
        if geteuid() != 0 { return "root is needed to make namespaces and tap devices" }
        let tools = [
            "qemu-system-x86_64", "mmdebstrap", "cpio", "socat", "ssh", "ip", "mke2fs", "depmod", "unshare", "flock", "jq", "trace-cmd",
            "strip",
        ]
        let missing = tools.filter { (try? Command.path(of: $0, package: "")) == nil }
        return missing.isEmpty ? nil : "missing: \(missing.joined(separator: ", ")) (make test installs them)"
    }()

    /// - Parameter patience: more than any of its verbs takes, images apart.
    static func run(_ arguments: [String], patience: Duration? = nil) async throws -> Run {
        // The images are made at the first run, unless make test has made them already.
        let program = Checkout.root + "/Tests/Lab/lab"
        return try await Command.run(
            [program] + arguments, environment: ["LAB": "end-to-end"], patience: patience ?? patienceWith(arguments))
    }

    /// Of a recording that hangs nothing more is to be had; the images may have to be made first.
    private static func patienceWith(_ arguments: [String]) -> Duration {
        arguments.first == "up" || arguments.first == "build" ? .seconds(900) : .seconds(180)
    }

    /// Boots it, does the work, and takes it down whatever came of it.
    ///
    /// The emulated host locks up now and then; it does not even answer to `true` then, and the work is done again with another one.
    static func up(_ options: [String], work: () async throws -> Void) async throws {
        for attempt in 1...3 {
            // Left by a run that was killed.
            _ = try await run(["down"])
            let boot = try await run(["up"] + options)
            try #require(boot.status == 0, "the lab does not come up: \(boot.errors)")
            let fault: (any Error)?
            do {
                try await work()
                fault = nil
            } catch {
                fault = error
            }
            let isLocked = fault is LockUp ? try await run(["exec", "host", "--", "true"], patience: .seconds(30)).status != 0 : false
            #expect(try await run(["down"]).status == 0)
            guard let fault else { return }
            guard isLocked, attempt < 3 else { throw fault }
            print("lab up \(options.joined(separator: " ")): the emulated host has locked up, once more")
        }
    }

    /// A recording did not end in time.
    struct LockUp: Error {}

    /// A recording, or another command, in the lab that is up.
    static func recording(_ arguments: [String]) async throws -> Run {
        let run = try await run(arguments)
        if run.isStuck { throw LockUp() }
        return run
    }
}

/// Identity, order and completeness; never a duration, so that a busy machine makes it slower and not red.
@Suite(.serialized, .enabled(if: Lab.obstacle == nil, "NO END-TO-END TEST: the lab can't run here: \(Lab.obstacle ?? "")"))
struct LabTests {
    static let traffic = [["--count", "300"], ["--count", "240", "--burst", "16", "--interval", "60ms"]]

    @Test(.timeLimit(.minutes(30)))
    func `what the application saw of each packet is what virtlat says of a live host and guest`() async throws {
        try await Lab.up(["--path", "tap"]) {
            for (index, options) in Self.traffic.enumerated() {
                let live = try await record(["record-trace-cmd"] + options, into: "live-\(index)") { try Recording(folder: $0) }
                try await holdIdentity(live)
                // Under load the order of a burst can't always be proven on a single vCPU; then a packet is ambiguous, never wrong.
                if !options.contains("--burst") { try await holdCompleteness(live) }
            }
            // The same by our own recorder, each way it can reach the guest and get its trace.
            for (name, options) in Self.recorders {
                let live = try await record(["record", "--count", "300"] + options, into: "session-\(name)") {
                    try Recording(session: $0, packets: 300)
                }
                try await holdIdentity(live)
                try await holdCompleteness(live)
                try await holdManifest(live)
            }
        }
    }

    /// What a session says of itself, of a recording that nothing disturbed.
    private func holdManifest(_ live: Recording) async throws {
        let manifest = try JSON(
            String(decoding: #require(FileManager.default.contents(atPath: live.folder + "/session.json")), as: UTF8.self))
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
        #expect(try Set(evidence.map { try $0.text("method") }) == ["kvm-tsc-offset", "ptp-kvm", "exchanges", "containment"])
        let exact = try #require(evidence.first).integer("offset_ns")
        for kind in evidence {
            let name = try kind.text("method")
            #expect(kind["contradicted"] == .bool(false), "\(name)")
            #expect(try abs(kind.integer("offset_ns") - exact) <= kind.integer("error_ns") + 1, "\(name)")
        }
    }

    /// One boot and one recording for each way a packet can take, beside the tap.
    @Test(
        .timeLimit(.minutes(15)),
        arguments: [
            ["--path", "macvtap"], ["--path", "ovs"], ["--path", "xdp"], ["--path", "xdp-native"], ["--path", "vfio"], ["--no-vhost"],
            ["--path", "host"], ["--kernel-option", "threadirqs"],
        ])
    func `each packet on each path is what the application saw of it`(path: [String]) async throws {
        try await Lab.up(path) {
            let name = path.joined(separator: " ").filter { $0 != "-" }.replacingOccurrences(of: " ", with: "-")
            try await holdPath(["--count", "200"] + (path.contains("ovs") ? ["--first", "ovs-dpctl del-flows"] : []), into: name)
        }
    }

    /// Records until the machine was not too starved, three times at the most, and holds the last recording against the applications' logs.
    private func holdPath(_ traffic: [String], into name: String) async throws {
        var live: PathRecording
        var attempt = 1
        while true {
            let folder = "\(Self.place)/\(name)-\(attempt)"
            let run = try await Lab.recording(["record", "--out", folder] + traffic)
            try #require(run.status == 0, "no recording, or packets without an answer: \(run.errors)\(run.output)")
            live = PathRecording(folder: folder)
            let journeys = try await live.analyzed().journeys
            let missing = try live.facts().ends.flatMap { end in
                ["rx", "tx"].map { end.packets.count - end.rows(journeys, $0).count(where: \.isComplete) }
            }
            if attempt == 3 || missing.allSatisfy({ $0 == 0 }) { break }
            print("\(folder): \(missing) packets missing or not complete, once more")
            attempt += 1
        }
        let tests = PathTests()
        try await tests.`what was recorded is whole, and every packet was answered`(recording: live)
        try await tests.`the path has its name, and no packet is on another one`(recording: live)
        try await tests.`each packet that was read is one journey, and no journey was read by nobody`(recording: live)
        try await tests.`each packet that was sent is one journey, and no journey was sent by nobody`(recording: live)
        try await tests.`no host half is joined to another packet's guest half`(recording: live)
        try await tests.`time runs forward, stages tile, and every packet is accounted for`(recording: live)
    }

    @Test(.timeLimit(.minutes(15)))
    func `two guests are recorded at once, and one that dies costs only its own trace`() async throws {
        try await Lab.up(["--path", "tap", "--guests", "2", "--vcpus", "2", "--queues", "2"]) {
            try await recordTwoGuests()
            try await holdPath(["--guest", "g3", "--flows", "2", "--count", "100", "--interval", "20ms"], into: "two-queues")
            try await holdPath(["--from", "g3", "--guest", "g4", "--count", "100", "--interval", "20ms"], into: "guest-to-guest")

            // The recorder goes on when a guest is gone: the command it records ends the guest.
            let death = try await Lab.run([
                "exec", "host", "--", "sh", "-c",
                """
                rm -rf /tmp/death
                /usr/local/bin/virtlat record -o /tmp/death --vm g3=vsock:3 --vm g4=vsock:4 -- \
                    sh -c 'sleep 1; kill -9 $(cat /run/lab/g4.pid); sleep 1'
                echo "status $?"
                ls /sys/kernel/tracing/instances
                """,
            ])
            #expect(death.output.contains("status 1"), "\(death.output)\(death.errors)")
            #expect(death.errors.contains("g4: lost during the recording"), "\(death.errors)")
            #expect(!death.output.contains("virtlat-"), "an instance is left: \(death.output)")
            let rest = try await Lab.run(["exec", "host", "--", "/usr/local/bin/virtlat", "analyze", "/tmp/death"])
            #expect(rest.status == 0, "\(rest.errors)")
            #expect(rest.output.contains("g4 has no recording"), "\(rest.output)")
            #expect(rest.output.contains("guest g3"), "\(rest.output)")
        }
    }

    /// Of 200 packets to each guest all are seen; and all are complete, but where the machine is starved: then there is another try.
    private func recordTwoGuests() async throws {
        for attempt in 1...3 {
            let folder = "\(Self.place)/two-guests-\(attempt)"
            let both = try await Lab.recording(["record", "--guest", "all", "--count", "200", "--out", folder])
            try #require(both.status == 0, "no recording, or packets without an answer: \(both.errors)")
            let analyzed = try await Command.virtlat("analyze", folder, "--format", "json")
            let flows = try JSON(analyzed.output)["flows"].list
            var fewest: Int64 = .max
            for (guest, direction) in [("g3", "rx"), ("g3", "tx"), ("g4", "rx"), ("g4", "tx")] {
                let flow = try #require(flows.first { $0["machine"] == .text(guest) && $0["direction"] == .text(direction) })
                // Never fewer than were answered, and none that nobody sent but for a stray ARP or multicast.
                #expect(try (200...215).contains(flow["packets"].integer("seen")), "\(guest) \(direction)")
                fewest = try min(fewest, flow["packets"].integer("complete"))
            }
            if fewest >= 200 { return }
            print("\(folder): \(fewest) of 200 packets complete, once more: \(flows.map { $0["packets"] })")
            if attempt == 3 { #expect(fewest >= 190) }
        }
    }

    private static let recorders: KeyValuePairs = [
        "vsock": [], "tcp": ["--transport", "tcp"], "live": ["--transfer", "live", "--buffer-size", "256K"],
    ]

    private static let place = "\(Checkout.root)/.build/end-to-end"

    /// A recording of which everything can be told. On a starved machine some packets end as ambiguous, with that reason; then
    /// there is another try, since it is what the machine did to the recording. What the analysis does to it, it does each time.
    /// - Parameters:
    ///   - verb: of the lab, with its options.
    ///   - name: recordings are kept under it, so that what fails can be looked at.
    private func record(_ verb: [String], into name: String, open: (String) throws -> Recording) async throws -> Recording {
        var attempt = 1
        while true {
            let folder = "\(Self.place)/\(name)-\(attempt)"
            let run = try await Lab.recording([verb[0], "--out", folder] + verb.dropFirst())
            try #require(run.status == 0, "no recording, or packets without an answer: \(run.errors)\(run.output)")
            let recording = try open(folder)
            let analyzed = try await AnalyzedRecording.of(recording)
            let complete = ["rx", "tx"].map { analyzed.complete($0).count }
            if attempt == 3 || complete.allSatisfy({ $0 == recording.packets }) { return recording }
            let reasons = Dictionary(analyzed.journeys.map { ("\($0.direction) \($0.status) \($0.reason)", 1) }, uniquingKeysWith: +)
            print("\(folder): \(complete) of \(recording.packets) packets complete, once more: \(reasons)")
            attempt += 1
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: [(SIGTERM, 1), (SIGINT, 5), (SIGTERM, 9), (SIGINT, 14)])
    func `an up that is interrupted leaves no process, device or mount behind`(signal: Int32, seconds: Int) async throws {
        _ = try await Lab.run(["down"])
        let before = try Traces.of("end-to-end")
        try #require(before.processes.isEmpty)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let up = try ChildProcess(
            [Checkout.root + "/Tests/Lab/lab", "up"], ["LAB": "end-to-end"], output: folder.path("output"), errors: folder.path("errors"))
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
        // Process namespaces end a moment after their first process.
        try await Task.sleep(for: .seconds(1))
        #expect(try Traces.of("end-to-end") == before)
    }

    /// What a lab could leave behind. A namespace needs a process or a mount to live on.
    private struct Traces: Equatable {
        var processes: [String]
        var devices: [String]
        var mounts: [Substring]

        static func of(_ lab: String) throws -> Traces {
            let files = FileManager.default
            let processes = try files.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { id -> String? in
                let words = { (file: String) in
                    String(decoding: files.contents(atPath: "/proc/\(id)/\(file)") ?? Data(), as: UTF8.self).split(separator: "\0")
                }
                let command = words("cmdline").joined(separator: " ")
                return words("environ").contains("LAB=\(lab)") || command.contains("virtlat-lab-\(lab)") ? command : nil
            }
            let mounts = String(decoding: try Data(contentsOf: URL(fileURLWithPath: "/proc/self/mountinfo")), as: UTF8.self)
            return Traces(
                processes: processes,
                devices: try files.contentsOfDirectory(atPath: "/sys/class/net").filter { $0.hasPrefix("out") }.sorted(),
                mounts: mounts.split(separator: "\n").filter { $0.contains("nsfs") || $0.contains("/lab/") || $0.contains("/dev/net") }
                    .sorted())
        }
    }

    /// The tests that the stored recordings have to pass, but for those that measure time.
    private func holdIdentity(_ live: Recording) async throws {
        let log = try ApplicationLog(live)
        try #require(log.echoed.map(\.sequence) == Array(0..<live.packets), "the server did not see each packet once, in order")

        let truth = TruthTests()
        try await truth.`no host half is joined to another packet's guest half`(recording: live)
        try await truth.`no packet arrives before it was sent`(recording: live)

        let tiling = TilingTests()
        try await tiling.`points of a complete journey never run backwards, and none that it needs is absent`(recording: live)
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
        try await truth.`no answer is missing, sent at another time, or out before the application sent it`(recording: live)
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
