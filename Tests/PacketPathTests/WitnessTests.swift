// A second pass over a recording explains the packets that the first one chose: by the same numbers, with the marks
// that show them.

import ClockSync
import GuestClocks
import PacketPath
import Sessions
import TestSupport
import Testing
import TraceData

@Suite struct WitnessTests {
    private final class Journeys: JourneySink {
        var all: [Journey] = []
        func take(_ journey: borrowing Journey) { all.append(copy journey) }
    }

    private func machines(_ recording: String) throws -> Machines {
        let files = try SessionFiles([Checkout.recording(recording)])
        var machines = try Machines(
            files.recordings.map {
                MachineFile(name: $0.machine, file: try TraceFile(path: $0.path), recorded: $0.recorded)
            })
        machines.use(try ClockResolution(machines, manifest: files.manifest).resolve(.automatic))
        return machines
    }

    private func pass(
        _ machines: Machines, _ witness: Witness? = nil, _ readers: [any MarkReader] = []
    ) throws -> (journeys: [Journey], lanes: [Lane]) {
        let sink = Journeys()
        let analysis = try Analysis(machines)
        _ = try analysis.run(into: sink, witness: witness, alongside: readers)
        return (sink.all, analysis.lanes)
    }

    @Test(arguments: ["tap-steady", "macvtap", "vfio", "xdp-native", "qemu", "tap-gso", "host"])
    func `each point of a chosen packet is shown by a mark of its time, on the CPU that is named`(recording: String)
        throws
    {
        let machines = try machines(recording)
        let first = try pass(machines).journeys
        #expect(first.map(\.number) == Array(1...first.count))
        let witness = Witness(first.filter { $0.number % 3 == 0 }.map(\.number))
        let windows = MarkWindows([Nanoseconds.min...Nanoseconds.max])
        let (second, lanes) = try pass(machines, witness, [windows])
        try #require(second.count == first.count)
        for (one, other) in zip(first, second) {
            try #require(one.number == other.number && one.outcome == other.outcome && one.direction == other.direction)
            for point in Point.allCases { try #require(one.times[point] == other.times[point]) }
        }
        var (shown, read, unknown) = (0, 0, 0)
        for journey in second {
            guard let evidence = witness[journey.number] else {
                #expect(journey.number % 3 != 0)
                continue
            }
            for point in Point.allCases {
                let time = journey.times[point]
                let item = evidence[point]
                guard time != PointTimes.absent else {
                    #expect(item.kind == nil && item.thread < 0 && item.lane < 0)
                    continue
                }
                guard let kind = item.kind else {
                    if item.thread >= 0 || item.lane >= 0 { read += 1 } else { unknown += 1 }
                    continue
                }
                shown += 1
                let marks = windows.marks(in: time...time)
                #expect(
                    marks.contains { $0.kind == kind.rawValue && Int($0.lane) == item.lane && $0.thread == item.thread }
                )
                #expect(lanes.indices.contains(Int(item.lane)))
            }
        }
        #expect(shown > 0 && read > 0)
        // Only an interrupt of a device that is the guest's own is known by its times alone.
        #expect(unknown == 0 || recording == "vfio", "\(unknown)")
    }

    @Test func `nobody pays who does not ask`() throws {
        let machines = try machines("tap-steady")
        let witness = Witness([Int]())
        _ = try pass(machines, witness)
        #expect(witness[1] == nil)
    }
}
