// Holes in the recording: packets that touch one are excluded and counted, and the rings' order is found anew after it.

import TraceData

extension Tracker {
    mutating func reserved(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        switch mark.kind {
        case Mark.Reserved.laneBegin:
            machines[machine].openLanes += 1
            if machines[machine].startTime == PointTimes.absent { machines[machine].startTime = mark.time }
        case Mark.Reserved.laneEnd:
            endSegments(lane)
            // Its driver may hand it back after this and be given it again: when it was put on the ring is not known.
            if !machine.isHost, let handover = lanes[lane].handover, flights.contains(handover.flight) {
                flights[handover.flight].flags.insert(.cut)
            }
            machines[machine].openLanes -= 1
            if machine.isHost, machines[.host].openLanes == 0 {
                hostEnded = true
                for queue in queues.ids { oweReceived(queue) }
            }
        case Mark.Reserved.lostBegin:
            machines[machine].openHoles += 1
            lose(machine)
            endSegments(lane)
            lanes[lane].forget()
            redirects.forget(lane)
        case Mark.Reserved.lostEnd:
            machines[machine].openHoles -= 1
            machines[machine].validFrom = mark.time
            lanes[lane].forget()
            redirects.forget(lane)
            lose(machine)
        default: break
        }
    }

    /// Marks everything whose way may have led through the hole.
    mutating func lose(_ machine: MachineID) {
        for vcpu in vcpus.ids where machine.isHost || vcpus[vcpu].guest == machine {
            vcpus[vcpu].isKnown = false
            vcpus[vcpu].doorbell = .none
        }
        if !machine.isHost || followsHost {
            decideAllCalls(machine)
            machines[machine].threads.forgetCalls()
        }
        machines[machine].threadedInterrupts.forget()
        loseCopies(machine, .lostEvents)
        loseSockets(machine, .lostEvents)
        if machine.isHost {
            passThrough.forgetWaiting()
            loseUpcalls()
        }
        // Packets that have ended before it are not in anybody's hands; only their device's path was not known.
        for port in ports.ids { becomeByElimination(port) }
        flights.forEachLive { id in
            if isInHands(id, of: machine) { flights[id].flags.insert(.lost) }
        }
        let handedOver = handedOverToDrivers()
        for handover in handedOver { takeBack(handover.flight) }
        for queue in queues.ids {
            let port = queues[queue].port
            if machine.isHost || !port.isNone && ports[port].machine == machine {
                // Packets are counted where they are put: on the host for receive, on the guest for transmit.
                breakOrder(queue, .lostEvents, countsTakens: machine.isHost ? .receive : .transmit)
            }
        }
        for port in ports.ids where ports[port].queue.isNone && ports[port].machine == machine {
            while let id = ports[port].takens.popFirst() { if flights.contains(id) { flights.discard(id) } }
            while let id = ports[port].puts.popFirst() { if flights.contains(id) { flights.discard(id) } }
        }
        for handover in handedOver where flights.contains(handover.flight) {
            putTransmitted(handover.flight, handover.port)
        }
    }

    /// Packets that guests' drivers have at this moment. They may be handed back to be tried again (NETDEV_TX_BUSY), so
    /// they are not to be counted as lost on the ring.
    private func handedOverToDrivers() -> [Handover] {
        lanes.ids.compactMap { lanes[$0].handover }.filter { handover in
            !handover.port.isNone && flights.contains(handover.flight)
                && !flights[handover.flight].times.has(.hostIngress)
        }
    }

    /// Whether events of `machine` still have something to say about this flight.
    private func isInHands(_ id: FlightID, of machine: MachineID) -> Bool {
        let times = flights[id].times
        if flights[id].direction == .receive {
            let isInGuest = times.has(.guestIngress) && !flights[id].flags.contains(.half)
            return machine.isHost ? !isInGuest : times.has(.guestIngress) && flights[id].machine == machine
        }
        if !flights[id].port.isNone, ports[flights[id].port].passage != .none { return flights[id].machine == machine }
        let isInHost = times.has(.hostIngress) && !flights[id].flags.contains(.half)
        return machine.isHost
            || !isInHost
                && (flights[id].machine == machine
                    || !flights[id].port.isNone && ports[flights[id].port].machine == machine)
    }
}
