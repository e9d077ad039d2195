// What became of one guest device's packets in one direction, and what each stage of their way cost.

import ClockSync
package import PacketPath
package import Statistics
import TraceData

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
    /// What complete journeys took.
    private var times: BySendCall<Tally>

    /// The times of journeys that begin with the same point.
    package struct Tally: JourneyTimes {
        /// First to last point of complete journeys.
        package var endToEnd = Samples()
        /// One for each rule of the path that ends a stage, in the path's order.
        package var stages: [StageSamples]

        package var count: Int { endToEnd.count }

        fileprivate init(_ rules: [PointRule]) {
            stages = rules.compactMap { rule in rule.stage.map { StageSamples(stage: $0) } }
        }

        mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
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
    /// Complete packets whose send call is not known: their way begins with the driver.
    package var withoutCall: Int { times.withoutCall }

    /// What tells its packets from each other.
    package enum Identity: String, Sendable {
        case address
        case order
        case orderAndLength = "order-and-length"
    }

    package var identity: Identity {
        // Where no ring is crossed, an address is enough.
        if path == .host || path == .vfio { return .address }
        return isKnownByOrderAlone ? .order : .orderAndLength
    }

    /// Of ways that begin with a send call, where there are any.
    package var endToEnd: Samples { times.measured.endToEnd }
    package var stages: [StageSamples] { times.measured.stages }

    /// A stage's part of the time of all complete journeys together, 0 to 1.
    package func share(_ stage: StageSamples) -> Double {
        endToEnd.total == 0 ? 0 : Double(stage.samples.total) / Double(endToEnd.total)
    }
}

extension Flow {
    /// The flow a journey belongs to, still empty.
    init(_ journey: borrowing Journey) {
        machine = journey.machine
        device = journey.device
        hostDevice = journey.hostDevice
        direction = journey.direction
        path = journey.path
        times = BySendCall(Tally(path.description.rules(direction)))
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
        times.add(journey, waypoints)
    }
}
