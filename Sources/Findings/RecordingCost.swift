// What recording itself cost: a measurement that disturbs what it measures must say by how much.

package import ClockSync
import PacketPath
package import Sessions

/// Of the machines that a manifest tells of.
package struct RecordingCost: Sendable {
    /// What one machine's recorder took.
    package struct Share: Sendable {
        package var machine: String
        package var role: RecordedMachine.Role
        package var cpuTime: Nanoseconds?
        package var wakeUps: Int?
    }

    /// Machines of which something is known.
    package var shares: [Share]
    /// How long the measurement ran; nil when that is not known.
    package var measured: Nanoseconds?
    /// Sums over all machines; nil when one of them does not say, because a part is not the whole.
    package var bytesDuring: Int?
    package var bytesAfter: Int?
    package var ownEvents: Int?
    package var allEvents: Int?
    /// Packets between recorder and agent, which no journey tells of.
    package var packetsLeftOut: Int
}

extension SessionFindings {
    package var cost: RecordingCost {
        let recorded = files.recordings.compactMap(\.recorded)
        let totals = recorded.map(\.disturbance)
        /// A sum over all machines.
        func sum(_ count: KeyPath<Disturbance, Int?>) -> Int? {
            let counts = totals.compactMap { $0[keyPath: count] }
            guard !counts.isEmpty, counts.count == totals.count else { return nil }
            return counts.reduce(0) { $0 &+ $1 }
        }
        return RecordingCost(
            shares: recorded.compactMap { machine in
                let (time, wakeUps) = (machine.disturbance.cpuTime, machine.disturbance.wakeUps)
                guard time != nil || wakeUps != nil else { return nil }
                return RecordingCost.Share(machine: machine.name, role: machine.role, cpuTime: time, wakeUps: wakeUps)
            },
            measured: measuredDuration, bytesDuring: sum(\.bytesDuring), bytesAfter: sum(\.bytesAfter),
            ownEvents: sum(\.ownEvents), allEvents: sum(\.allEvents),
            packetsLeftOut: account.machines.reduce(0) { $0 + $1.recorderPackets })
    }
}
