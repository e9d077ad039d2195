// What a comparison keeps of a flow: every time of every complete journey.

package import ClockSync
import GuestClocks
package import PacketPath
package import Statistics

/// The journeys of one guest in one direction by one path, of all its devices.
///
/// Grows by 8 bytes for each complete journey and each of its stages: a million packets of twelve stages are 100 MB.
package struct ComparedFlow: JourneyTimes {
    package let machine: String
    package let direction: Direction
    package let path: PathKind
    package var seen = 0
    /// Sent, and no call is known that sent any of them: all begin with the driver.
    package var isFromDriver = false
    /// Complete packets whose send call is not known, beside others whose call is: they are not among the times.
    package var withoutCall = 0
    /// First point of the first and last complete journey, host time in ns.
    package var span: ClosedRange<Nanoseconds>?
    /// Bytes of complete packets with the Ethernet header.
    package var lengths = Samples()
    /// Of complete journeys, in the order in which they ended, ns.
    package var endToEnd: [Int64] = []
    package var stages: [(stage: Stage, samples: [Int64])]

    /// Without journeys yet.
    package init(machine: String, direction: Direction, path: PathKind) {
        self.machine = machine
        self.direction = direction
        self.path = path
        stages = path.description.rules(direction).compactMap { rule in rule.stage.map { ($0, []) } }
    }

    package var complete: Int { endToEnd.count }
    package var count: Int { complete }

    /// Adds a complete journey's times.
    mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
        var tiles = StageTiles()
        tiles.follow(journey, waypoints) { stages[$0.stage].samples.append($0.time) }
        endToEnd.append(tiles.total)
        lengths.add(Int64(journey.length))
        guard let time = journey.firstTime(waypoints) else { return }
        let span = self.span ?? time...time
        self.span = min(span.lowerBound, time)...max(span.upperBound, time)
    }
}

/// Keeps the times of complete journeys as they come.
package final class SampleCollector: JourneyReader {
    /// Packets are counted with those whose call is known, whatever they turn out to be.
    private var found: [BySendCall<ComparedFlow>] = []
    private var machineNames: [String] = []
    private let paths = PathTable()

    package init() {}

    package func begin(_ start: PassStart) {
        machineNames = start.machines.all.map(\.name)
        found = []
    }

    /// What is compared: ways that begin with a send call, where there are any, and never with others together.
    package var flows: [ComparedFlow] {
        found.map { flow in
            var measured = flow.measured
            measured.seen = flow.called.seen
            measured.isFromDriver = flow.called.complete == 0 && flow.withoutCall > 0
            measured.withoutCall = flow.called.complete == 0 ? 0 : flow.withoutCall
            return measured
        }
    }

    package func take(_ journey: borrowing Journey) {
        let index = index(of: journey)
        found[index].called.seen += 1
        guard journey.outcome == .complete else { return }
        found[index].add(journey, paths[journey.path, journey.direction])
    }

    private func index(of journey: borrowing Journey) -> Int {
        let (machine, direction, path) = (machineNames[journey.machine], journey.direction, journey.path)
        if let index = found.firstIndex(where: {
            $0.called.direction == direction && $0.called.path == path && $0.called.machine == machine
        }) {
            return index
        }
        found.append(BySendCall(ComparedFlow(machine: machine, direction: direction, path: path)))
        return found.count - 1
    }
}
