// Which journeys are wanted, and the one place where the others are left out.

package import ClockSync
import GuestClocks
package import PacketPath
package import Sessions
import TraceData

/// What a person wants to see of a session.
package struct JourneyFilter: Sendable {
    package var guest: String?
    package var device: String?
    package var direction: Direction?
    /// From this time on, counted from the start of the measurement; by a journey's first point.
    package var since: Nanoseconds?
    /// Before this time, counted in the same way.
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

    /// A person asked for less than there is.
    package var isNarrow: Bool { guest != nil || device != nil || direction != nil || since != nil || until != nil }
}

/// Lets wanted journeys through to the readers of a pass.
package final class JourneyGate: JourneySink {
    private let filter: JourneyFilter
    private let machineNames: [String]
    private let names: NameTable
    private let paths = PathTable()
    /// Host time, inclusive.
    private let since: Nanoseconds?
    /// Host time, exclusive.
    private let until: Nanoseconds?
    /// While the measurement ran; nil when that is not known. What a recorder does before and after is no traffic of
    /// interest.
    private let measured: Manifest.Window?
    private let readers: [any JourneyReader]

    package init(
        _ filter: JourneyFilter, measured: Manifest.Window?, _ start: PassStart, to readers: [any JourneyReader]
    ) {
        self.filter = filter
        self.measured = measured
        self.readers = readers
        machineNames = start.machines.all.map(\.name)
        names = start.names
        since = filter.since.map { start.zero &+ $0 }
        until = filter.until.map { start.zero &+ $0 }
    }

    package func take(_ journey: borrowing Journey) {
        guard passes(journey) else { return }
        for reader in readers { reader.take(journey) }
    }

    private func passes(_ journey: borrowing Journey) -> Bool {
        if let direction = filter.direction, direction != journey.direction { return false }
        if let guest = filter.guest, guest != machineNames[journey.machine] { return false }
        if let device = filter.device, device != names.name(journey.device), device != names.name(journey.hostDevice) {
            return false
        }
        if since != nil || until != nil || measured != nil {
            guard let time = journey.firstTime(paths[journey.path, journey.direction]) else { return false }
            if let measured, !measured.contains(time) { return false }
            if let since, time < since { return false }
            if let until, time >= until { return false }
        }
        return true
    }
}
