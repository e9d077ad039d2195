// Journeys into numbers: what each stage cost, by guest device and direction.

package import ClockSync
package import PacketPath
package import Sessions
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
    /// While the measurement ran; nil when nothing says when that was. What a recorder does before and after is no traffic of interest.
    package var measured: Manifest.Window?

    package init(
        guest: String? = nil, device: String? = nil, direction: Direction? = nil, since: Nanoseconds? = nil,
        until: Nanoseconds? = nil, measured: Manifest.Window? = nil
    ) {
        self.guest = guest
        self.device = device
        self.direction = direction
        self.since = since
        self.until = until
        self.measured = measured
    }
}

/// The journeys of one guest device in one direction, by one path.
package struct Flow: Sendable {
    package var machine: Int
    package var device: UInt16
    package var hostDevice: UInt16
    /// NICs its packets came from or went to, by name.
    package var nics: [UInt16] = []
    package var direction: Direction
    package var path: PathKind
    package var seen = 0
    private var outcomes = [Int](repeating: 0, count: Outcome.allCases.count)
    private var deliveries = [Int](repeating: 0, count: Delivery.allCases.count)
    /// Dropped packets by the kernel's reason.
    package private(set) var dropReasons: [UInt32: Int] = [:]
    /// Some of them are told from others by their place in a ring's order, with nothing to confirm it.
    package private(set) var isKnownByOrderAlone = false
    /// What vCPUs were doing when complete rx packets' interrupts were signalled.
    package private(set) var vcpuStates = VCPUCount()
    /// What complete journeys took; of sent packets those whose send call is known.
    private var called: Tally
    /// Of sent packets those whose send call is not known.
    private var uncalled: Tally?

    /// The times of journeys that begin with the same point.
    package struct Tally: Sendable {
        /// First to last point of complete journeys.
        package var endToEnd = Samples()
        /// One for each rule of the path that ends a stage, in the path's order.
        package var stages: [StageSamples]

        fileprivate init(_ rules: [PointRule]) { stages = rules.compactMap { rule in rule.stage.map { StageSamples(stage: $0) } } }

        fileprivate mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
            var tiles = StageTiles()
            let host = journey.host
            let totals = host.totals
            tiles.follow(journey, waypoints) { stages[$0.stage].add($0, host, totals) }
            endToEnd.add(tiles.total)
        }
    }

    package struct StageSamples: Sendable {
        package var stage: Stage
        package var samples = Samples()
        /// The host's part in it; empty for stages that are not the guest's.
        package var host = HostShare()
        private let isGuests: Bool

        init(stage: Stage) {
            self.stage = stage
            isGuests = stage.owner == .guest || stage.owner == .app
        }

        /// Adds a journey's time in the stage, and the host's part in it.
        mutating func add(_ tile: StageTiles.Tile, _ host: borrowing HostTimes, _ totals: HostTimes.Totals) {
            samples.add(tile.time)
            if isGuests { self.host.add(host, totals, tile.end, of: tile.time) }
        }
    }

    /// Packets that ended so.
    package func count(_ outcome: Outcome) -> Int { outcomes[Int(outcome.rawValue)] }
    /// Complete rx packets whose interrupt came so.
    package func count(_ delivery: Delivery) -> Int { deliveries[Int(delivery.rawValue)] }
    package var complete: Int { count(.complete) }
    /// Complete packets whose send call is not known: the kernel's own, or sent in a way that no event tells of. Their way begins with the driver.
    package var withoutCall: Int { uncalled?.endToEnd.count ?? 0 }
    /// What is measured: of ways that begin with a send call, where there are any, and never of both kinds together.
    private var measured: Tally { called.endToEnd.count > 0 ? called : uncalled ?? called }
    package var endToEnd: Samples { measured.endToEnd }
    package var stages: [StageSamples] { measured.stages }

    /// A stage's part of the time of all complete journeys together, 0 to 1.
    package func share(_ stage: StageSamples) -> Double {
        endToEnd.total == 0 ? 0 : Double(stage.samples.total) / Double(endToEnd.total)
    }
}

extension Flow {
    /// The flow a journey belongs to, still empty.
    fileprivate init(_ journey: borrowing Journey) {
        machine = journey.machine
        device = journey.device
        hostDevice = journey.hostDevice
        direction = journey.direction
        path = journey.path
        called = Tally(path.description.rules(direction))
    }

    /// Counts a journey, and what its stages took if it is complete.
    mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
        seen += 1
        outcomes[Int(journey.outcome.rawValue)] += 1
        if journey.nic != 0, !nics.contains(journey.nic) { nics.append(journey.nic) }
        if journey.outcome == .dropped { dropReasons[journey.dropReason, default: 0] += 1 }
        guard journey.outcome == .complete else { return }
        if journey.isKnownByOrderAlone { isKnownByOrderAlone = true }
        if journey.isDelivered {
            deliveries[Int(journey.delivery.rawValue)] += 1
            vcpuStates.add(journey.delivery, journey.vcpuState)
        }
        if journey.isWithoutCall {
            if uncalled == nil { uncalled = Tally(path.description.rules(direction)) }
            uncalled?.add(journey, waypoints)
        } else {
            called.add(journey, waypoints)
        }
    }
}

/// Sorts journeys into flows and adds up their stages, one journey at a time.
package final class Breakdown: JourneySink {
    package private(set) var flows: [Flow] = []
    private let filter: JourneyFilter
    private let machineNames: [String]
    private let names: NameTable
    private let paths = PathTable()
    private var collector = RelayCollector()
    /// Called with every journey that passes the filter.
    package var onJourney: ((borrowing Journey) -> Void)?

    package init(_ analysis: Analysis, filter: JourneyFilter = JourneyFilter()) {
        names = analysis.names
        machineNames = analysis.machines.all.map(\.name)
        self.filter = filter
    }

    package func take(_ journey: borrowing Journey) {
        let waypoints = paths[journey.path, journey.direction]
        guard passes(journey, waypoints) else { return }
        let index = flowIndex(journey)
        onJourney?(journey)
        flows[index].add(journey, waypoints)
        collector.take(journey)
    }

    private func passes(_ journey: borrowing Journey, _ waypoints: [Waypoint]) -> Bool {
        if let direction = filter.direction, direction != journey.direction { return false }
        if let guest = filter.guest, guest != machineNames[journey.machine] { return false }
        if let device = filter.device, device != names.name(journey.device), device != names.name(journey.hostDevice) {
            return false
        }
        if filter.since != nil || filter.until != nil || filter.measured != nil {
            guard let time = journey.firstTime(waypoints) else { return false }
            if let measured = filter.measured, !measured.contains(time) { return false }
            if let since = filter.since, time < since { return false }
            if let until = filter.until, time >= until { return false }
        }
        return true
    }

    private func flowIndex(_ journey: borrowing Journey) -> Int {
        for index in flows.indices {
            // Asked where it stands: a copy would count references to all that it holds.
            if flows[index].machine == journey.machine, flows[index].device == journey.device,
                flows[index].direction == journey.direction, flows[index].path == journey.path
            {
                return index
            }
        }
        flows.append(Flow(journey))
        return flows.count - 1
    }

    /// Packets between guests, which flows tell of in halves.
    package var relays: [Relay] { collector.sorted }

    /// Flows in the order of reports: by guest, by device, receive first.
    package var sortedFlows: [Flow] {
        flows.sorted {
            ($0.machine, names.name($0.device), $0.direction.rawValue, $0.path.rawValue)
                < ($1.machine, names.name($1.device), $1.direction.rawValue, $1.path.rawValue)
        }
    }
}
