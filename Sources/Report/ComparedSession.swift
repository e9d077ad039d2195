// What a comparison keeps of a session: every time of every complete journey, and the conditions it was measured under.

package import ClockSync
package import PacketPath
import Sessions
package import Statistics
import TraceData

/// One analyzed session of an arm.
package struct ComparedSession: Sendable {
    package let name: String
    /// What could make times differ though the arms do not, by what it is; only what is known.
    package let conditions: [Condition: String]
    /// Events that were switched on, "host sched:sched_switch"; nil when nothing says which.
    package let recordedEvents: Set<String>?
    /// Events that the kernel lost, or -1 for an unknown number.
    package let lostEvents: Int
    /// What a reader must know of the session by itself.
    package let notes: [String]
    package let flows: [ComparedFlow]

    package enum Condition: String, CaseIterable, Sendable {
        case hostRelease = "the host's kernel"
        case hostCPUs = "the host's CPUs"
        case guestRelease = "the guests' kernels"
        case guestCPUs = "the guests' vCPUs"
        case traceClock = "the trace clock"
        case clockMethod = "the evidence for the guests' clocks"
        case clockError = "the error of the guests' clocks"
        case haltPoll = "the time a halted vCPU is polled for"
        case postedInterrupts = "posted interrupts"
    }

    package init(
        name: String, conditions: [Condition: String] = [:], recordedEvents: Set<String>? = nil, lostEvents: Int = 0, notes: [String] = [],
        flows: [ComparedFlow]
    ) {
        self.name = name
        self.conditions = conditions
        self.recordedEvents = recordedEvents
        self.lostEvents = lostEvents
        self.notes = notes
        self.flows = flows
    }
}

extension ComparedSession {
    /// - Parameters:
    ///   - report: the analysis of the session.
    ///   - collector: the samples of the same analysis.
    package init(_ report: AnalysisReport, _ collector: SampleCollector) {
        let (host, guests) = (report.machines[0], report.machines.dropFirst())
        func list(_ values: some Sequence<String>) -> String? {
            let list = Set(values).sorted().joined(separator: " and ")
            return list.isEmpty ? nil : list
        }
        var conditions: [Condition: String] = [:]
        conditions[.hostRelease] = host.file.options.release
        conditions[.hostCPUs] = String(host.cpuCount)
        conditions[.guestRelease] = list(guests.compactMap(\.file.options.release))
        conditions[.guestCPUs] = list(guests.map { String($0.cpuCount) })
        conditions[.traceClock] = host.file.traceClock
        conditions[.clockMethod] = list(guests.map { $0.maps[0].method.name })
        // Not to the digit, which differs from session to session.
        conditions[.clockError] = list(guests.map { Self.magnitude($0.maps[0].largestErrorBound) })
        let system = report.files.manifest?.topology.host
        conditions[.haltPoll] = system?.haltPoll.map { "\($0) ns" }
        conditions[.postedInterrupts] = system?.postedInterrupts.map { $0 ? "on" : "off" }
        let events = report.files.manifest.map { manifest in
            Set(manifest.machines.flatMap { machine in machine.events.map { "\(machine.role.rawValue)'s \($0.event)" } })
        }
        let lost = report.account.machines.reduce(0) { $0 &+ $1.lostEvents }
        let isUncounted = lost == 0 && report.account.machines.contains { $0.holes > 0 }
        self.init(
            name: report.session, conditions: conditions, recordedEvents: events, lostEvents: isUncounted ? -1 : lost, notes: report.notes,
            flows: collector.flows)
    }

    private static func magnitude(_ error: Nanoseconds?) -> String {
        guard let error else { return "unknown" }
        if error <= ClockMap.exactBound { return "exact" }
        return error <= 1000 ? "below 1 µs" : error <= 10_000 ? "below 10 µs" : error <= 100_000 ? "below 100 µs" : "above 100 µs"
    }
}

/// The journeys of one guest in one direction by one path, of all its devices.
///
/// Grows by 8 bytes for each complete journey and each of its stages: a million packets of twelve stages are 100 MB.
package struct ComparedFlow: Sendable {
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

    fileprivate func isLike(_ other: ComparedFlow) -> Bool {
        direction == other.direction && path == other.path && machine == other.machine
    }

    /// Adds a complete journey's times.
    fileprivate mutating func add(_ journey: borrowing Journey, _ waypoints: [Waypoint]) {
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
package final class SampleCollector {
    private var called: [ComparedFlow] = []
    private var uncalled: [ComparedFlow] = []
    private let machineNames: [String]
    private let paths = PathTable()

    /// What is compared: ways that begin with a send call, where there are any, and never with others together.
    package var flows: [ComparedFlow] {
        called.map { flow in
            guard let other = uncalled.first(where: { $0.isLike(flow) }) else { return flow }
            var measured = flow.complete > 0 ? flow : other
            measured.seen = flow.seen
            measured.isFromDriver = flow.complete == 0
            measured.withoutCall = flow.complete == 0 ? 0 : other.complete
            return measured
        }
    }

    package init(_ analysis: Analysis) { machineNames = analysis.machines.all.map(\.name) }

    package func take(_ journey: borrowing Journey) {
        let index = index(of: journey, in: &called)
        called[index].seen += 1
        guard journey.outcome == .complete else { return }
        let waypoints = paths[journey.path, journey.direction]
        if journey.isWithoutCall {
            uncalled[self.index(of: journey, in: &uncalled)].add(journey, waypoints)
        } else {
            called[index].add(journey, waypoints)
        }
    }

    private func index(of journey: borrowing Journey, in flows: inout [ComparedFlow]) -> Int {
        let (machine, direction, path) = (machineNames[journey.machine], journey.direction, journey.path)
        if let index = flows.firstIndex(where: { $0.direction == direction && $0.path == path && $0.machine == machine }) { return index }
        flows.append(ComparedFlow(machine: machine, direction: direction, path: path))
        return flows.count - 1
    }
}
