// Native XDP: frames that have no skb on the host, and are their place in the order in which they were redirected.

import ClockSync
import TraceData

extension Tracker {
    // MARK: Native, to the guest

    mutating func redirectBare(_ mark: Mark, _ lane: Int) {
        guard let queue = xdpQueue(mark.targetInterface) else { return }
        let id = newFlight(.receive, on: 0)
        flights[id].flags.formUnion([.seen, .bare])
        flights[id].times[.hostIngress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].queue = Int16(queue)
        queues[queue].hasFrames = true
        lanes[lane].redirectedFrom = mark.interface
        let nic = interfaceNames[mark.interface] ?? 0
        flights[id].nic = nic
        let isOnlyOne = nic == 0 && lanes[lane].pendingCount == 1
        if let index = isOnlyOne ? 0 : lanes[lane].pendingIndex(receiving: nic, machines[0].napi) {
            stampInterrupt(id, lanes[lane].pending[index])
        }
        // Each CPU sends its frames out by itself: in which order, no event tells.
        for other in lanes.indices where other != lane {
            for waiting in lanes[other].bulk where waiting.interface == mark.targetInterface && flights.contains(waiting.flight) {
                flights[id].flags.insert(.ambiguous)
                flights[waiting.flight].flags.insert(.ambiguous)
            }
        }
        addToBulk(id, mark, lane)
        putReceived(id, queue)
    }

    private mutating func addToBulk(_ id: FlightID, _ mark: Mark, _ lane: Int) {
        lanes[lane].bulk.append(RedirectedFrame(flight: id, interface: mark.targetInterface))
        // Sent out without an event, if there are so many.
        if lanes[lane].bulk.count > RingOrder.mostWaiting { lanes[lane].bulk.removeFirst() }
    }

    /// Whether frames have been redirected to an interface that is not known to be any worker's or guest's.
    var hasUnclaimedFrames: Bool {
        queues.indices.contains { queues[$0].interface != 0 && queues[$0].worker < 0 && queues[$0].port < 0 }
    }

    /// Whether frames have been redirected of which no event has told yet that they are on the device's queue.
    func hasFramesOnTheWay(to queue: Int) -> Bool {
        let interface = queues[queue].interface
        guard interface != 0 else { return false }
        return lanes.indices.contains { lanes[$0].bulk.contains { $0.interface == interface } }
    }

    /// A packet with an skb is put on a device's queue while frames are on their way to it: before them or behind them, no event tells.
    mutating func meetsFrames(_ id: FlightID) {
        guard let queue = destination(of: id), hasFramesOnTheWay(to: queue) else { return }
        flights[id].flags.insert(.ambiguous)
    }

    /// A packet with an skb is on the same queue as frames without: it joins the ring's order when it is copied, they when they are
    /// redirected, and which of them was put first can't be told.
    mutating func overtakes(_ id: FlightID, _ queue: Int) {
        guard queues[queue].interface != 0 else { return }
        let puts = queues[queue].rings[Direction.receive.index].puts
        for index in 0..<puts.count where flights.contains(puts[index]) && flights[puts[index]].flags.contains(.bare) {
            flights[puts[index]].flags.insert(.ambiguous)
            flights[id].flags.insert(.ambiguous)
        }
    }

    /// A worker is woken while frames of this CPU are on their way out: it is that of their device, if there is only one.
    mutating func wokenForBulk(_ mark: Mark, _ lane: Int) {
        let worker = machines[0].threads.index(mark.otherThread)
        let bulk = lanes[lane].bulk
        let isTold = bulk.allSatisfy { $0.interface == bulk[0].interface } && !flights.contains(lanes[lane].receiving)
        if isTold, let queue = xdpQueue(bulk[0].interface), queues[queue].worker != worker { serve(queue, worker, isWoken: true) }
        for frame in bulk where flights.contains(frame.flight) && flights[frame.flight].direction == .receive {
            let id = frame.flight
            guard queues[Int(flights[id].queue)].worker == worker, !flights[id].times.has(.vhostWake) else { continue }
            flights[id].times[.vhostWake] = mark.time
            flights[id].wokenThread = mark.otherThread
        }
    }

    // MARK: Native, from the guest

    mutating func takeBare(_ mark: Mark, _ lane: Int) {
        guard workers.contains(mark.thread) else { return }
        let worker = thread(of: mark)
        let known = Int(machines[0].threads[worker].queue)
        let queue: Int
        if known >= 0, queues[known].interface == mark.interface || queues[known].interface == 0 {
            becomeXDP(known, mark.interface)
            queue = known
        } else if let found = xdpQueue(mark.interface) {
            if queues[found].worker != worker { serve(found, worker) }
            queue = found
        } else {
            return
        }
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
        addToBulk(id, mark, lane)
        if flights[id].flags.isDisjoint(with: [.half, .cut]) { settleTransmitted(id) }
    }

    // MARK: Native, both

    /// A bulk of frames has been given to a device, the oldest first; those that found no room are dropped.
    mutating func bulkSent(_ mark: Mark, _ lane: Int) {
        let isFirst = nativeInterfaces.insert(mark.interface).inserted
        if isFirst { neverRedirected(to: mark.targetInterface) }
        var left = mark.sent + mark.dropped
        var sent = mark.sent
        var isContradicted = false
        var kept: [RedirectedFrame] = []
        for frame in lanes[lane].bulk {
            guard frame.interface == mark.targetInterface else {
                kept.append(frame)
                continue
            }
            left -= 1
            sent -= 1
            let isLive = flights.contains(frame.flight)
            if isLive { leave(frame.flight, at: mark.time, isDropped: sent < 0) }
            // What has arrived was not dropped.
            if sent < 0, !isLive || !flights[frame.flight].flags.contains(.ended) { isContradicted = true }
        }
        lanes[lane].bulk = kept
        // All that was redirected on this CPU is in the bulk, and nothing else is: what is missing was taken for an skb's redirect, or came
        // before the recording.
        if left != 0 && (lanes[lane].isSettled || isFirst) || isContradicted { contradictedByBulk(mark) }
    }

    /// Frames went out, and more or fewer of them were redirected as far as the recording tells.
    private mutating func contradictedByBulk(_ mark: Mark) {
        let side: Direction = mark.inThread ? .transmit : .receive
        let interface = side == .transmit ? mark.interface : mark.targetInterface
        guard let queue = queues.firstIndex(where: { $0.interface == interface }) else { return }
        breakOrder(queue, .ambiguous, of: [side])
    }

    /// The interface's programs run in the driver, so what seemed to be redirected as an skb was not: a frame was, right after it.
    private mutating func neverRedirected(to interface: Int32) {
        flights.forEachLive { id in
            guard flights[id].direction == .receive, flights[id].interface == interface,
                flights[id].flags.isDisjoint(with: [.bare, .half, .ended]), !flights[id].times.has(.vhostCopy)
            else { return }
            flights[id].flags.remove(.seen)
            flights[id].interface = 0
            flights[id].times[.hostEgress] = PointTimes.absent
        }
    }

    private mutating func leave(_ id: FlightID, at time: Nanoseconds, isDropped: Bool) {
        if flights[id].direction == .transmit {
            if !isDropped { flights[id].times[.nicXmit] = time }
            end(id, isDropped ? .dropped : .complete)
        } else if !isDropped {
            queues[Int(flights[id].queue)].lastCopy = time
        } else if !flights[id].times.has(.guestIngress) {
            queues[Int(flights[id].queue)].rings[Direction.receive.index].puts.removeLast(id)
            end(id, .dropped)
        }
    }

    /// What a packet without an skb leaves untold between redirect and guest: read out of its worker's history, once it has arrived.
    mutating func traceBareDelivery(_ id: FlightID) {
        let queue = Int(flights[id].queue)
        guard queue >= 0, queues[queue].worker >= 0 else { return }
        let worker = queues[queue].worker
        let irq = flights[id].times[.guestIRQ]
        let redirect = flights[id].times[flights[id].flags.contains(.uncopied) ? .hostEgress : .hostIngress]
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
    ///
    /// It also signals that it has sent packets, with another vector: which one the receive interrupt's is, is learned where only one came.
    private mutating func signal(of queue: Int, from redirect: Nanoseconds, to irq: Nanoseconds, lane: Int) -> WorkerSignal? {
        let vcpu = Int(lanes[lane].vcpu)
        guard vcpu >= 0 else { return nil }
        var carried: [Int32] = []
        for event in machines[0].threads[vcpus[vcpu].thread].newestFirst {
            if event.time < redirect { break }
            if event.what == .entry, event.by != 0, event.time <= irq { carried.append(event.by) }
        }
        let signals = queues[queue].signals.filter { signal in
            signal.time > redirect && signal.time <= irq && carried.contains(Int32(signal.vector))
        }
        guard let last = signals.last else { return nil }
        if signals.allSatisfy({ $0.vector == last.vector }) {
            if queues[queue].vector == 0 || queues[queue].soleVector == last.vector { queues[queue].vector = Int32(last.vector) }
            queues[queue].soleVector = last.vector
        }
        return signals.last { Int32($0.vector) == queues[queue].vector }
    }
}
