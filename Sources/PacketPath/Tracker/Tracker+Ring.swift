// Across the virtqueue: what was put on one side is what is taken from the other, in order, once the order is proven.

import ClockSync

extension Tracker {
    // MARK: Receive: the host puts, the guest takes

    mutating func putReceived(_ id: FlightID, _ queue: Int) {
        settleOwed(id)
        queues[queue].rings[Direction.receive.index].puts.append(id)
        shortenPuts(queue, .receive)
    }

    /// The flight a guest's driver has just received; a half of one while the order is not known.
    mutating func takeFromHost(_ port: Int, length: Int32) -> FlightID {
        let queue = Int(ports[port].queue)
        guard queue >= 0 else {
            if ports[port].passage != .none { return receiveDirectly(port, length: length) }
            let id = half(.receive, on: Int(ports[port].machine), length: length)
            flights[id].port = Int16(port)
            ports[port].takens.append(id)
            if ports[port].takens.count > RingOrder.mostWaiting { becomeByElimination(port) }
            if ports[port].takens.count > RingOrder.mostWaiting, let oldest = ports[port].takens.popFirst() {
                ports[port].unclaimed += 1
                discard(oldest)
            }
            return id
        }
        let id = take(queue, .receive, length: length, on: Int(ports[port].machine))
        flights[id].port = Int16(port)
        flights[id].queue = Int16(queue)
        return id
    }

    /// A guest's poll ended with budget to spare: the ring was empty after the last packet it received.
    ///
    /// That proves the order if all the host had copied was on the ring by then, which a signal or sleep of the worker shows.
    mutating func proveReceiveRingEmpty(_ port: Int) {
        let queue = Int(ports[port].queue)
        guard queue >= 0, !queues[queue].hasSeveralOrders, !hasFramesOnTheWay(to: queue) else { return }
        let copied = queues[queue].lastCopy
        // In a hole it may have copied unseen: then only what it did after the hole shows anything.
        if copied != PointTimes.absent || machines[0].validFrom != PointTimes.absent {
            // Since the guest took its last packet, the worker may have settled other things.
            let atIngress = ports[port].settledAtIngress
            let settled = atIngress != PointTimes.absent ? atIngress : queues[queue].lastSettled
            guard settled != PointTimes.absent, settled >= copied, settled < ports[port].lastIngress else { return }
        }
        settle(queue, .receive)
    }

    // MARK: Transmit: the guest puts, the host takes

    mutating func putTransmitted(_ id: FlightID, _ port: Int) {
        let queue = Int(ports[port].queue)
        guard queue >= 0 else {
            guard ports[port].passage == .none else { return }
            ports[port].puts.append(id)
            if ports[port].puts.count > RingOrder.mostWaiting { becomeByElimination(port) }
            if ports[port].puts.count > RingOrder.mostWaiting, let oldest = ports[port].puts.popFirst(), flights.contains(oldest) {
                ports[port].unclaimed += 1
                discard(oldest)
            }
            return
        }
        flights[id].queue = Int16(queue)
        queues[queue].rings[Direction.transmit.index].puts.append(id)
        shortenPuts(queue, .transmit)
    }

    /// The driver did not put the packet on the ring after all.
    mutating func takeBack(_ id: FlightID) {
        let port = Int(flights[id].port)
        guard port >= 0 else { return }
        let queue = Int(ports[port].queue)
        if queue >= 0 { queues[queue].rings[Direction.transmit.index].puts.removeLast(id) } else { ports[port].puts.removeLast(id) }
    }

    mutating func takeFromGuest(_ queue: Int, length: Int32) -> FlightID {
        guard queues[queue].port >= 0 else {
            let id = half(.transmit, on: 0, length: length)
            queues[queue].rings[Direction.transmit.index].takens.append(id)
            shortenTakens(queue, .transmit)
            return id
        }
        return take(queue, .transmit, length: length, on: 0)
    }

    /// The worker goes to sleep: it has taken everything that was on the ring.
    mutating func proveTransmitRingEmpty(_ queue: Int) {
        let port = Int(queues[queue].port)
        guard port >= 0, !queues[queue].hasSeveralOrders else { return }
        // A packet that is being put on the ring right now may or may not have been seen.
        for lane in lanes.indices where lanes[lane].machine == ports[port].machine {
            if let handover = lanes[lane].handover, Int(handover.port) == port { return }
        }
        let puts = queues[queue].rings[Direction.transmit.index].puts
        if !puts.isEmpty, flights.contains(puts[puts.count - 1]) {
            // Without a notification the worker need not know of it: a driver may announce several packets at once.
            let last = puts[puts.count - 1]
            let isKnown =
                flights[last].times.has(.kick)
                || flights[last].times[.guestEgress] < queues[queue].rings[Direction.transmit.index].lastTaken
            guard isKnown else { return }
        }
        settle(queue, .transmit)
    }

    // MARK: Both

    private mutating func half(_ direction: Direction, on machine: Int, length: Int32) -> FlightID {
        let id = newFlight(direction, on: machine)
        flights[id].flags.formUnion([.half, .seen])
        flights[id].length = length
        return id
    }

    private mutating func take(
        _ queue: Int, _ side: Direction, length: Int32, on machine: Int
    ) -> FlightID {
        if queues[queue].rings[side.index].isSynced {
            passFiltered(queue, side, until: length)
            if let put = queues[queue].rings[side.index].puts.popFirst(), flights.contains(put) {
                if isSameLength(flights[put].length, length) {
                    if flights[put].length == 0 { flights[put].length = length }
                    flights[put].flags.insert(.unconfirmed)
                    queues[queue].rings[side.index].unconfirmed.append(put)
                    if queues[queue].rings[side.index].unconfirmed.count > RingOrder.mostWaiting,
                        let oldest = queues[queue].rings[side.index].unconfirmed.popFirst()
                    {
                        confirm(oldest)
                    }
                    return put
                }
                end(put, .ambiguous)
                // What was taken may be this one or another: it is counted once.
                queues[queue].rings[side.index].counted += 1
            } else if !isRecording(puttingOn: side, queue) {
                // Its first half is beyond the recording of the other machine.
                let id = half(side, on: machine, length: length)
                flights[id].flags.remove(.half)
                flights[id].flags.insert(.cut)
                if queues[queue].rings[side.index].counted > 0 {
                    queues[queue].rings[side.index].counted -= 1
                    flights[id].flags.remove(.seen)
                }
                flights[id].queue = Int16(queue)
                return id
            }
            contradict(queue, side)
        }
        let id = half(side, on: machine, length: length)
        flights[id].queue = Int16(queue)
        queues[queue].rings[side.index].takens.append(id)
        shortenTakens(queue, side)
        return id
    }

    /// Whether the machine that puts packets on this ring is being recorded at this moment.
    private func isRecording(puttingOn side: Direction, _ queue: Int) -> Bool {
        let machine = side == .receive ? 0 : Int(ports[Int(queues[queue].port)].machine)
        return machines[machine].openLanes > 0
    }

    /// Something came out of the ring that does not fit: nothing since the last proof is certain.
    private mutating func contradict(_ queue: Int, _ side: Direction) {
        queues[queue].rings[side.index].isSynced = false
        queues[queue].rings[side.index].leftover = .ambiguous
        queues[queue].rings[side.index].countsTakens = true
        doubtAll(queue, side)
        confirmAll(queue, side)
    }

    /// Nothing joined since the last proof is certain.
    mutating func doubtAll(_ queue: Int, _ side: Direction) {
        let unconfirmed = queues[queue].rings[side.index].unconfirmed
        for index in 0..<unconfirmed.count where flights.contains(unconfirmed[index]) {
            flights[unconfirmed[index]].flags.insert(.ambiguous)
        }
    }

    /// Everything joined so far was joined rightly.
    mutating func confirmAll(_ queue: Int, _ side: Direction) {
        while let id = queues[queue].rings[side.index].unconfirmed.popFirst() { confirm(id) }
    }

    private mutating func confirm(_ id: FlightID) {
        guard flights.contains(id) else { return }
        flights[id].flags.remove(.unconfirmed)
        emitIfSettled(id)
    }

    /// The ring is empty: everything put has been taken.
    private mutating func settle(_ queue: Int, _ side: Direction) {
        // Inside a hole nothing is proven: what was put or taken may not have been seen.
        guard machines[0].openHoles == 0, machines[Int(ports[Int(queues[queue].port)].machine)].openHoles == 0 else { return }
        if queues[queue].rings[side.index].isSynced {
            if queues[queue].rings[side.index].puts.isEmpty || passFiltered(queue, side) {
                confirmAll(queue, side)
                return
            }
            contradict(queue, side)
        }
        let puts = queues[queue].rings[side.index].puts
        let takens = queues[queue].rings[side.index].takens
        let leftover = queues[queue].rings[side.index].leftover
        queues[queue].rings[side.index].puts.removeAll()
        queues[queue].rings[side.index].takens.removeAll()
        queues[queue].rings[side.index].isSynced = true
        let match = align(puts, takens, queue, side)
        var isConfirmed = match.isCertain
        // Frames whose queue is not known yet may have come between.
        if side == .receive, takens.count > puts.count, queues[queue].interface == 0, hasUnclaimedFrames { isConfirmed = false }
        for put in match.puts where !isExcusable(put, queue, side, leftover) { isConfirmed = false }
        for put in match.filtered { endIfLive(put, isConfirmed ? .notRecorded : .ambiguous) }
        for put in match.puts { endIfLive(put, leftover) }
        for taken in match.takens { endTaken(taken, leftover, queue, side) }
        forgive(queue, side)
        for (put, taken) in match.pairs {
            if isConfirmed {
                marry(put, taken)
            } else {
                endIfLive(put, .ambiguous)
                if flights.contains(taken) { discard(taken) }
            }
        }
    }

    /// The length of a frame without an skb is not known: 0. Its order has to do.
    func isSameLength(_ put: Int32, _ taken: Int32) -> Bool { put == taken || put == 0 || taken == 0 }

    /// Whether a packet that was put may have been taken unseen: only before the taking side's recording began.
    func isExcusable(_ put: FlightID, _ queue: Int, _ side: Direction, _ leftover: Outcome) -> Bool {
        if leftover == .ambiguous || !flights.contains(put) { return true }
        guard leftover == .traceEdge else { return false }
        let taker = side == .receive ? Int(ports[Int(queues[queue].port)].machine) : 0
        return putTime(put, side) < machines[taker].startTime
    }

    private func putTime(_ put: FlightID, _ side: Direction) -> Nanoseconds {
        if side == .transmit { return flights[put].times[.guestEgress] }
        if flights[put].flags.contains(.uncopied) { return flights[put].times[.hostEgress] }
        let copied = flights[put].times[.vhostCopy]
        return copied != PointTimes.absent ? copied : flights[put].times[.hostIngress]
    }

    mutating func endIfLive(_ id: FlightID, _ outcome: Outcome) {
        if flights.contains(id) { end(id, outcome) }
    }

    /// Two halves become one flight, that of the side which has the packet now.
    private mutating func marry(_ put: FlightID, _ taken: FlightID) {
        let direction = flights[put].direction
        flights[taken].times.merge(flights[put].times)
        if flights[taken].length == 0 { flights[taken].length = flights[put].length }
        flights[taken].flags.formUnion(
            flights[put].flags.intersection([.lost, .ambiguous, .cut, .callUnknown, .recorders, .bare, .uncopied, .givenBack]))
        flights[taken].flags.remove(.half)
        flights[taken].wokenThread = flights[put].wokenThread
        flights[taken].vector = flights[put].vector
        if direction == .receive {
            flights[taken].worker = flights[put].worker
            flights[taken].device = flights[put].device
            flights[taken].nic = flights[put].nic
            flights[taken].interface = flights[put].interface
            flights[taken].relay = flights[put].relay
        } else {
            flights[taken].host = flights[put].host
            if flights[taken].flags.contains(.callUnknown), flights[put].port >= 0 {
                flights[taken].sender = flights[put].sender
                awaitCall(taken, Int(ports[Int(flights[put].port)].machine))
            }
        }
        if flights[put].flags.contains(.givenBack) { replaceGivenBack(put, by: taken) }
        unname(put)
        flights.release(put)
        if direction == .receive { traceDelivery(taken) } else { settleTransmitted(taken) }
        emitIfSettled(taken)
    }

    /// Both halves of a tx packet are known: was it its own notification that woke the worker, and when did that run?
    mutating func settleTransmitted(_ id: FlightID) {
        let ingress = flights[id].times[.hostIngress]
        let worker = flights[id].worker
        if flights[id].times[.kick] > ingress { flights[id].times[.kick] = PointTimes.absent }
        if flights[id].times[.vhostWake] > ingress || flights[id].wokenThread != machines[0].threads[worker].id {
            flights[id].times[.vhostWake] = PointTimes.absent
        }
        let anchor = max(flights[id].times[.vhostWake], flights[id].times[.kick], flights[id].times[.guestEgress])
        guard anchor != PointTimes.absent,
            let run = machines[0].threads[worker].switchIn(after: anchor, until: ingress, validFrom: machines[0].validFrom)
        else { return }
        flights[id].times[.vhostRun] = run
    }

    /// Keeps the lists from growing without end when nothing is ever proven.
    private mutating func shortenPuts(_ queue: Int, _ side: Direction) {
        guard queues[queue].rings[side.index].puts.count > RingOrder.mostWaiting else { return }
        guard let id = queues[queue].rings[side.index].puts.popFirst(), flights.contains(id) else { return }
        if queues[queue].port >= 0 { end(id, .ambiguous) } else { discard(id) }
    }

    private mutating func shortenTakens(_ queue: Int, _ side: Direction) {
        guard queues[queue].rings[side.index].takens.count > RingOrder.mostWaiting else { return }
        guard let id = queues[queue].rings[side.index].takens.popFirst(), flights.contains(id) else { return }
        if queues[queue].port >= 0 { endTaken(id, .ambiguous, queue, side) } else { discard(id) }
    }
}
