// What proves that a ring is empty.

extension Tracker {
    /// A guest's poll ended with budget to spare: the ring was empty after the last packet it received.
    ///
    /// That proves the order if all the host had copied was on the ring by then, which a signal or sleep of the worker
    /// shows.
    mutating func proveReceiveRingEmpty(_ port: PortID) {
        let queue = ports[port].queue
        guard !queue.isNone, !queues[queue].hasSeveralOrders, !hasFramesOnTheWay(to: queue) else { return }
        // In a hole it may have copied unseen: then only what it did after the hole shows anything.
        let copied = max(queues[queue].lastCopy, machines[.host].validFrom)
        if copied != PointTimes.absent {
            // Since the guest took its last packet, the worker may have signalled for others.
            let atIngress = ports[port].publishedAtIngress
            let published = atIngress != PointTimes.absent ? atIngress : queues[queue].lastPublished
            guard published >= copied, published < ports[port].lastIngress else { return }
        }
        proveEmpty(queue, .receive)
    }

    /// The worker goes to sleep: it has taken everything that was on the ring.
    mutating func proveTransmitRingEmpty(_ queue: QueueID) {
        let port = queues[queue].port
        guard !port.isNone, !queues[queue].hasSeveralOrders else { return }
        // A packet that is being put on the ring right now may or may not have been seen.
        for lane in lanes.ids where lanes[lane].machine == ports[port].machine {
            if let handover = lanes[lane].handover, handover.port == port { return }
        }
        if let last = queues[queue].rings[Direction.transmit.index].puts.last, flights.contains(last) {
            // Without a notification the worker need not know of it: a driver may announce several packets at once.
            let isKnown =
                flights[last].times.has(.kick)
                || flights[last].times[.guestEgress] < queues[queue].rings[Direction.transmit.index].lastTaken
            guard isKnown else { return }
        }
        proveEmpty(queue, .transmit)
    }

    /// The ring is empty: everything put has been taken.
    mutating func proveEmpty(_ queue: QueueID, _ side: Direction) {
        let guest = ports[queues[queue].port].machine
        // Inside a hole nothing is proven: what was put or taken may not have been seen.
        guard machines[.host].openHoles == 0, machines[guest].openHoles == 0 else { return }
        // Frames whose queue is not known yet may have come between.
        let mayMissPuts = side == .receive && queues[queue].interface == 0 && hasUnclaimedFrames
        queues[queue].rings[side.index].proveEmpty(
            isFiltered: isFiltered(queue, side), mayMissPuts: mayMissPuts,
            takerStart: machines[side == .receive ? guest : .host].startTime, flights)
        carryOut(queue, side)
    }
}
