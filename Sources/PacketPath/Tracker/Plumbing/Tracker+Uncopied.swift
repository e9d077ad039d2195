// Recordings without skb_copy_datagram_iovec on the host: nothing tells when a worker copies a packet, so that packets
// join the ring's order when they are put on the queue of the tap, which is one too. What that costs: vhost.copy is
// absent, and only the worker's sleep proves that it has taken all.

import TraceData

extension Tracker {
    /// Whether the host's recording has no copies.
    var copiesAreUnseen: Bool { !kernels[.host].tellsCopies }

    /// A packet is put on the queue of a device that a worker serves, if it is one.
    mutating func putUncopied(_ id: FlightID, _ mark: Mark, _ lane: LaneID) {
        guard !flights[id].flags.contains(.uncopied), let queue = knownQueue(mark.name, pair: mark.transmitQueue),
            !queues[queue].worker.isNone
        else { return }
        flights[id].flags.insert(.uncopied)
        flights[id].queue = queue
        flights[id].worker = queues[queue].worker
        // Two CPUs at once: which of them is first, no event tells.
        for other in lanes.ids where other != lane && lanes[other].machine.isHost {
            guard let handover = lanes[other].handover, flights.contains(handover.flight),
                flights[handover.flight].device == mark.name,
                flights[handover.flight].flags.contains(.uncopied)
            else { continue }
            flights[id].flags.insert(.ambiguous)
            flights[handover.flight].flags.insert(.ambiguous)
        }
        queues[queue].isCopiedUnseen = true
        machines[.host].threads[queues[queue].worker].keepLongHistory()
        learnPair(queue, of: id)
        learnPath(queue, of: id)
        queues[queue].lastCopy = mark.time
        putReceived(id, queue)
    }

    /// The queue had no room for it.
    mutating func dropUncopied(_ id: FlightID, _ reason: UInt32) {
        guard !flights[id].times.has(.guestIngress) else { return }
        queues[flights[id].queue].rings[Direction.receive.index].remove(id)
        flights[id].dropReason = reason
        end(id, .dropped)
    }
}
