// The guest's share: virtio-net device to reader on receive, send call to device on transmit.

import ClockSync
import TraceData

extension Tracker {
    mutating func followGuest(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        checkContainment(lane, machine)
        endWhatIsBrief(kind, mark, lane, machine)
        switch kind {
        case .napiReceive: guestArrive(mark, lane, machine)
        case .napiPoll:
            let port = pollEnded(mark, lane, machine)
            if port >= 0, mark.work < mark.budget {
                ports[port].lastEmptied = mark.time
                proveReceiveRingEmpty(port)
            }
        case .stackReceive:
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

    // MARK: Receive

    private mutating func guestArrive(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let port = portIndex(machine, mark.name, pair: mark.receiveQueue)
        ports[port].lastIngress = mark.time
        lanes[lane].polledPort = Int16(port)
        let index = lanes[lane].pendingIndex(receiving: mark.name, port: Int16(port), machines[machine].napi)
        if let index, ports[port].queue < 0, ports[port].passage == .none, canHaveQueue(port) {
            joinByInterrupt(port, lane, lanes[lane].pending[index].time)
        }
        let queue = Int(ports[port].queue)
        ports[port].settledAtIngress = queue >= 0 ? queues[queue].lastSettled : PointTimes.absent
        let id = takeFromHost(port, length: mark.frameLength + 14)
        name(id, mark.a, on: machine)
        if machines[machine].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights[id].times[.guestIngress] = mark.time
        flights[id].guestLane = UInt16(lane)
        if let index {
            flights[id].times[.guestIRQ] = lanes[lane].pending[index].time
            if lanes[lane].pending[index].isClaimed { flights[id].flags.insert(.sharedInterrupt) }
            lanes[lane].pending[index].isClaimed = true
        }
        lanes[lane].polled = id
        if ports[port].queue < 0 {
            tracePassThrough(id, port, lane, index.map { lanes[lane].pending[$0] })
            measureArrival(id, .vfio)
        } else if flights[id].flags.isDisjoint(with: [.half, .cut]) {
            traceDelivery(id)
        }
    }

    private mutating func guestDropped(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        unname(id)
        if isOriginalOfCopy(id, mark, lane, machine) { return }
        leaveSocket(id, machine)
        endFragments(of: id, .dropped, machine)
        flights[id].dropReason = UInt32(truncatingIfNeeded: mark.b)
        if lanes[lane].isOnRecorders(mark), flights[id].direction == .receive {
            flights[id].flags.insert(.recorders)
            lanes[lane].leaveRecorder()
        }
        if flights[id].direction == .receive {
            end(id, .dropped)
        } else if flights[id].flags.contains(.queued) {
            discard(id)
        } else if lanes[lane].handover?.flight == id {
            // The driver dropped it: it never was on the ring.
            takeBack(id)
            end(id, .dropped)
        }
    }

    // MARK: Transmit

    private mutating func guestQueued(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let known = flight(mark.a, on: machine)
        guard let handover = lanes[lane].handover, handover.skb == mark.a, handover.flight == known, flights.contains(known),
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

    private mutating func guestStartXmit(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let id = sending(mark, machine)
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        let port = portIndex(machine, mark.name, pair: mark.transmitQueue)
        flights[id].flags.remove(.queued)
        flights[id].flags.insert(.seen)
        flights[id].times[.guestEgress] = mark.time
        flights[id].length = mark.frameLength
        flights[id].port = Int16(port)
        measureSending(id, lane)
        lanes[lane].beginHandover(mark, id, port: Int16(port))
        putTransmitted(id, port)
    }

    private mutating func guestXmitDone(_ mark: Mark, _ lane: Int) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        // Only while the guest still has it: the host may have named it anew.
        guard flights[id].direction == .transmit, !flights[id].times.has(.hostIngress) else { return }
        if mark.returnCode != 0 {
            // NETDEV_TX_BUSY: not on the ring, it will be tried again.
            takeBack(id)
            flights[id].flags.insert(.queued)
            flights[id].flags.remove(.seen)
            flights[id].times[.guestEgress] = PointTimes.absent
        } else {
            unname(id)
            sentDirectly(id, at: mark.time)
        }
    }
}
