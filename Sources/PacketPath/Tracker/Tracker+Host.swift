// The host's share of a packet's way: NIC to worker on receive, worker to NIC on transmit.

import ClockSync
import TraceData

extension Tracker {
    mutating func followHost(_ kind: MarkKind, _ mark: Mark, _ lane: Int) {
        endWhatIsBrief(kind, mark, lane, 0)
        switch kind {
        case .taskSwitch:
            lanes[lane].isSettled = true
            hostSwitch(mark)
        case .waking: hostWaking(mark, lane)
        case .vmEntry: vmEntry(mark)
        case .vmExit: vmExit(mark)
        case .injectVirq: injected(mark)
        case .doorbell: doorbell(mark)
        case .msi: if mark.inHardIRQ { deviceInjects(mark, lane) } else { injects(mark) }
        case .signalHint: if mark.inThread { mayInject(mark.thread, at: mark.time) }
        case .napiReceive: arrive(mark, lane, polled: true)
        case .groMerged:
            // The frame goes on inside another one; what is put on a queue is that one.
            let id = lanes[lane].polled
            if flights.contains(id) { discard(id) }
        case .napiPoll:
            if lanes[lane].redirectedFrom != 0 { interfaceNames[lanes[lane].redirectedFrom] = mark.name }
            lanes[lane].redirectedFrom = 0
            // A driver sends all out before its poll ends.
            lanes[lane].forgetBulk()
            pollEnded(mark, lane, 0)
        case .stackReceive: hostStackReceive(mark, lane)
        case .netQueue: hostQueue(mark, lane)
        case .startXmit: hostStartXmit(mark, lane)
        case .xmitDone: hostXmitDone(mark, lane)
        case .copy: if mark.inThread { taken(mark) }
        case .consume: hostFree(mark, lane, reason: nil)
        case .drop: hostFree(mark, lane, reason: UInt32(truncatingIfNeeded: mark.b))
        case .ovsUpcall: ovsUpcall(mark, lane)
        case .ovsAction: ovsAction(mark, lane)
        case .redirect: redirected(mark, lane)
        case .bulkXmit: bulkSent(mark, lane)
        case .stackReturn: stackReturned(lane, mark)
        default: followInterrupts(kind, mark, lane, 0)
        }
    }

    /// A packet comes in on a NIC.
    @discardableResult
    mutating func arrive(_ mark: Mark, _ lane: Int, polled: Bool) -> FlightID {
        if !nics.contains(mark.name) { nics.append(mark.name) }
        let id = newFlight(.receive, on: 0)
        name(id, mark.a, on: 0)
        flights[id].times[.hostIngress] = mark.time
        flights[id].nic = mark.name
        flights[id].length = mark.length
        if let index = lanes[lane].pendingIndex(receiving: mark.name, machines[0].napi) {
            stampInterrupt(id, lanes[lane].pending[index])
        }
        if polled { lanes[lane].polled = id }
        return id
    }

    private mutating func hostStackReceive(_ mark: Mark, _ lane: Int) {
        var known = flight(mark.a, on: 0)
        let isCarried = lanes[lane].isCarrying(known, mark)
        if mark.inThread, known.isNone || isWorker(mark.thread, of: mark.name) || !isCarried {
            // A packet written to a tap by the thread that serves it.
            let worker = thread(of: mark)
            // netif_receive_skb counts without the Ethernet header.
            takeTransmitted(mark, queue: queueIndex(mark.name, worker: worker), length: mark.length + 14)
            known = flight(mark.a, on: 0)
            lanes[lane].written = known
        } else if known.isNone || !isCarried && isAgain(known, mark) {
            known = arrive(mark, lane, polled: false)
            if !lanes[lane].isSettled { flights[known].flags.insert(doubt(on: 0)) }
        }
        if flights.contains(known) {
            if flights[known].delivered != 0 { flights[known].flags.insert(.up) }
            flights[known].delivered = mark.length &+ 14
            flights[known].deliverer = mark.name
        }
        if mark.inSoftIRQ {
            beginReceipt(lane)
            lanes[lane].receive(known, at: mark.time)
        }
        lanes[lane].fresh = flight(mark.a, on: 0)
        lanes[lane].carry(lanes[lane].fresh, mark)
    }

    /// The stack is given a packet by the device that gave it one with this address before: the first one was freed without an event.
    private func isAgain(_ id: FlightID, _ mark: Mark) -> Bool {
        flights[id].direction == .receive && flights[id].nic == mark.name && flights[id].delivered != 0
    }

    private func isWorker(_ thread: Int32, of device: UInt16) -> Bool {
        queues.indices.contains { queues[$0].device == device && workerThread(of: $0) == thread }
    }

    /// Whether a packet on its way to a device is the one that came in with this address. What the host's own stack has taken is freed without an event,
    /// and its address may be another packet's by now.
    func goesOn(_ id: FlightID, _ mark: Mark, _ lane: Int) -> Bool {
        !isAnswer(id, mark) && isUnderWay(id, mark, lane)
    }

    /// Whether a packet has been seen to wait for a device, is with another one that stands on it, or is what the stack is at work on.
    private func isUnderWay(_ id: FlightID, _ mark: Mark, _ lane: Int) -> Bool {
        if flights[id].flags.contains(.queued) { return true }
        if lanes[lane].isHandingOver(id) { return true }
        return lanes[lane].isCarrying(id, mark)
    }

    /// A bridge or a router sends nothing back to where it came from, and takes no data off: that is an answer, whose address is a coincidence.
    private func isAnswer(_ id: FlightID, _ mark: Mark) -> Bool {
        comesFrom(id) == mark.name || flights[id].deliverer == mark.name || mark.length &+ Self.mostTakenOff < flights[id].delivered
    }

    /// An IPv4 header and a VLAN's tag: a router may send a packet on without them.
    private static let mostTakenOff: Int32 = 24

    /// The device it came in by.
    private func comesFrom(_ id: FlightID) -> UInt16 { flights[id].direction == .transmit ? flights[id].device : flights[id].nic }

    /// A device's queueing discipline gets a packet; the driver may get it later, from whichever thread comes by.
    private mutating func hostQueue(_ mark: Mark, _ lane: Int) {
        let id = flight(mark.a, on: 0)
        if !id.isNone, isUnderWay(id, mark, lane) { flights[id].flags.insert(.queued) }
    }

    private mutating func hostStartXmit(_ mark: Mark, _ lane: Int) {
        if macvtapTransmits(mark, lane) || sendsSegment(mark, lane) { return }
        var id = flight(mark.a, on: 0)
        if !id.isNone, flights[id].times.has(.hostIngress), !goesOn(id, mark, lane) {
            if count(of: .netQueue, on: 0) > 0 || isAnswer(id, mark) {
                id = .none
            } else {
                // It may have waited in a queue, or be another packet. Without net_dev_queue, what was meant for others and has its length is it.
                let length = flights[id].delivered != 0 ? flights[id].delivered : flights[id].length
                let isSame = !flights[id].flags.contains(.up) && [mark.length, mark.frameLength].contains(length)
                if !isSame { flights[id].flags.insert(.ambiguous) }
            }
        }
        if !id.isNone { flights[id].flags.remove(.queued) }
        if id.isNone {
            // Sent by the host itself.
            id = newFlight(.receive, on: 0)
            name(id, mark.a, on: 0)
            // … or by a softirq that was running before there was anything to see.
            if mark.inSoftIRQ, !lanes[lane].isSettled { flights[id].flags.insert(doubt(on: 0)) }
        }
        if flights[id].direction == .transmit {
            if !flights[id].times.has(.nicXmit) {
                flights[id].times[.hostEgress] = mark.time
                flights[id].nic = mark.name
                flights[id].pair = mark.transmitQueue
                if flights[id].queue >= 0 { learnPath(Int(flights[id].queue), of: id) }
            }
        } else {
            flights[id].times[.hostEgress] = mark.time
            flights[id].times[.vhostWake] = PointTimes.absent
            flights[id].device = mark.name
            flights[id].pair = mark.transmitQueue
            flights[id].length = mark.frameLength
            flights[id].flags.insert(.seen)
            meetsFrames(id)
            if copiesAreUnseen { putUncopied(id, mark, lane) }
        }
        lanes[lane].beginHandover(mark, id, port: -1)
    }

    private mutating func hostXmitDone(_ mark: Mark, _ lane: Int) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        if sentSegment(id, mark, lane) { return }
        // Sent back to the queue: it will be tried again.
        if mark.returnCode != 0 { flights[id].flags.insert(.queued) }
        if flights[id].flags.contains(.uncopied) {
            // From here on its address is of no use: when the worker frees it, no event tells either.
            if flights[id].skb == mark.a { unname(id) }
            return
        }
        guard flights[id].direction == .transmit, !flights[id].times.has(.nicXmit), mark.returnCode == 0 else { return }
        flights[id].times[.nicXmit] = mark.time
        // Where the device is another guest's tap, the packet is one for that guest from here on.
        if flights[id].skb != 0, !nics.contains(flights[id].nic) { forkReceived(id) }
        unname(id)
        end(id, .complete)
    }

    /// A packet that one guest sent is put on the queue of another: a second journey, under the same address.
    @discardableResult
    private mutating func forkReceived(_ sent: FlightID) -> FlightID {
        let id = newFlight(.receive, on: 0)
        relays &+= 1
        flights[sent].relay = relays
        flights[id].relay = relays
        flights[id].times[.hostEgress] = flights[sent].times[.hostEgress]
        flights[id].device = flights[sent].nic
        flights[id].pair = flights[sent].pair
        flights[id].length = flights[sent].length
        flights[id].flags.insert(.seen)
        name(id, flights[sent].skb, on: 0)
        return id
    }

    /// A worker copies a packet that nothing is known of: it came in a hole. It has its place in the queue's order all the same.
    private mutating func stranger(_ mark: Mark) -> FlightID {
        let queue = Int(machines[0].threads[thread(of: mark)].queue)
        guard queue >= 0, queues[queue].path != .macvtap, machines[0].validFrom != PointTimes.absent else { return .none }
        let id = newFlight(.receive, on: 0)
        flights[id].flags.formUnion([.seen, doubt(on: 0)])
        flights[id].device = queues[queue].device
        flights[id].length = Int32(truncatingIfNeeded: mark.b)
        return id
    }

    /// The worker takes a packet from the tap and copies it to the guest's buffers.
    private mutating func taken(_ mark: Mark) {
        if macvtapReceives(mark) { return }
        var id = flight(mark.a, on: 0)
        if id.isNone { id = stranger(mark) }
        guard !id.isNone, flights[id].flags.contains(.seen) else { return }
        if flights[id].direction == .transmit {
            guard flights[id].times.has(.hostEgress) else { return }
            id = forkReceived(id)
        }
        let worker = thread(of: mark)
        let isRedirected = flights[id].interface != 0
        // It came without the Ethernet header and is copied with it.
        if isRedirected { flights[id].length = Int32(truncatingIfNeeded: mark.b) }
        copied(id, mark, queue: isRedirected ? xdpQueue(of: id, worker: worker) : queueIndex(flights[id].device, worker: worker))
    }

    /// A packet leaves the host for the ring of a queue.
    mutating func copied(_ id: FlightID, _ mark: Mark, queue: Int) {
        let worker = thread(of: mark)
        machines[0].threads[worker].isReceiving = true
        unname(id)
        flights[id].times[.vhostCopy] = mark.time
        flights[id].queue = Int16(queue)
        flights[id].worker = worker
        if flights[id].wokenThread != mark.thread { flights[id].times[.vhostWake] = PointTimes.absent }
        // A wake-up that is absent is earlier than any time.
        let times = flights[id].times
        let onQueue = times.has(.hostEgress) ? times[.hostEgress] : times[.hostIngress]
        let anchor = max(flights[id].times[.vhostWake], onQueue)
        if let run = machines[0].threads[worker].switchIn(
            after: anchor, until: mark.time, validFrom: machines[0].validFrom)
        {
            flights[id].times[.vhostRun] = run
        }
        learnPair(queue, of: id)
        learnPath(queue, of: id)
        overtakes(id, queue)
        queues[queue].lastCopy = mark.time
        queues[queue].unsignalled.append(id)
        if queues[queue].unsignalled.count > RingOrder.mostWaiting { _ = queues[queue].unsignalled.popFirst() }
        putReceived(id, queue)
    }

    /// KVM says that a thread injects an interrupt.
    private mutating func injects(_ mark: Mark) {
        guard mark.inThread else { return }
        let worker = thread(of: mark)
        guard machines[0].threads[worker].queue >= 0 else { return }
        seesSignals = true
        signal(by: worker, at: mark.time, vector: UInt8(truncatingIfNeeded: mark.a))
    }

    /// The worker signals the guest: the interrupt of everything it copied since the last one.
    mutating func signal(by worker: Int32, at time: Nanoseconds, vector: UInt8) {
        let queue = Int(machines[0].threads[worker].queue)
        if queues[queue].path == .xdp || queues[queue].isCopiedUnseen { queues[queue].note(WorkerSignal(time: time, vector: vector)) }
        guard machines[0].threads[worker].isReceiving else { return }
        // Of frames it may have more to copy, for all that can be seen.
        if !queues[queue].hasFrames, !queues[queue].isCopiedUnseen { queues[queue].lastSettled = time }
        queues[queue].vector = Int32(vector)
        while let id = queues[queue].unsignalled.popFirst() {
            guard flights.contains(id), !flights[id].times.has(.guestIngress) else { continue }
            flights[id].times[.irqInject] = time
            flights[id].vector = vector
        }
    }

    /// A thread does what it does to inject an interrupt: good enough where no event of KVM's says so.
    mutating func mayInject(_ thread: Int32, at time: Nanoseconds) {
        let worker = machines[0].threads.index(thread)
        let queue = Int(machines[0].threads[worker].queue)
        guard !seesSignals, queue >= 0, machines[0].threads[worker].isReceiving, !queues[queue].unsignalled.isEmpty else { return }
        signal(by: worker, at: time, vector: 0)
    }

    /// The worker writes a guest's packet to the tap or macvtap.
    mutating func takeTransmitted(_ mark: Mark, queue: Int, length: Int32) {
        let worker = thread(of: mark)
        machines[0].threads[worker].isReceiving = false
        let id = takeFromGuest(queue, length: length)
        queues[queue].rings[Direction.transmit.index].lastTaken = mark.time
        name(id, mark.a, on: 0)
        if machines[0].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights[id].times[.hostIngress] = mark.time
        flights[id].worker = worker
        flights[id].queue = Int16(queue)
        flights[id].device = mark.name
        if flights[id].flags.isDisjoint(with: [.half, .cut]) { settleTransmitted(id) }
    }

    private mutating func hostFree(_ mark: Mark, _ lane: Int, reason: UInt32?) {
        let id = flight(mark.a, on: 0)
        guard !id.isNone else { return }
        unname(id)
        if flights[id].flags.contains(.uncopied) {
            if let reason { dropUncopied(id, reason) }
            return
        }
        if isWithVswitchd(id, isDropped: reason != nil) { return }
        if let reason {
            flights[id].dropReason = reason
        } else {
            takenUnseen(id)
        }
        if flights[id].direction == .transmit {
            // A driver may free the skb before it reports the transmission.
            if reason == nil, flights[id].times.has(.hostEgress), flights[id].interface == 0 { return }
            if reason != nil {
                end(id, .dropped)
            } else if flights[id].interface != 0 {
                end(id, .notRecorded)
            } else {
                cut(id, lane)
            }
        } else if flights[id].flags.contains(.seen), let queue = destination(of: id) {
            flights[id].queue = Int16(queue)
            end(id, reason == nil ? .notRecorded : .dropped)
        } else if flights[id].flags.contains(.seen), reason != nil {
            end(id, .dropped)
        } else {
            discard(id)
        }
    }
}
