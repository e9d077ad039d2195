// Every packet counts once: what was counted on one side of a hole, or where a recording ends, is not counted again on
// the other.

extension Tracker {
    /// Packets on their way to the queue that have been counted, and may be put on it unseen.
    mutating func oweReceived(_ queue: QueueID) {
        flights.forEachLive { id in
            guard flights[id].direction == .receive, flights[id].flags.contains(.seen), destination(of: id) == queue,
                flights[id].flags.isDisjoint(with: [.half, .owed, .ended, .bare, .uncopied]),
                !flights[id].times.has(.vhostCopy)
            else { return }
            flights[id].flags.insert(.owed)
            flights[id].queue = queue
            queues[queue].rings[Direction.receive.index].owe()
        }
    }

    /// The ring is empty: nothing is still to come of what was counted before, and what has not been put is not owed
    /// any more.
    mutating func forgive(_ queue: QueueID, _ side: Direction) {
        flights.forEachLive { id in
            if side == .receive, flights[id].queue == queue { flights[id].flags.remove(.owed) }
        }
    }

    /// A packet on its way to a queue is gone, and no event said that it was taken: that lies in a hole, and its other
    /// half is still to come.
    mutating func takenUnseen(_ id: FlightID) {
        guard flights[id].direction == .receive, flights[id].flags.contains(.seen), !flights[id].times.has(.vhostCopy)
        else { return }
        if flights[id].flags.contains(.owed) {
            flights[id].flags.remove(.owed)
        } else if flights[id].flags.contains(.lost), let queue = destination(of: id) {
            queues[queue].rings[Direction.receive.index].owe()
        }
    }

    /// What became of such a packet has been seen after all.
    mutating func payOwed(_ id: FlightID) {
        guard flights[id].flags.contains(.owed) else { return }
        flights[id].flags.remove(.owed)
        queues[flights[id].queue].rings[Direction.receive.index].payOwed()
    }
}
