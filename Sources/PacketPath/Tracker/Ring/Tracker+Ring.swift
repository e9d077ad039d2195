// What is put on a ring and taken from it, and what its order's verdicts lead to.

extension Tracker {
    mutating func putReceived(_ id: FlightID, _ queue: QueueID) {
        payOwed(id)
        put(id, queue, .receive)
    }

    /// The flight a guest's driver has just received; a half of one while the order is not known.
    mutating func takeFromHost(_ port: PortID, length: Int32) -> FlightID {
        let queue = ports[port].queue
        guard !queue.isNone else {
            if ports[port].passage != .none { return receiveDirectly(port, length: length) }
            let id = half(.receive, on: ports[port].machine, length: length)
            flights[id].port = port
            ports[port].takens.append(id)
            if ports[port].takens.count > VirtqueueOrder.mostWaiting { becomeByElimination(port) }
            if ports[port].takens.count > VirtqueueOrder.mostWaiting, let oldest = ports[port].takens.popFirst() {
                ports[port].unclaimed += 1
                flights.discard(oldest)
            }
            return id
        }
        let id = take(queue, .receive, length: length, on: ports[port].machine)
        flights[id].port = port
        flights[id].queue = queue
        return id
    }

    mutating func putTransmitted(_ id: FlightID, _ port: PortID) {
        let queue = ports[port].queue
        guard !queue.isNone else {
            guard ports[port].passage == .none else { return }
            ports[port].puts.append(id)
            if ports[port].puts.count > VirtqueueOrder.mostWaiting { becomeByElimination(port) }
            if ports[port].puts.count > VirtqueueOrder.mostWaiting, let oldest = ports[port].puts.popFirst(),
                flights.contains(oldest)
            {
                ports[port].unclaimed += 1
                flights.discard(oldest)
            }
            return
        }
        flights[id].queue = queue
        put(id, queue, .transmit)
    }

    /// The driver did not put the packet on the ring after all.
    mutating func takeBack(_ id: FlightID) {
        let port = flights[id].port
        guard !port.isNone else { return }
        let queue = ports[port].queue
        if !queue.isNone {
            queues[queue].rings[Direction.transmit.index].remove(id)
        } else {
            ports[port].puts.removeLast(id)
        }
    }

    mutating func takeFromGuest(_ queue: QueueID, length: Int32) -> FlightID {
        guard !queues[queue].port.isNone else {
            let id = half(.transmit, on: .host, length: length)
            wait(id, queue, .transmit)
            return id
        }
        return take(queue, .transmit, length: length, on: .host)
    }

    mutating func half(_ direction: Direction, on machine: MachineID, length: Int32) -> FlightID {
        let id = newFlight(direction, on: machine)
        flights[id].flags.formUnion([.half, .seen])
        flights[id].length = length
        return id
    }

    mutating func put(_ id: FlightID, _ queue: QueueID, _ side: Direction) {
        queues[queue].rings[side.index].put(id, isJoined: !queues[queue].port.isNone, flights)
        carryOut(queue, side)
    }

    mutating func wait(_ id: FlightID, _ queue: QueueID, _ side: Direction) {
        queues[queue].rings[side.index].wait(id, isJoined: !queues[queue].port.isNone, flights)
        carryOut(queue, side)
    }

    mutating func take(_ queue: QueueID, _ side: Direction, length: Int32, on machine: MachineID) -> FlightID {
        let taken = queues[queue].rings[side.index].take(
            length: length, isFiltered: isFiltered(queue, side), putsAreRecorded: isRecording(puttingOn: side, queue),
            flights)
        carryOut(queue, side)
        switch taken {
        case .put(let put):
            if flights[put].length == 0 { flights[put].length = length }
            flights[put].flags.insert(.unconfirmed)
            return put
        case .beyond(let isCounted):
            let id = half(side, on: machine, length: length)
            flights[id].flags.remove(.half)
            flights[id].flags.insert(.cut)
            if isCounted { flights[id].flags.remove(.seen) }
            flights[id].queue = queue
            return id
        case .unknown:
            let id = half(side, on: machine, length: length)
            flights[id].queue = queue
            wait(id, queue, side)
            return id
        }
    }

    /// Whether packets that are put on this ring need not come out of it.
    func isFiltered(_ queue: QueueID, _ side: Direction) -> Bool { side == .receive && queues[queue].isFiltered }

    /// Whether the machine that puts packets on this ring is being recorded at this moment.
    private func isRecording(puttingOn side: Direction, _ queue: QueueID) -> Bool {
        let machine = side == .receive ? .host : ports[queues[queue].port].machine
        return machines[machine].openLanes > 0
    }

    /// Does what the ring's order has found out.
    mutating func carryOut(_ queue: QueueID, _ side: Direction) {
        while let verdict = queues[queue].rings[side.index].nextVerdict() {
            switch verdict {
            case .ended(let id, let outcome): endIfLive(id, outcome)
            case .joined(let put, let taken): marry(put, taken)
            case .confirmed(let id):
                guard flights.contains(id) else { continue }
                flights[id].flags.remove(.unconfirmed)
                emitIfSettled(id)
            case .doubted(let id): if flights.contains(id) { flights[id].flags.insert(.ambiguous) }
            case .sortedOut(let id):
                flights[id].flags.insert(.unconfirmed)
                end(id, .notRecorded)
            case .alone(let id, let outcome):
                flights[id].flags.remove(.half)
                flights.unname(id)
                end(id, outcome)
            case .forgotten(let id): flights.discard(id)
            case .forgiven: forgive(queue, side)
            }
        }
    }

    /// Two halves become one flight, that of the side which has the packet now.
    private mutating func marry(_ put: FlightID, _ taken: FlightID) {
        let direction = flights[put].direction
        flights.merge(put, into: taken)
        if flights[taken].length == 0 { flights[taken].length = flights[put].length }
        flights[taken].flags.formUnion(
            flights[put].flags.intersection([
                .lost, .ambiguous, .cut, .callUnknown, .recorders, .bare, .uncopied, .givenBack,
            ]))
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
            if flights[taken].flags.contains(.callUnknown), !flights[put].port.isNone {
                flights[taken].sender = flights[put].sender
                awaitCall(taken, ports[flights[put].port].machine)
            }
        }
        if flights[put].flags.contains(.givenBack) { returned.replace(put, by: taken) }
        flights.unname(put)
        flights.release(put)
        if direction == .receive { traceDelivery(taken) } else { traceNotification(taken) }
        emitIfSettled(taken)
    }

    /// The order of the rings is lost; what waits on either side can't be joined any more.
    /// - Parameters:
    ///   - counted: the ring whose unmatched takens are packets of their own; nil for both.
    ///   - sides: the rings whose order it is.
    mutating func breakOrder(
        _ queue: QueueID, _ outcome: Outcome, countsTakens counted: Direction? = nil,
        of sides: [Direction] = Direction.allCases
    ) {
        for side in sides {
            if side == .receive, outcome == .lostEvents, counted == .receive { oweReceived(queue) }
            queues[queue].rings[side.index].lose(outcome, countsTakens: counted == nil || side == counted, flights)
            carryOut(queue, side)
        }
        while queues[queue].unsignalled.popFirst() != nil {}
    }

    /// Each queue has an order of its own, and here several meet.
    mutating func severalOrders(_ queue: QueueID) {
        guard !queues[queue].hasSeveralOrders else { return }
        queues[queue].hasSeveralOrders = true
        breakOrder(queue, .ambiguous)
    }
}
