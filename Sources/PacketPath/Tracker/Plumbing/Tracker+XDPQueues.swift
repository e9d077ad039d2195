// The queue of an interface that XDP redirects to: its worker, and the tap that it turns out to be.

extension Tracker {
    /// The queue behind an interface, made known if it was not; nil when there are too many to be true.
    mutating func xdpQueue(_ interface: Int32) -> QueueID? {
        if let known = queues.firstID(where: { $0.interface == interface }) { return known }
        guard queues.count < Self.mostDevices else { return nil }
        let queue = queues.append(GuestQueue(device: 0, worker: .none))
        becomeXDP(queue, interface)
        return queue
    }

    /// The queue a redirected skb was put on: the worker that copies it serves the interface.
    mutating func xdpQueue(of id: FlightID, worker: ThreadIndex) -> QueueID {
        let interface = flights[id].interface
        let ofWorker = machines[.host].threads[worker].queue
        if !ofWorker.isNone, queues[ofWorker].interface == 0 || queues[ofWorker].interface == interface {
            becomeXDP(ofWorker, interface)
            return ofWorker
        }
        guard let queue = xdpQueue(interface) else { return queues.last }
        if queues[queue].worker != worker { serve(queue, worker) }
        return queue
    }

    mutating func becomeXDP(_ queue: QueueID, _ interface: Int32, isWoken: Bool = false) {
        guard queues[queue].interface != interface else { return }
        let other = queues.firstID { $0.interface == interface }
        queues[queue].interface = interface
        queues[queue].path = .xdp
        queues[queue].isPathCertain = true
        if let other { absorb(other, into: queue, isWoken: isWoken) }
    }

    /// The thread serves the interface; perhaps it is known as another queue's worker, which then is this one.
    mutating func serve(_ queue: QueueID, _ worker: ThreadIndex, isWoken: Bool = false) {
        let known = machines[.host].threads[worker].queue
        if !known.isNone, queues[known].interface != 0 { return }
        guard queues[queue].worker.isNone else {
            // A further worker: a further queue pair of the same interface, and no event tells which one a frame is put
            // on.
            severalOrders(queue)
            return
        }
        if !known.isNone {
            becomeXDP(known, queues[queue].interface, isWoken: isWoken)
            return
        }
        queues[queue].worker = worker
        machines[.host].threads[worker].queue = queue
        machines[.host].threads[worker].keepLongHistory()
        let port = machines[.host].threads[worker].port
        if !port.isNone { join(queue: queue, port: port) }
    }

    /// Two queues turn out to be one: `queue` was known by its tap and worker, `other` by frames that were redirected
    /// to its interface.
    /// - Parameter isWoken: the worker has been asleep, so that what is on its way has not been taken.
    private mutating func absorb(_ other: QueueID, into queue: QueueID, isWoken: Bool) {
        guard queues[other].worker.isNone, queues[other].port.isNone else {
            severalOrders(other)
            severalOrders(queue)
            return
        }
        queues[other].interface = 0
        queues[queue].hasFrames = queues[queue].hasFrames || queues[other].hasFrames
        var onTheWay: [FlightID] = []
        for lane in lanes.ids where isWoken {
            for frame in redirects.frames(on: lane)
            where flights.contains(frame.flight) && flights[frame.flight].queue == other {
                onTheWay.append(frame.flight)
            }
        }
        let device = queues[queue].device
        flights.forEachLive { id in
            if flights[id].queue == other { flights[id].queue = queue }
            // On the queue already, before frames or behind them.
            if flights[id].direction == .receive, flights[id].device == device, device != 0,
                !flights[id].times.has(.vhostCopy)
            {
                flights[id].flags.insert(.ambiguous)
            }
        }
        // Only what is on its way at this moment has a place in the queue's order for certain.
        let puts = queues[other].rings[Direction.receive.index].givePutsAway()
        let isMixed = puts.count > onTheWay.count || !queues[queue].rings[Direction.receive.index].puts.isEmpty
        if isMixed { breakOrder(queue, .ambiguous, of: [.receive]) }
        for index in 0..<puts.count where flights.contains(puts[index]) {
            if onTheWay.contains(puts[index]) {
                if isMixed { flights[puts[index]].flags.insert(.ambiguous) }
                putReceived(puts[index], queue)
            } else if !queues[queue].port.isNone {
                // Counted when the guest takes it.
                flights.discard(puts[index])
            } else {
                end(puts[index], .ambiguous)
                queues[queue].rings[Direction.receive.index].owe()
            }
        }
    }
}
