// The guest's share: virtio-net device to reader on receive, send call to device on transmit.

import ClockSync
import TraceData

extension Tracker {
    mutating func followGuest(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        checkContainment(lane, machine)
        if followInterrupts(kind, mark, lane) { return }
        switch kind {
        case .taskSwitch:
            lanes[lane].leaveRecorder()
            switchTasks(mark, machine)
        case .waking:
            // What is woken while the stack receives a packet is woken on that packet's behalf.
            let cause = mark.inSoftIRQ ? lanes[lane].receiving : .none
            let target = machines[machine].threads.index(mark.otherThread)
            machines[machine].threads[target].push(.waking, mark.time, by: mark.thread, flight: cause)
        case .napiReceive: guestArrive(mark, lane, machine)
        case .groMerged:
            // No event tells which frame this one was merged into.
            let id = lanes[lane].polled
            if flights.contains(id) {
                unname(id)
                end(id, .ambiguous)
            }
        case .napiPoll:
            pollEnded(mark, lane, machine)
            if mark.work < mark.budget, let port = knownPort(machine, mark.name) {
                ports[port].lastEmptied = mark.time
                proveReceiveRingEmpty(port)
            }
        case .stackReceive: lanes[lane].receive(flight(mark.a, on: machine))
        case .tcpReceive: guestReceivedTCP(mark, lane, machine)
        case .netQueue: guestQueued(mark, lane, machine)
        case .startXmit: guestStartXmit(mark, lane, machine)
        case .xmitDone: guestXmitDone(mark, lane)
        case .copy: if mark.inThread { guestRead(mark, machine) }
        case .consume: guestConsumed(mark, machine)
        case .drop: guestDropped(mark, lane, machine)
        case .sendEnter:
            machines[machine].threads[machines[machine].threads.index(mark.thread)].sendingSince = mark.time
        case .sendExit:
            machines[machine].threads[machines[machine].threads.index(mark.thread)].sendingSince = PointTimes.absent
        default: break
        }
    }

    // MARK: Receive

    private mutating func guestArrive(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let port = portIndex(machine, mark.name)
        ports[port].lastIngress = mark.time
        let index = lanes[lane].pendingIndex(receiving: mark.name, machines[machine].napi)
        if let index, ports[port].queue < 0, ports[port].passage == .none, canHaveQueue(port) {
            joinByInterrupt(port, lane, lanes[lane].pending[index].time)
        }
        let id = takeFromHost(port, length: mark.length + 14)
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

    /// The packet's data is copied to a thread: that thread is its reader.
    private mutating func guestRead(_ mark: Mark, _ machine: Int) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone, flights[id].direction == .receive else { return }
        let reader = machines[machine].threads.index(mark.thread)
        flights[id].times[.guestRead] = mark.time
        let ingress = flights[id].times[.guestIngress]
        var wake = PointTimes.absent
        _ = machines[machine].threads[reader].newestFirst { event in
            if event.time < ingress { return false }
            if event.what == .waking, event.flight == id { wake = event.time }
            return true
        }
        flights[id].times[.guestWake] = wake
        if let run = machines[machine].threads[reader].switchIn(
            after: max(wake, ingress), until: mark.time, validFrom: machines[machine].validFrom)
        {
            flights[id].times[.guestRun] = run
        }
        measureReading(id, Int(mark.lane))
        unname(id)
        end(id, .complete)
    }

    /// TCP takes a packet of an established connection. One without data is for TCP itself, which frees it without an event.
    private mutating func guestReceivedTCP(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let isRecorders = mark.localPort == machines[machine].agentPort
        lanes[lane].takeUpTCP(ofRecorder: isRecorders, mark)
        var id = FlightID.none
        if mark.a != 0 {
            id = flight(mark.a, on: machine)
        } else if mark.inSoftIRQ {
            // Where the event does not say which packet it is about, only one of the batch may fit.
            id = lanes[lane].received { id in
                flights.contains(id) && !flights[id].flags.contains(.tcp) && mark.lengthsOfTCP.contains(flights[id].length)
            }
        }
        guard flights.contains(id), flights[id].direction == .receive else { return }
        flights[id].flags.formUnion(isRecorders ? [.tcp, .recorders] : .tcp)
        if mark.length == 0 || isRecorders {
            unname(id)
            end(id, .kernelConsumed)
        }
    }

    private mutating func guestConsumed(_ mark: Mark, _ machine: Int) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        if flights[id].direction == .transmit {
            // The buffer of a packet that has been sent.
            unname(id)
            if flights[id].flags.contains(.queued) { discard(id) }
        } else if mark.inThread, !flights[id].flags.contains(.tcp) {
            guestRead(mark, machine)
        } else {
            // What a thread reads of TCP, it copies.
            unname(id)
            end(id, .kernelConsumed)
        }
    }

    private mutating func guestDropped(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        unname(id)
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

    /// A packet is queued on a device, perhaps by a thread that is in a sending system call.
    private mutating func guestQueued(_ mark: Mark, _ lane: Int, _ machine: Int) {
        guard !isTransmitting(flight(mark.a, on: machine)) else { return }
        let id = newFlight(.transmit, on: machine)
        name(id, mark.a, on: machine)
        flights[id].flags.insert(.queued)
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        guard mark.inThread else { return }
        let since = machines[machine].threads[machines[machine].threads.index(mark.thread)].sendingSince
        if since == ThreadState.sendingUnknown {
            flights[id].flags.insert(.callUnknown)
        } else {
            flights[id].times[.guestSend] = since
        }
    }

    private func isTransmitting(_ id: FlightID) -> Bool {
        !id.isNone && flights[id].direction == .transmit && flights[id].flags.contains(.queued)
    }

    private mutating func guestStartXmit(_ mark: Mark, _ lane: Int, _ machine: Int) {
        var id = flight(mark.a, on: machine)
        if !isTransmitting(id) {
            id = newFlight(.transmit, on: machine)
            name(id, mark.a, on: machine)
            // Queued before the recording or in a hole, if queueing is recorded at all.
            if count(of: .netQueue, on: machine) > 0 || count(of: .startXmit, on: machine) == 1 && mark.inThread {
                flights[id].flags.insert(doubt(on: machine))
            }
        }
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        let port = portIndex(machine, mark.name)
        flights[id].flags.remove(.queued)
        flights[id].flags.insert(.seen)
        flights[id].times[.guestEgress] = mark.time
        flights[id].length = mark.length
        flights[id].port = Int16(port)
        measureSending(id, lane)
        lanes[lane].beginHandover(mark.a, id, port: Int16(port))
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

    // MARK: Devices

    func knownPort(_ machine: Int, _ device: UInt16) -> Int? {
        ports.firstIndex { $0.device == device && Int($0.machine) == machine }
    }

    private mutating func portIndex(_ machine: Int, _ device: UInt16) -> Int {
        if let known = knownPort(machine, device) { return known }
        // More devices than any guest has: what comes now shares the last one, and finds no queue.
        if ports.count == Self.mostDevices { return ports.count - 1 }
        ports.append(GuestPort(machine: UInt8(machine), device: device))
        return ports.count - 1
    }
}
