// What a comparison keeps of a session: every time of every complete journey, and the conditions it was measured under.

import ClockSync
import GuestClocks
import PacketPath
import Sessions
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
    package let notes: [Note]
    package let flows: [ComparedFlow]

    package enum Condition: CaseIterable, Sendable {
        case hostRelease
        case hostCPUs
        case guestRelease
        case guestCPUs
        case traceClock
        case clockMethod
        case clockError
        case haltPoll
        case postedInterrupts
    }

    package init(
        name: String, conditions: [Condition: String] = [:], recordedEvents: Set<String>? = nil, lostEvents: Int = 0,
        notes: [Note] = [],
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
    ///   - findings: those of the session.
    ///   - collector: the samples of the same pass.
    package init(_ findings: SessionFindings, _ collector: SampleCollector) {
        let (host, guests) = (findings.machines[0], findings.machines.dropFirst())
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
        let system = findings.files.manifest?.topology.host
        conditions[.haltPoll] = system?.haltPoll.map { "\($0) ns" }
        conditions[.postedInterrupts] = system?.postedInterrupts.map { $0 ? "on" : "off" }
        let events = findings.files.manifest.map { manifest in
            Set(
                manifest.machines.flatMap { machine in machine.events.map { "\(machine.role.rawValue)'s \($0.event)" } }
            )
        }
        let lost = findings.account.machines.reduce(0) { $0 &+ $1.lostEvents }
        let isUncounted = lost == 0 && findings.account.machines.contains { $0.holes > 0 }
        self.init(
            name: findings.session, conditions: conditions, recordedEvents: events, lostEvents: isUncounted ? -1 : lost,
            notes: findings.notes,
            flows: collector.flows)
    }

    private static func magnitude(_ error: Nanoseconds?) -> String {
        guard let error else { return "unknown" }
        if error <= ClockMap.exactBound { return "exact" }
        return error <= 1000
            ? "below 1 µs" : error <= 10_000 ? "below 10 µs" : error <= 100_000 ? "below 100 µs" : "above 100 µs"
    }
}
