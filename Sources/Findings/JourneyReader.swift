// The one contract between a pass over a session and whoever reads its journeys: sums, comparisons, files.

package import ClockSync
package import GuestClocks
package import PacketPath
package import TraceData

/// What is known when a pass begins.
package struct PassStart: Sendable {
    /// On the clocks of this pass, the host first.
    package var machines: Machines
    /// One for each guest, in the order of `machines`.
    package var clocks: [GuestClock]
    /// Names of devices in journeys; grows while the pass runs.
    package var names: NameTable
    /// The host's own packets are followed, and not its guests'.
    package var followsHost: Bool
    /// Host time that a person counts from: when the measurement began, or the host's first event.
    package var zero: Nanoseconds

    package init(
        machines: Machines, clocks: [GuestClock], names: NameTable, followsHost: Bool = false, zero: Nanoseconds
    ) {
        self.machines = machines
        self.clocks = clocks
        self.names = names
        self.followsHost = followsHost
        self.zero = zero
    }
}

/// Reads the journeys of a session that pass its filter, in the order in which they ended.
///
/// A pass is void when the events contradict the clocks it was made on. Then `begin` is called again, and what was
/// taken since the last one is to be forgotten. `end` is called once, when a pass stands.
package protocol JourneyReader: AnyObject {
    /// False for a reader that can't forget what it has taken: then the clocks are held against the events beforehand,
    /// at the cost of reading those twice.
    var canForget: Bool { get }

    /// Journeys of a pass are about to come: forgets all that came before.
    func begin(_ start: PassStart) throws

    /// Called on a thread that is the pass's own, one journey after the other.
    func take(_ journey: borrowing Journey)

    /// All have come, and the pass stands.
    func end(_ account: AnalysisAccount) throws
}

extension JourneyReader {
    package var canForget: Bool { true }

    package func end(_ account: AnalysisAccount) throws {}
}
