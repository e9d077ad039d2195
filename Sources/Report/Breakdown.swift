// Journeys into numbers: what each stage cost, by guest device and direction.

package import ClockSync
package import PacketPath
package import Statistics
internal import TraceData

/// Which journeys are wanted.
package struct JourneyFilter: Sendable {
    package var guest: String?
    package var device: String?
    package var direction: Direction?
    /// Host time, inclusive; by a journey's first point.
    package var since: Nanoseconds?
    /// Host time, exclusive.
    package var until: Nanoseconds?

    package init(
        guest: String? = nil, device: String? = nil, direction: Direction? = nil, since: Nanoseconds? = nil,
        until: Nanoseconds? = nil
    ) {
        self.guest = guest
        self.device = device
        self.direction = direction
        self.since = since
        self.until = until
    }
}

/// The journeys of one guest device in one direction.
package struct Flow: Sendable {
    package var machine: Int
    package var device: UInt16
    package var hostDevice: UInt16
    /// NICs its packets came from or went to, by name.
    package var nics: [UInt16] = []
    package var direction: Direction
    package var seen = 0
    /// Packets by how they ended, `complete` among them.
    package var outcomes: [Outcome: Int] = [:]
    package var dropReasons: [UInt32: Int] = [:]
    package var deliveries: [Delivery: Int] = [:]
    /// First to last point of complete journeys.
    package var endToEnd = Samples()
    /// One for each rule of the path that ends a stage, in the path's order.
    package var stages: [StageSamples]

    package struct StageSamples: Sendable {
        package var stage: Stage
        package var point: Point
        package var samples = Samples()
    }

    package var complete: Int { outcomes[.complete] ?? 0 }

    /// A stage's part of the time of all complete journeys together, 0 to 1.
    package func share(_ stage: StageSamples) -> Double {
        endToEnd.total == 0 ? 0 : Double(stage.samples.total) / Double(endToEnd.total)
    }
}

/// Sorts journeys into flows and adds up their stages, one journey at a time.
package final class Breakdown: JourneySink {
    package private(set) var flows: [Flow] = []
    package let path: PathDescription
    private let filter: JourneyFilter
    private let machineNames: [String]
    private let names: NameTable
    /// Rules of each direction, by `Direction.rawValue`.
    private let rules: [[PointRule]]
    /// Called with every journey that passes the filter.
    package var onJourney: ((borrowing Journey) -> Void)?

    package init(_ analysis: Analysis, filter: JourneyFilter = JourneyFilter()) {
        path = analysis.path
        names = analysis.names
        machineNames = analysis.machines.all.map(\.name)
        rules = Direction.allCases.map { analysis.path.rules($0) }
        self.filter = filter
    }

    package func take(_ journey: borrowing Journey) {
        let rules = rules[Int(journey.direction.rawValue)]
        guard passes(journey, rules) else { return }
        let index = flowIndex(journey, rules)
        onJourney?(journey)
        flows[index].seen += 1
        if journey.nic != 0, !flows[index].nics.contains(journey.nic) { flows[index].nics.append(journey.nic) }
        flows[index].outcomes[journey.outcome, default: 0] += 1
        if journey.outcome == .dropped { flows[index].dropReasons[journey.dropReason, default: 0] += 1 }
        guard journey.outcome == .complete else { return }
        if journey.direction == .receive { flows[index].deliveries[journey.delivery, default: 0] += 1 }
        var first: Nanoseconds?
        var previous: Nanoseconds = 0
        var last: Nanoseconds = 0
        var stage = 0
        for rule in rules {
            let time = journey.times[rule.point]
            if rule.stage != nil { stage += 1 }
            guard time != PointTimes.absent else { continue }
            last = time
            if first == nil {
                first = time
                previous = time
            } else if rule.stage != nil {
                // An absent point's time goes to the next stage that has an end.
                flows[index].stages[stage - 1].samples.add(time - previous)
                previous = time
            }
        }
        if let first { flows[index].endToEnd.add(last - first) }
    }

    private func passes(_ journey: borrowing Journey, _ rules: [PointRule]) -> Bool {
        if let direction = filter.direction, direction != journey.direction { return false }
        if let guest = filter.guest, guest != machineNames[journey.machine] { return false }
        if let device = filter.device, device != names.name(journey.device), device != names.name(journey.hostDevice) {
            return false
        }
        if filter.since != nil || filter.until != nil {
            guard let time = journey.firstTime(rules) else { return false }
            if let since = filter.since, time < since { return false }
            if let until = filter.until, time >= until { return false }
        }
        return true
    }

    private func flowIndex(_ journey: borrowing Journey, _ rules: [PointRule]) -> Int {
        for index in flows.indices {
            let flow = flows[index]
            if flow.machine == journey.machine, flow.device == journey.device, flow.direction == journey.direction {
                return index
            }
        }
        flows.append(
            Flow(
                machine: journey.machine, device: journey.device, hostDevice: journey.hostDevice,
                direction: journey.direction,
                stages: rules.compactMap { rule in
                    rule.stage.map { Flow.StageSamples(stage: $0, point: rule.point) }
                }))
        return flows.count - 1
    }

    /// Flows in the order of reports: by guest, by device, receive first.
    package var sortedFlows: [Flow] {
        flows.sorted {
            ($0.machine, names.name($0.device), $0.direction.rawValue) < ($1.machine, names.name($1.device), $1.direction.rawValue)
        }
    }
}
