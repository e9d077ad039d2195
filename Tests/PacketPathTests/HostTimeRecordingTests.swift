// The host's part in real recordings' stages, held against what trace-cmd prints of the same files.

import ClockSync
import Findings
import Foundation
import GuestClocks
import PacketPath
import Statistics
import TestSupport
import Testing
import TraceData

@Suite struct HostTimeRecordingTests {
    /// When a thread of the host that is a vCPU was in its guest.
    private struct Windows {
        private var begins: [Nanoseconds] = []
        private var ends: [Nanoseconds] = []

        mutating func enter(_ time: Nanoseconds) {
            leave(time)
            begins.append(time)
        }

        mutating func leave(_ time: Nanoseconds) { if ends.count < begins.count { ends.append(time) } }

        func inside(_ range: Range<Nanoseconds>) -> Nanoseconds {
            zip(begins, ends).reduce(0) { $0 + max(0, min($1.1, range.upperBound) - max($1.0, range.lowerBound)) }
        }
    }

    private final class Journeys: JourneySink {
        var all: [Journey] = []
        func take(_ journey: borrowing Journey) { all.append(copy journey) }
    }

    private static func analysis(_ recording: String) throws -> Analysis {
        let folder = Checkout.recording(recording)
        var machines = try Machines(
            ["host", "host-g3"].map { MachineFile(name: $0, file: try TraceFile(path: "\(folder)/\($0).dat")) })
        machines.use(try ClockResolution(machines, manifest: nil).resolve(.automatic))
        return try Analysis(machines)
    }

    private static func report(_ recording: String) throws -> [Substring] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["trace-cmd", "report", "-t", "-i", Checkout.recording(recording) + "/host.dat"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.split(separator: "\n")
    }

    /// "CPU 0/KVM-181   [001]   71.256706123: kvm_entry: …" to ns.
    private static func time(_ line: Substring) throws -> Nanoseconds {
        let end = try #require(line.firstRange(of: ": ")).lowerBound
        let stamp = try #require(line[..<end].split(separator: " ").last).split(separator: ".")
        return try #require(Nanoseconds(stamp[0])) * 1_000_000_000 + #require(Nanoseconds(stamp[1]))
    }

    @Test func `the only vCPU's time outside the guest is what trace-cmd's events say`() throws {
        var windows = Windows()
        for line in try Self.report("tap-steady") {
            if line.contains(": kvm_entry:") {
                windows.enter(try Self.time(line))
            } else if line.contains(": kvm_exit:") || line.contains(": sched_switch:         CPU 0/KVM:") {
                windows.leave(try Self.time(line))
            }
        }
        let journeys = Journeys()
        _ = try Self.analysis("tap-steady").run(into: journeys)
        let stages: [(Point, [Point])] = [
            (.guestWake, [.guestIngress]), (.guestRun, [.guestWake, .guestIngress]),
            (.guestRead, [.guestRun, .guestWake, .guestIngress]),
            (.guestEgress, [.guestSend]),
        ]
        var checked = 0
        for journey in journeys.all where journey.outcome == .complete {
            for (end, begins) in stages {
                guard let total = journey.host.totals[end] else { continue }
                let begin = try #require(begins.first { journey.times.has($0) })
                let stage = journey.times[begin]..<journey.times[end]
                let inside = windows.inside(stage)
                #expect(total == Nanoseconds(stage.count) - inside)
                checked += 1
            }
        }
        #expect(checked > 1000)
    }

    @Test(arguments: ["tap-steady", "tap-2vcpu-cross"])
    func `no stage has more of the host than it is long, and every reason has trace-cmd's name`(recording: String)
        throws
    {
        let breakdown = Breakdown()
        _ = try SessionPass(try Session([Checkout.recording(recording)])).run([breakdown])
        let names = Set(
            try Self.report(recording).filter { $0.contains(": kvm_exit:") }.map { line in
                String(line.split(separator: " ").drop { $0 != "reason" }.dropFirst().first!.dropFirst("EXIT_".count))
            })
        var known = 0
        for stage in breakdown.flows.flatMap(\.stages) {
            #expect(stage.host.total <= stage.host.stage && stage.host.stage <= stage.samples.total)
            #expect(stage.host.sortedReasons.reduce(0) { $0 + $1.total } == stage.host.total)
            known += stage.host.count
            for reason in stage.host.sortedReasons where reason.reason != .preempted {
                #expect(names.contains(reason.reason.name))
            }
        }
        #expect(known > 1400)
        let receive = try #require(breakdown.flows.first { $0.direction == .receive })
        #expect(receive.vcpuStates.preemptedBy.values.reduce(0, +) == receive.count(.preempted))
        #expect(receive.vcpuStates.inGuest + receive.vcpuStates.inHost.values.reduce(0, +) == receive.count(.kick))
    }
}
