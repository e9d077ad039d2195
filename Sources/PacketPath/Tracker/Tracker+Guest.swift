// The guest's share: virtio-net device to reader on receive, send call to device on transmit.

import TraceData

extension Tracker {
    mutating func followGuest(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        checkContainment(lane, machine)
        endWhatIsBrief(kind, mark, lane, machine)
        switch kind {
        case .napiReceive: guestArrive(mark, lane, machine)
        case .napiPoll:
            let port = pollEnded(mark, lane, machine)
            if !port.isNone, mark.work < mark.budget {
                ports[port].lastEmptied = mark.time
                proveReceiveRingEmpty(port)
            }
        case .stackReceive:
            if mark.name == loopback { passLoopback(mark, machine) }
            let id = flight(mark.a, on: machine)
            beginReceipt(lane)
            lanes[lane].receive(id, at: mark.time)
            if !id.isNone {
                flights[id].delivered = mark.length &+ 14
                flights[id].deliveredAt = mark.time
            }
            awaitReader(id, machine)
        case .netQueue: guestQueued(mark, lane, machine)
        case .startXmit: guestStartXmit(mark, lane, machine)
        case .xmitDone: guestXmitDone(mark, lane)
        case .drop: guestDropped(mark, lane, machine)
        default: followStack(kind, mark, lane, machine)
        }
    }

    private mutating func guestArrive(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let port = port(of: machine, mark.name, pair: mark.receiveQueue)
        ports[port].lastIngress = mark.time
        lanes[lane].polledPort = port
        let cause = lanes[lane].pollCause(receiving: mark.name, port: port, machines[machine].napi)
        let index = cause.index
        if let index, ports[port].queue.isNone, ports[port].passage == .none, canHaveQueue(port) {
            joinByInterrupt(port, lane, lanes[lane].pending[index].time)
        }
        let queue = ports[port].queue
        ports[port].publishedAtIngress = !queue.isNone ? queues[queue].lastPublished : PointTimes.absent
        let id = takeFromHost(port, length: mark.frameLength + 14)
        name(id, mark.a, on: machine)
        if machines[machine].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights.stamp(id, .guestIngress, mark)
        flights[id].guestLane = lane
        if case .unknown = cause { flights[id].flags.insert(.interruptUnknown) }
        if let index {
            flights.stamp(id, .guestIRQ, at: lanes[lane].pending[index].time, on: lane)
            if lanes[lane].pending[index].isClaimed { flights[id].flags.insert(.sharedInterrupt) }
            lanes[lane].pending[index].isClaimed = true
        }
        lanes[lane].polled = id
        if ports[port].queue.isNone {
            tracePassThrough(id, port, lane, index.map { lanes[lane].pending[$0] })
            measureArrival(id, .vfio)
        } else if flights[id].flags.isDisjoint(with: [.half, .cut]) {
            traceDelivery(id)
        }
    }

    private mutating func guestDropped(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        flights.unname(id)
        if isDropOfAnother(mark, id) || isOriginalOfCopy(id, mark, lane, machine) { return }
        leaveSocket(id, machine)
        endFragments(of: id, .dropped, machine)
        flights[id].dropReason = mark.dropReason
        if lanes[lane].isOnRecorders(mark), flights[id].direction == .receive {
            flights[id].flags.insert(.recorders)
            lanes[lane].leaveRecorder()
        }
        if flights[id].direction == .receive {
            end(id, .dropped)
        } else if flights[id].flags.contains(.queued) {
            flights.discard(id)
        } else if lanes[lane].handover?.flight == id {
            // The driver dropped it: it never was on the ring.
            takeBack(id)
            end(id, .dropped)
        }
    }

    private mutating func guestQueued(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let known = flight(mark.a, on: machine)
        guard let handover = lanes[lane].handover, handover.skb == mark.a, handover.flight == known,
            flights.contains(known),
            !isQueued(known)
        else {
            queued(mark, lane, machine)
            return
        }
        // A device on top of another (VLAN, bond) hands it down: it is on the ring of the lowest one only.
        takeBack(known)
        flights[known].flags.insert(.queued)
        flights[known].flags.remove(.seen)
    }

    private mutating func guestStartXmit(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let id = sending(mark, machine)
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        let port = port(of: machine, mark.name, pair: mark.transmitQueue)
        flights[id].flags.remove(.queued)
        flights[id].flags.insert(.seen)
        flights.stamp(id, .guestEgress, mark)
        flights[id].length = mark.frameLength
        flights[id].port = port
        measureSending(id, lane)
        lanes[lane].beginHandover(mark, id, port: port)
        putTransmitted(id, port)
    }

    private mutating func guestXmitDone(_ mark: Mark, _ lane: LaneID) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        // Only while the guest still has it: the host may have named it anew.
        guard flights[id].direction == .transmit, !flights[id].times.has(.hostIngress) else { return }
        if mark.returnCode != 0 {
            // NETDEV_TX_BUSY: not on the ring, it will be tried again.
            takeBack(id)
            flights[id].flags.insert(.queued)
            flights[id].flags.remove(.seen)
            flights.clear(id, .guestEgress)
        } else {
            flights.unname(id)
            sentDirectly(id, at: mark.time, on: lane)
        }
    }
}
