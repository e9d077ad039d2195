// The lab as these tests use it: booted, put to work, and taken down; what the emulation does wrong is done again.

import Foundation
import Synchronization
import TestSupport
import Testing

/// The lab of Tests/Lab, under a name that only these tests use.
///
/// Its machines are emulated, and where the machine below is busy a boot hangs, KVM gives up on a guest, the host locks
/// up, or a packet gets lost or is overtaken on its way. None of this says anything of virtlat: it is a `Fault`, and
/// the work is done again, in another lab. What virtlat does wrong is never done again.
enum Lab {
    /// Why it can't run here; nil when it can.
    static let obstacle: String? = {
        if ProcessInfo.processInfo.environment["VIRTLAT_LAB"] == "off" { return "VIRTLAT_LAB=off says so" }
        #if !arch(x86_64)
            return "it is an x86-64 machine, and this is another"
        #endif
        if geteuid() != 0 { return "root is needed to make namespaces and tap devices" }
        let tools = [
            "qemu-system-x86_64", "mmdebstrap", "cpio", "socat", "ssh", "ip", "mke2fs", "depmod", "unshare", "flock",
            "jq", "trace-cmd",
            "strip",
        ]
        let missing = tools.filter { (try? Command.path(of: $0, package: "")) == nil }
        return missing.isEmpty ? nil : "missing: \(missing.joined(separator: ", ")) (make test installs them)"
    }()

    /// What the emulated lab did wrong, seen without virtlat.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// A verb did not end in time, although all machines answer.
    private struct Hang: Error, CustomStringConvertible {
        let description: String
    }

    /// How often packets are recorded in a lab until the emulation did nothing wrong.
    static let attempts = 3
    /// How often one is booted for that: with several guests on a busy machine, three boots in a row go wrong now and
    /// then.
    static let boots = 6

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
    static func up(_ options: [String], work: () async throws -> Void) async throws {
        for attempt in 1...boots {
            // Left by a run that was killed.
            _ = try await run(["down"])
            let failure: (any Error)?
            do {
                let boot = try await run(["up"] + options)
                guard boot.status == 0 else { throw Fault(description: "it does not come up: \(boot.errors)") }
                try await work()
                failure = nil
            } catch {
                failure = error
            }
            #expect(try await run(["down"]).status == 0)
            guard let failure else { return }
            guard failure is Fault, attempt < boots else { throw failure }
            print("lab up \(options.joined(separator: " ")): \(failure), once more")
        }
    }

    /// A verb in the lab that is up. If it fails and a machine does not answer any more, that is the lab's fault.
    static func work(_ arguments: [String]) async throws -> Run {
        let run = try await run(arguments)
        guard run.isStuck || run.status != 0 else { return run }
        try await expectMachines(run.errors)
        guard !run.isStuck else {
            throw Hang(description: "lab \(arguments.joined(separator: " ")) hangs: \(run.errors)")
        }
        return run
    }

    /// Throws a fault where the host or a guest that was booted does not even answer to `true`.
    static func expectMachines(_ story: @autoclosure () -> String = "", besides dead: String? = nil) async throws {
        let ask = "for file in /run/lab/g*.pid; do [ ! -e $file ] || basename $file .pid; done"
        let host = try await run(["exec", "host", "--", "sh", "-c", ask], patience: .seconds(60))
        guard host.status == 0 else { throw Fault(description: "the emulated host has locked up. \(story())") }
        for guest in host.output.split(separator: "\n") where guest != dead ?? "" {
            guard try await run(["exec", String(guest), "--", "true"], patience: .seconds(60)).status != 0 else {
                continue
            }
            throw Fault(description: "the guest \(guest) is gone. \(story())")
        }
    }

    private static let place = "\(Checkout.root)/.build/end-to-end"

    /// Recordings of each name. What was made in another lab before has another folder: what virtlat says of a folder
    /// is remembered.
    private static let recordings = Mutex<[String: Int]>([:])

    /// A recording of which everything can be told. Packets that got lost or were overtaken are sent again, with more
    /// time between them. On a starved machine some packets end as ambiguous, with that reason; then there is another
    /// recording, since it is what the machine did to it, and the last is taken as it is. What the analysis does to a
    /// recording, it does each time.
    /// - Parameters:
    ///   - verb: of the lab, with its options.
    ///   - name: recordings are kept under it, so that what fails can be looked at.
    ///   - lack: what can't be told of it; nil where nothing is lacking.
    /// - Returns: its folder. Every packet of it was answered, and none overtook another one on the way.
    static func record(_ verb: [String], into name: String, lack: (String) async throws -> String?) async throws
        -> String
    {
        var last: String?
        var pace: [String] = []
        for _ in 1...attempts {
            let number = recordings.withLock {
                $0[name, default: 0] += 1
                return $0[name, default: 0]
            }
            let folder = "\(place)/\(name)-\(number)"
            let run = try await work([verb[0], "--out", folder] + verb.dropFirst() + pace)
            // Packets without an answer.
            if run.status != 3 {
                // trace-cmd is none of ours.
                if run.status != 0, verb[0] == "record-trace-cmd" {
                    throw Fault(description: "\(run.errors)\(run.output)")
                }
                try #require(run.status == 0, "no recording: \(run.errors)\(run.output)")
                let facts = try PathRecording(folder: folder).facts()
                if facts.ends.allSatisfy({ $0.isWhole(facts.count) }) {
                    // Whatever is not known of it, nothing of it is wrong.
                    try await ExactTests().holdReads(PathRecording(folder: folder), complete: 0)
                    try await ExactTests().holdSends(PathRecording(folder: folder), complete: 0)
                    guard let lack = try await lack(folder) else { return folder }
                    print("\(folder): \(lack), once more")
                    last = folder
                    continue
                }
            }
            pace = ["--interval", "100ms"]
            print("\(folder): packets got lost or were overtaken on the way, once more: \(run.output)")
        }
        guard let last else { throw Fault(description: "packets get lost or are overtaken on the way") }
        return last
    }

    /// Packets of the applications that are not complete, by end and direction; nil where there are none.
    static func incomplete(_ folder: String) async throws -> String? {
        let recording = PathRecording(folder: folder)
        let journeys = try await recording.analyzed().journeys
        let missing = try recording.facts().ends.flatMap { end in
            ["rx", "tx"].map { end.packets.count - end.rows(journeys, $0).count(where: \.isComplete) }
        }
        guard missing.contains(where: { $0 != 0 }) else { return nil }
        let reasons = Dictionary(journeys.map { ("\($0.direction) \($0.status) \($0.reason)", 1) }, uniquingKeysWith: +)
        return "\(missing) packets missing or not complete: \(reasons)"
    }
}
