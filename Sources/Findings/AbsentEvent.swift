// Events that a recording has none of, and what can't be said without each.

import GuestClocks
import KernelEvents

/// An event that a machine's file has none of, where something is missing for it.
package struct AbsentEvent: Sendable {
    package var event: String
    /// What the recording can't say, in a few words.
    package var meaning: String

    /// - Parameter ofHost: the host's own packets are followed, and no guest's.
    /// - Returns: nil when nothing is missing without it.
    init?(_ event: String, on role: MachineRole, ofHost: Bool) {
        let absence = KernelEvent.all.first { $0.name == event }?.absence
        guard let meaning = ofHost ? absence?.alone : role == .guest ? absence?.inGuest : absence?.onHost else {
            return nil
        }
        self.event = event
        self.meaning = meaning
    }
}
