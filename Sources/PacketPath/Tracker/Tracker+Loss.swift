// Holes in the recording: packets that touch one are excluded and counted, and the rings' order is found anew after it.

import ClockSync
import TraceData

extension Tracker {
    mutating func reserved(_ mark: Mark, _ lane: Int, _ machine: Int) {
        switch mark.kind {
        case Mark.Reserved.laneBegin:
            machines[machine].openLanes += 1
            if machines[machine].startTime == PointTimes.absent { machines[machine].startTime = mark.time }
        case Mark.Reserved.laneEnd:
            settleSegments(lane)
            machines[machine].openLanes -= 1
            if machine == 0, machines[0].openLanes == 0 {
                hostEnded = true
                for queue in queues.indices { oweReceived(queue) }
            }
        case Mark.Reserved.lostBegin:
            machines[machine].openHoles += 1
            lose(machine)
            settleSegments(lane)
            lanes[lane].forget()
        case Mark.Reserved.lostEnd:
            machines[machine].openHoles -= 1
            machines[machine].validFrom = mark.time
            lanes[lane].forget()
            lose(machine)
        default: break
        }
    }

    /// Why something that should have been seen may not have been: a hole, or the beginning of the recording.
    func doubt(on machine: Int) -> Flight.Flags { machines[machine].validFrom == PointTimes.absent ? .cut : .lost }

    /// Marks everything whose way may have led through the hole.
    private mutating func lose(_ machine: Int) {
        for index in vcpus.indices where machine == 0 || Int(vcpus[index].guest) == machine {
            vcpus[index].isKnown = false
            vcpus[index].doorbell = .none
        }
        if machine != 0 || followsHost {
            settleAllCalls(machine)
            machines[machine].threads.forgetCalls()
        }
        machines[machine].threadedInterrupts.forget()
        loseSockets(machine, .lostEvents)
        if machine == 0 {
            passThrough.forgetWaiting()
            loseUpcalls()
        }
        // Packets that have ended before it are not in anybody's hands; only their device's path was not known.
        for port in ports.indices { becomeByElimination(port) }
        flights.forEachLive { id in
            if isInHands(id, of: machine) { flights[id].flags.insert(.lost) }
        }
        for queue in queues.indices {
            let port = Int(queues[queue].port)
            if machine == 0 || port >= 0 && Int(ports[port].machine) == machine {
                // Packets are counted where they are put: on the host for receive, on the guest for transmit.
                breakOrder(queue, .lostEvents, countsTakens: machine == 0 ? .receive : .transmit)
            }
        }
        for port in ports.indices where ports[port].queue < 0 && Int(ports[port].machine) == machine {
            while let id = ports[port].takens.popFirst() { if flights.contains(id) { discard(id) } }
            while let id = ports[port].puts.popFirst() { if flights.contains(id) { discard(id) } }
        }
    }

    /// Whether events of `machine` still have something to say about this flight.
    private func isInHands(_ id: FlightID, of machine: Int) -> Bool {
        let times = flights[id].times
        if flights[id].direction == .receive {
            let isInGuest = times.has(.guestIngress) && !flights[id].flags.contains(.half)
            return machine == 0 ? !isInGuest : times.has(.guestIngress) && Int(flights[id].machine) == machine
        }
        if flights[id].port >= 0, ports[Int(flights[id].port)].passage != .none { return Int(flights[id].machine) == machine }
        let isInHost = times.has(.hostIngress) && !flights[id].flags.contains(.half)
        return machine == 0
            || !isInHost
                && (Int(flights[id].machine) == machine || flights[id].port >= 0 && Int(ports[Int(flights[id].port)].machine) == machine)
    }

    /// The order of the rings is lost; what waits on either side can't be joined any more.
    /// - Parameters:
    ///   - counted: the ring whose unmatched takens are packets of their own; nil for both.
    ///   - sides: the rings whose order it is.
    mutating func breakOrder(
        _ queue: Int, _ outcome: Outcome, countsTakens counted: Direction? = nil, of sides: [Direction] = Direction.allCases
    ) {
        for side in sides {
            let puts = queues[queue].rings[side.index].puts
            let takens = queues[queue].rings[side.index].takens
            queues[queue].rings[side.index].puts.removeAll()
            queues[queue].rings[side.index].takens.removeAll()
            queues[queue].rings[side.index].isSynced = false
            queues[queue].rings[side.index].leftover = outcome
            queues[queue].rings[side.index].countsTakens = counted == nil || side == counted
            for index in 0..<puts.count where flights.contains(puts[index]) { end(puts[index], outcome) }
            // A packet that was put and taken is one packet: count those that exceed the ones put.
            queues[queue].rings[side.index].counted += puts.count
            if side == .receive, outcome == .lostEvents, counted == .receive { oweReceived(queue) }
            for index in 0..<takens.count { endTaken(takens[index], outcome, queue, side) }
            // Joined in a proven order before the hole, and in it only if they were marked above; where there was no hole, the order was wrong.
            if outcome == .ambiguous { doubtAll(queue, side) }
            confirmAll(queue, side)
        }
        while queues[queue].unsignalled.popFirst() != nil {}
        queues[queue].lastCopy = PointTimes.absent
        queues[queue].lastSettled = PointTimes.absent
    }
}
