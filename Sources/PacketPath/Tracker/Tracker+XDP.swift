// XDP on the host: programs that send a NIC's frames to a tap, and a tap's to a NIC, past the stack.
//
// Generic XDP sees skbs, so a packet keeps its address. Native XDP sees frames before there are any: the events name interfaces and
// nothing else, and a frame is its place in the order in which frames were redirected. They go out in bulks, at the end of a poll.

import ClockSync
import TraceData

extension Tracker {
    mutating func redirected(_ mark: Mark, _ lane: Int) {
        let id = lanes[lane].fresh
        lanes[lane].fresh = .none
        guard isPossible(.xdp) else { return }
        let isGeneric = flights.contains(id) && !nativeInterfaces.contains(mark.interface)
        if mark.inSoftIRQ {
            if isGeneric { redirectReceived(id, mark) } else { redirectBare(mark, lane) }
        } else if mark.inThread {
            if isGeneric { redirectTransmitted(id, mark) } else { takeBare(mark, lane) }
        }
    }

    // MARK: Generic

    private mutating func redirectReceived(_ id: FlightID, _ mark: Mark) {
        guard flights[id].direction == .receive, !flights[id].flags.contains(.seen) else { return }
        flights[id].times[.hostEgress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].flags.insert(.seen)
        interfaceNames[mark.interface] = flights[id].nic
        if let queue = queues.firstIndex(where: { $0.interface == mark.targetInterface }) { flights[id].queue = Int16(queue) }
    }

    private mutating func redirectTransmitted(_ id: FlightID, _ mark: Mark) {
        let queue = Int(flights[id].queue)
        guard flights[id].direction == .transmit, queue >= 0, !flights[id].times.has(.hostEgress) else { return }
        becomeXDP(queue, mark.interface)
        flights[id].times[.hostEgress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].nic = interfaceNames[mark.targetInterface] ?? 0
    }

    /// netif_receive_skb has returned to the worker: with generic XDP the NIC's driver was called inside of it.
    mutating func stackReturned(_ lane: Int, _ mark: Mark) {
        let id = lanes[lane].written
        lanes[lane].written = .none
        guard mark.inThread, flights.contains(id), flights[id].interface != 0, flights[id].direction == .transmit else { return }
        flights[id].times[.nicXmit] = mark.time
        unname(id)
        end(id, .complete)
    }

    // MARK: Native, to the guest

    private mutating func redirectBare(_ mark: Mark, _ lane: Int) {
        guard let queue = xdpQueue(mark.targetInterface) else { return }
        let id = newFlight(.receive, on: 0)
        flights[id].flags.formUnion([.seen, .bare])
        flights[id].times[.hostIngress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].queue = Int16(queue)
        lanes[lane].redirectedFrom = mark.interface
        let nic = interfaceNames[mark.interface] ?? 0
        flights[id].nic = nic
        let isOnlyOne = nic == 0 && lanes[lane].pendingCount == 1
        if let index = isOnlyOne ? 0 : lanes[lane].pendingIndex(receiving: nic, machines[0].napi) {
            stampInterrupt(id, lanes[lane].pending[index])
        }
        // Each CPU sends its frames out by itself: in which order, no event tells.
        for other in lanes.indices where other != lane && lanes[other].bulk.contains(where: { isBound($0, to: mark.targetInterface) }) {
            flights[id].flags.insert(.ambiguous)
            for waiting in lanes[other].bulk where isBound(waiting, to: mark.targetInterface) { flights[waiting].flags.insert(.ambiguous) }
        }
        lanes[lane].bulk.append(id)
        if lanes[lane].bulk.count > RingOrder.mostWaiting { lanes[lane].bulk.removeFirst() }
        putReceived(id, queue)
    }

    private func isBound(_ id: FlightID, to interface: Int32) -> Bool { flights.contains(id) && flights[id].interface == interface }

    /// A worker is woken while frames of this CPU are on their way out.
    mutating func wokenForBulk(_ mark: Mark, _ lane: Int) {
        for id in lanes[lane].bulk where flights.contains(id) && flights[id].direction == .receive && !flights[id].times.has(.vhostWake) {
            flights[id].times[.vhostWake] = mark.time
            flights[id].wokenThread = mark.otherThread
            let queue = Int(flights[id].queue)
            if queue >= 0, queues[queue].worker < 0 { serve(queue, machines[0].threads.index(mark.otherThread)) }
        }
    }

    // MARK: Native, from the guest

    private mutating func takeBare(_ mark: Mark, _ lane: Int) {
        guard workers.contains(mark.thread) else { return }
        let worker = machines[0].threads.index(mark.thread)
        let known = Int(machines[0].threads[worker].queue)
        let queue: Int
        if known >= 0, queues[known].interface == mark.interface || queues[known].interface == 0 {
            queue = known
        } else if let found = xdpQueue(mark.interface) {
            queue = found
            if queues[found].worker < 0 { serve(found, worker) } else if queues[found].worker != worker { severalOrders(found) }
        } else {
            return
        }
        becomeXDP(queue, mark.interface)
        machines[0].threads[worker].isReceiving = false
        let id = takeFromGuest(queue, length: 0)
        queues[queue].rings[Direction.transmit.index].lastTaken = mark.time
        unname(id)
        if machines[0].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights[id].flags.insert(.bare)
        flights[id].machine = 0
        flights[id].times[.hostIngress] = mark.time
        flights[id].worker = worker
        flights[id].queue = Int16(queue)
        flights[id].interface = mark.targetInterface
        flights[id].nic = interfaceNames[mark.targetInterface] ?? 0
        lanes[lane].bulk.append(id)
        if lanes[lane].bulk.count > RingOrder.mostWaiting { lanes[lane].bulk.removeFirst() }
        if flights[id].flags.isDisjoint(with: [.half, .cut]) { settleTransmitted(id) }
    }

    // MARK: Native, both

    /// A bulk of frames has been given to a device, the oldest first; those that found no room are dropped.
    mutating func bulkSent(_ mark: Mark, _ lane: Int) {
        nativeInterfaces.insert(mark.interface)
        var left = mark.sent + mark.dropped
        var sent = mark.sent
        var kept: [FlightID] = []
        for id in lanes[lane].bulk {
            guard left > 0, isBound(id, to: mark.targetInterface) else {
                kept.append(id)
                continue
            }
            left -= 1
            sent -= 1
            leave(id, at: mark.time, isDropped: sent < 0)
        }
        lanes[lane].bulk = kept
    }

    private mutating func leave(_ id: FlightID, at time: Nanoseconds, isDropped: Bool) {
        let queue = Int(flights[id].queue)
        if flights[id].direction == .transmit {
            if !isDropped { flights[id].times[.nicXmit] = time }
            end(id, isDropped ? .dropped : .complete)
        } else if !isDropped {
            queues[queue].lastCopy = time
        } else if !flights[id].times.has(.guestIngress) {
            queues[queue].rings[Direction.receive.index].puts.removeLast(id)
            end(id, .dropped)
        }
    }

    /// What a packet without an skb leaves untold between redirect and guest: read out of its worker's history, once it has arrived.
    mutating func traceBareDelivery(_ id: FlightID) {
        let queue = Int(flights[id].queue)
        guard flights[id].flags.contains(.bare), queue >= 0, queues[queue].worker >= 0 else { return }
        let worker = queues[queue].worker
        let irq = flights[id].times[.guestIRQ]
        let redirect = flights[id].times[.hostIngress]
        flights[id].worker = worker
        if flights[id].wokenThread != machines[0].threads[worker].id { flights[id].times[.vhostWake] = PointTimes.absent }
        if irq != PointTimes.absent, let signal = signal(of: queue, from: redirect, to: irq, lane: Int(flights[id].guestLane)) {
            flights[id].times[.irqInject] = signal.time
            flights[id].vector = signal.vector
        }
        let until = flights[id].times.has(.irqInject) ? flights[id].times[.irqInject] : flights[id].times[.guestIngress]
        if let run = machines[0].threads[worker].switchIn(
            after: max(flights[id].times[.vhostWake], redirect), until: until, validFrom: machines[0].validFrom)
        {
            flights[id].times[.vhostRun] = run
        }
    }

    /// The worker's signal that made the interrupt at `irq`: the last one whose vector was carried in before it.
    private func signal(of queue: Int, from redirect: Nanoseconds, to irq: Nanoseconds, lane: Int) -> WorkerSignal? {
        let vcpu = Int(lanes[lane].vcpu)
        guard vcpu >= 0 else { return nil }
        var carried: [Int32] = []
        _ = machines[0].threads[vcpus[vcpu].thread].newestFirst { event in
            if event.time < redirect { return false }
            if event.what == .entry, event.by != 0, event.time <= irq { carried.append(event.by) }
            return true
        }
        return queues[queue].signals.last { signal in
            signal.time > redirect && signal.time <= irq && carried.contains(Int32(signal.vector))
        }
    }

    // MARK: Queues

    /// The queue behind an interface, made known if it was not; nil when there are too many to be true.
    private mutating func xdpQueue(_ interface: Int32) -> Int? {
        if let known = queues.firstIndex(where: { $0.interface == interface }) { return known }
        guard queues.count < Self.mostDevices else { return nil }
        queues.append(GuestQueue(device: 0, worker: -1))
        becomeXDP(queues.count - 1, interface)
        return queues.count - 1
    }

    /// The queue a redirected skb was put on: the worker that copies it serves the interface.
    mutating func xdpQueue(of id: FlightID, worker: Int32) -> Int {
        let interface = flights[id].interface
        let ofWorker = Int(machines[0].threads[worker].queue)
        if ofWorker >= 0, queues[ofWorker].interface == 0 || queues[ofWorker].interface == interface {
            becomeXDP(ofWorker, interface)
            return ofWorker
        }
        guard let queue = xdpQueue(interface) else { return queues.count - 1 }
        if queues[queue].worker < 0 { serve(queue, worker) } else if queues[queue].worker != worker { severalOrders(queue) }
        return queue
    }

    private mutating func becomeXDP(_ queue: Int, _ interface: Int32) {
        queues[queue].interface = interface
        queues[queue].path = .xdp
        queues[queue].isPathCertain = true
    }

    private mutating func serve(_ queue: Int, _ worker: Int32) {
        queues[queue].worker = worker
        machines[0].threads[worker].queue = Int16(queue)
        machines[0].threads[worker].keepLongHistory()
        let port = machines[0].threads[worker].port
        if port >= 0 { join(queue: queue, port: Int(port)) }
    }
}
