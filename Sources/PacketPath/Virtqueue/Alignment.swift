// What was put on a ring and what was taken, side by side, from the ends backwards: the ring is empty, so the last ones
// belong together.
//
// vhost-net gives the guest whatever it has copied. QEMU itself looks at a packet's address first, and drops what its
// guest's device does not want to have (hw/net/virtio-net.c, receive_filter), without an event. Such packets are told
// by their length, or not at all.

import ClockSync

struct Alignment {
    private(set) var pairs: [(put: FlightID, taken: FlightID)] = []
    /// Put, and nothing is left that they could have been taken as: before the first pair.
    private(set) var puts: [FlightID] = []
    /// Taken before the first pair.
    private(set) var takens: [FlightID] = []
    /// Put between two that were taken, and sorted out.
    private(set) var filtered: [FlightID] = []
    /// The lengths agree, and no packet that was sorted out could be one that was not.
    private(set) var isCertain = true

    /// - Parameters:
    ///   - isFiltered: what is put need not come out.
    ///   - leftover: what becomes of packets that have no partner.
    ///   - takerStart: when the recording of the side that takes began.
    init(
        _ puts: FlightQueue, _ takens: FlightQueue, isFiltered: Bool, _ leftover: Outcome, takerStart: Nanoseconds,
        _ flights: borrowing FlightTable
    ) {
        var (put, taken) = (puts.count - 1, takens.count - 1)
        while put >= 0, taken >= 0 {
            let isLive = flights.contains(puts[put]) && flights.contains(takens[taken])
            let isSame = isLive && VirtqueueOrder.isSameLength(flights[puts[put]].length, flights[takens[taken]].length)
            if isFiltered, isLive, !isSame {
                filtered.append(puts[put])
            } else {
                if !isSame { isCertain = false }
                pairs.append((puts[put], takens[taken]))
                taken -= 1
            }
            put -= 1
        }
        pairs.reverse()
        while taken >= 0 {
            self.takens.append(takens[taken])
            taken -= 1
        }
        while put >= 0 {
            // Before the guest's recording it may have been taken.
            let isExcusable = VirtqueueOrder.isExcusable(puts[put], leftover, takerStart: takerStart, flights)
            if isFiltered, !isExcusable { filtered.append(puts[put]) } else { self.puts.append(puts[put]) }
            put -= 1
        }
        self.takens.reverse()
        self.puts.reverse()
        let joined = pairs.map(\.put)
        for id in filtered where Self.isLike(id, joined, flights) { isCertain = false }
    }

    /// Whether a packet could as well be one of those.
    static func isLike(_ id: FlightID, _ others: [FlightID], _ flights: borrowing FlightTable) -> Bool {
        guard flights.contains(id) else { return true }
        for other in others where flights.contains(other) && flights[other].length == flights[id].length { return true }
        return false
    }
}
