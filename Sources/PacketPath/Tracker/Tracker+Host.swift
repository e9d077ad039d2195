// The host's share of a packet's way: NIC to worker on receive, worker to NIC on transmit.

import TraceData

extension Tracker {
    mutating func followHost(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID) {
        endWhatIsBrief(kind, mark, lane, .host)
        switch kind {
        case .taskSwitch:
            lanes[lane].isSoftIRQKnown = true
            hostSwitch(mark)
        case .waking: hostWaking(mark, lane)
        case .vmEntry: vmEntry(mark)
        case .vmExit: vmExit(mark)
        case .injectVirq: injected(mark)
        case .doorbell: doorbell(mark)
        case .msi: if mark.inHardIRQ { deviceInjects(mark, lane) } else { injects(mark) }
        case .signalHint: if mark.inThread { mayInject(mark.threadID, at: mark.time) }
        case .napiReceive: arrive(mark, lane, polled: true)
        case .groMerged:
            // The frame goes on inside another one; what is put on a queue is that one.
            let id = lanes[lane].polled
            if flights.contains(id) { flights.discard(id) }
        case .napiPoll:
            redirects.endPoll(of: mark.name, on: lane)
            pollEnded(mark, lane, .host)
        case .stackReceive: hostStackReceive(mark, lane)
        case .netQueue: hostQueue(mark, lane)
        case .startXmit: hostStartXmit(mark, lane)
        case .xmitDone: hostXmitDone(mark, lane)
        case .copy: if mark.inThread { taken(mark) }
        case .consume: hostFree(mark, lane, reason: nil)
        case .drop: hostFree(mark, lane, reason: mark.dropReason)
        case .ovsUpcall: ovsUpcall(mark, lane)
        case .ovsAction: ovsAction(mark, lane)
        case .redirect: redirected(mark, lane)
        case .bulkXmit: bulkSent(mark, lane)
        case .stackReturn: stackReturned(lane, mark)
        default: followInterrupts(kind, mark, lane, .host)
        }
    }

    private mutating func hostStackReceive(_ mark: Mark, _ lane: LaneID) {
        if mark.name == loopback {
            passLoopback(mark, .host)
            beginReceipt(lane)
            lanes[lane].receive(.none, at: mark.time)
            return
        }
        var known = flight(mark.a, on: .host)
        let isCarried = lanes[lane].isCarrying(known, mark)
        if mark.inThread, known.isNone || isWorker(mark.threadID, of: mark.name) || !isCarried {
            // A packet written to a tap by the thread that serves it.
            let worker = thread(of: mark)
            // netif_receive_skb counts without the Ethernet header.
            takeTransmitted(mark, queue: tapQueue(mark.name, worker: worker), length: mark.length + 14)
            known = flight(mark.a, on: .host)
            lanes[lane].written = known
        } else if known.isNone || !isCarried && isAgain(known, mark) {
            known = arrive(mark, lane, polled: false)
            if !lanes[lane].isSoftIRQKnown { flights[known].flags.insert(doubt(on: .host)) }
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
        lanes[lane].fresh = flight(mark.a, on: .host)
        lanes[lane].carry(lanes[lane].fresh, mark)
    }

    private func isWorker(_ thread: ThreadID, of device: UInt16) -> Bool {
        queues.ids.contains { queues[$0].device == device && workerThread(of: $0) == thread }
    }

    /// A device's queueing discipline gets a packet; the driver may get it later, from whichever thread comes by.
    private mutating func hostQueue(_ mark: Mark, _ lane: LaneID) {
        let id = flight(mark.a, on: .host)
        if !id.isNone, isUnderWay(id, mark, lane) { flights[id].flags.insert(.queued) }
    }

    private mutating func hostStartXmit(_ mark: Mark, _ lane: LaneID) {
        if mark.inThread, mayServeMacvtap(mark), macvtapTransmits(mark, lane) { return }
        if lanes[lane].segmented != nil, sendsSegment(mark, lane) { return }
        var id = flight(mark.a, on: .host)
        if !id.isNone, flights[id].times.has(.hostIngress), !goesOn(id, mark, lane) {
            if count(of: .netQueue, on: .host) > 0 || isAnswer(id, mark) {
                id = .none
            } else {
                // It may have waited in a queue, or be another packet. Without net_dev_queue, what was meant for others
                // and has its length is it.
                let length = flights[id].delivered != 0 ? flights[id].delivered : flights[id].length
                let isSame = !flights[id].flags.contains(.up) && [mark.length, mark.frameLength].contains(length)
                if !isSame { flights[id].flags.insert(.ambiguous) }
            }
        }
        if !id.isNone { flights[id].flags.remove(.queued) }
        if id.isNone {
            // Sent by the host itself.
            id = newFlight(.receive, on: .host)
            name(id, mark.a, on: .host)
            // … or by a softirq that was running before there was anything to see.
            if mark.inSoftIRQ, !lanes[lane].isSoftIRQKnown { flights[id].flags.insert(doubt(on: .host)) }
        }
        if flights[id].direction == .transmit {
            if !flights[id].times.has(.nicXmit) {
                flights.stamp(id, .hostEgress, mark)
                flights[id].nic = mark.name
                flights[id].pair = mark.transmitQueue
                if !flights[id].queue.isNone { learnPath(flights[id].queue, of: id) }
            }
        } else {
            flights.stamp(id, .hostEgress, mark)
            flights.clear(id, .vhostWake)
            flights[id].device = mark.name
            flights[id].pair = mark.transmitQueue
            flights[id].length = mark.frameLength
            flights[id].flags.insert(.seen)
            if redirects.isInUse { meetsFrames(id) }
            if copiesAreUnseen { putUncopied(id, mark, lane) }
        }
        lanes[lane].beginHandover(mark, id, port: .none)
    }

    private mutating func hostXmitDone(_ mark: Mark, _ lane: LaneID) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        if lanes[lane].segmented != nil, sentSegment(id, mark, lane) { return }
        // Sent back to the queue: it will be tried again.
        if mark.returnCode != 0 { flights[id].flags.insert(.queued) }
        if flights[id].flags.contains(.uncopied) {
            // From here on its address is of no use: when the worker frees it, no event tells either.
            if flights[id].skb == mark.a { flights.unname(id) }
            return
        }
        guard flights[id].direction == .transmit, !flights[id].times.has(.nicXmit), mark.returnCode == 0 else { return }
        flights.stamp(id, .nicXmit, mark)
        // Where the device is another guest's tap, the packet is one for that guest from here on.
        if flights[id].skb != 0, !nics.contains(flights[id].nic) { forkReceived(id) }
        flights.unname(id)
        end(id, .complete)
    }

    /// A worker copies a packet that nothing is known of: it came in a hole. It has its place in the queue's order all
    /// the same.
    private mutating func stranger(_ mark: Mark) -> FlightID {
        let queue = machines[.host].threads[thread(of: mark)].queue
        guard !queue.isNone, queues[queue].path != .macvtap, machines[.host].validFrom != PointTimes.absent else {
            return .none
        }
        let id = newFlight(.receive, on: .host)
        flights[id].flags.formUnion([.seen, doubt(on: .host)])
        flights[id].device = queues[queue].device
        flights[id].length = mark.copied
        return id
    }

    /// The worker takes a packet from the tap and copies it to the guest's buffers.
    mutating func taken(_ mark: Mark) {
        if mayServeMacvtap(mark), macvtapReceives(mark) { return }
        var id = flight(mark.a, on: .host)
        if id.isNone { id = stranger(mark) }
        guard !id.isNone, flights[id].flags.contains(.seen) else { return }
        if flights[id].direction == .transmit {
            guard flights[id].times.has(.hostEgress) else { return }
            id = forkReceived(id)
        }
        let worker = thread(of: mark)
        let isRedirected = flights[id].interface != 0
        // It came without the Ethernet header and is copied with it.
        if isRedirected { flights[id].length = mark.copied }
        copied(
            id, mark,
            queue: isRedirected ? xdpQueue(of: id, worker: worker) : tapQueue(flights[id].device, worker: worker))
    }

    private mutating func hostFree(_ mark: Mark, _ lane: LaneID, reason: UInt32?) {
        let id = flight(mark.a, on: .host)
        guard !id.isNone else { return }
        flights.unname(id)
        if reason != nil, isDropOfAnother(mark, id) { return }
        if flights[id].flags.contains(.uncopied) {
            if let reason { dropUncopied(id, reason) }
            return
        }
        if !upcalls.isEmpty, isWithVswitchd(id, isDropped: reason != nil) { return }
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
            flights[id].queue = queue
            end(id, reason == nil ? .notRecorded : .dropped)
        } else if flights[id].flags.contains(.seen), reason != nil {
            end(id, .dropped)
        } else {
            flights.discard(id)
        }
    }
}
