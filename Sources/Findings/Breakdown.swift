// Journeys into numbers: what each stage cost, by guest device and direction.

package import PacketPath
import TraceData

/// Sorts journeys into flows and adds up their stages, one journey at a time.
package final class Breakdown: JourneyReader {
    package private(set) var flows: [Flow] = []
    private var pairing = GuestToGuestPairing()
    private var names = NameTable()
    private let paths = PathTable()

    package init() {}

    package func begin(_ start: PassStart) {
        names = start.names
        flows = []
        pairing = GuestToGuestPairing()
    }

    package func take(_ journey: borrowing Journey) {
        flows[flowIndex(journey)].add(journey, paths[journey.path, journey.direction])
        pairing.take(journey)
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
    package var guestToGuest: [GuestToGuest] { pairing.sorted }

    /// Flows in the order of reports: by guest, by device, receive first.
    package var sortedFlows: [Flow] {
        flows.sorted {
            ($0.machine, names.name($0.device), $0.direction.rawValue, $0.path.rawValue)
                < ($1.machine, names.name($1.device), $1.direction.rawValue, $1.path.rawValue)
        }
    }
}
