// Which packet that was put on a ring is which that was taken: in order, one for one, unless somebody in between sorts some out.
//
// vhost-net gives the guest whatever it has copied. QEMU itself looks at a packet's address first, and drops what its guest's device does not
// want to have (hw/net/virtio-net.c, receive_filter), without an event. Such packets are told by their length, or not at all.

/// What was put and what was taken, side by side.
struct Alignment {
    var pairs: [(put: FlightID, taken: FlightID)] = []
    /// Put, and nothing is left that they could have been taken as: before the first pair.
    var puts: [FlightID] = []
    /// Taken before the first pair.
    var takens: [FlightID] = []
    /// Put between two that were taken, and sorted out.
    var filtered: [FlightID] = []
    /// The lengths agree, and no packet that was sorted out could be one that was not.
    var isCertain = true
}

extension Tracker {
    /// Whether packets that are put on this ring need not come out of it.
    private func isFiltered(_ queue: Int, _ side: Direction) -> Bool { side == .receive && queues[queue].isFiltered }

    /// Puts and takes of a ring that is empty now, so that the last ones belong together.
    func align(_ puts: FlightQueue, _ takens: FlightQueue, _ queue: Int, _ side: Direction) -> Alignment {
        var found = Alignment()
        let sortsOut = isFiltered(queue, side)
        var (put, taken) = (puts.count - 1, takens.count - 1)
        while put >= 0, taken >= 0 {
            let isLive = flights.contains(puts[put]) && flights.contains(takens[taken])
            if isLive, isSameLength(flights[puts[put]].length, flights[takens[taken]].length) {
                found.pairs.append((puts[put], takens[taken]))
                taken -= 1
            } else if sortsOut, isLive {
                found.filtered.append(puts[put])
            } else {
                found.isCertain = false
                found.pairs.append((puts[put], takens[taken]))
                taken -= 1
            }
            put -= 1
        }
        found.pairs.reverse()
        while taken >= 0 {
            found.takens.append(takens[taken])
            taken -= 1
        }
        while put >= 0 {
            // Before the guest's recording it may have been taken.
            let outcome = queues[queue].rings[side.index].leftover
            if sortsOut, !isExcusable(puts[put], queue, side, outcome) {
                found.filtered.append(puts[put])
            } else {
                found.puts.append(puts[put])
            }
            put -= 1
        }
        found.takens.reverse()
        found.puts.reverse()
        if found.filtered.contains(where: { isLike($0, found.pairs.map(\.put)) }) { found.isCertain = false }
        return found
    }

    /// Whether a packet could as well be one of those.
    private func isLike(_ id: FlightID, _ others: [FlightID]) -> Bool {
        guard flights.contains(id) else { return true }
        return others.contains { flights.contains($0) && flights[$0].length == flights[id].length }
    }

    /// A packet of a length is taken: what was put before it and has another length was sorted out, if there is one of that length.
    mutating func passFiltered(_ queue: Int, _ side: Direction, until length: Int32) {
        guard isFiltered(queue, side) else { return }
        let puts = queues[queue].rings[side.index].puts
        guard let next = (0..<puts.count).first(where: { flights.contains(puts[$0]) && isSameLength(flights[puts[$0]].length, length) })
        else {
            return
        }
        for _ in 0..<next { sortOut(queue, side) }
    }

    /// The ring is empty: what was put and not taken was sorted out.
    /// - Returns: whether that is so: not where one of those could as well be a packet that was taken since the order was last proven.
    mutating func passFiltered(_ queue: Int, _ side: Direction) -> Bool {
        guard isFiltered(queue, side) else { return false }
        let puts = queues[queue].rings[side.index].puts
        let unconfirmed = queues[queue].rings[side.index].unconfirmed
        let taken = (0..<unconfirmed.count).map { unconfirmed[$0] }
        for index in 0..<puts.count where isLike(puts[index], taken) { return false }
        for _ in 0..<puts.count { sortOut(queue, side) }
        return true
    }

    private mutating func sortOut(_ queue: Int, _ side: Direction) {
        guard let id = queues[queue].rings[side.index].puts.popFirst(), flights.contains(id) else { return }
        // Whether that is so, the next proof of the order says.
        flights[id].flags.insert(.unconfirmed)
        queues[queue].rings[side.index].unconfirmed.append(id)
        end(id, .notRecorded)
    }
}
