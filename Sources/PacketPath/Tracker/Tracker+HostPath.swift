// The host for itself: its own packets, between its NICs and its own applications. What goes on to another device, a
// tap's or a bridge's port, is somebody else's and does not count.

import TraceData

extension Tracker {
    // Inlined into the loop over marks it takes that loop's registers, which costs 3 % of all.
    @inline(never)
    mutating func followHostPath(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID) {
        endWhatIsBrief(kind, mark, lane, .host)
        switch kind {
        case .taskSwitch: followStack(kind, mark, lane, .host)
        case .napiReceive:
            if mark.name == loopback { passLoopback(mark, .host) } else { comeIn(mark, lane, polled: true) }
        case .napiPoll: pollEnded(mark, lane, .host)
        case .stackReceive: ownStackReceive(mark, lane)
        case .netQueue: ownQueue(mark, lane)
        case .startXmit: ownStartXmit(mark, lane)
        case .xmitDone: ownXmitDone(mark, lane)
        case .copy, .consume:
            // A vhost worker takes it from a macvtap.
            if mark.inThread, workers.contains(mark.threadID) { leave(flight(mark.a, on: .host)) }
            followStack(kind, mark, lane, .host)
        case .drop: ownDrop(mark, lane)
        default: followStack(kind, mark, lane, .host)
        }
    }

    /// A packet comes in, unless it did so before and has only come up, out of a tunnel for example.
    /// - Returns: the packet. Its address may be one that is never known again: 0, which no kernel writes.
    @discardableResult private mutating func comeIn(_ mark: Mark, _ lane: LaneID, polled: Bool) -> FlightID {
        let known = flight(mark.a, on: .host)
        if comesUp(known, mark) { return known }
        let id = arrive(mark, lane, polled: polled)
        // Both events count without the Ethernet header.
        flights[id].length = mark.frameLength + 14
        flights[id].flags.insert(.seen)
        return id
    }

    private mutating func ownStackReceive(_ mark: Mark, _ lane: LaneID) {
        guard mark.name != loopback else {
            passLoopback(mark, .host)
            lanes[lane].receive(.none, at: mark.time)
            return
        }
        let known = flight(mark.a, on: .host)
        // A driver gives it to GRO first, and GRO to the stack.
        let isKnown =
            comesUp(known, mark)
            || isReceived(known) && flights[known].nic == mark.name && flights[known].delivered == 0
        if !isKnown, mark.inThread {
            // Written to a tap: a guest sends it.
            lanes[lane].carry(notOwn(mark.a), mark)
            return
        }
        let id = isKnown ? known : comeIn(mark, lane, polled: false)
        if !isKnown, !lanes[lane].isSoftIRQKnown { flights[id].flags.insert(doubt(on: .host)) }
        beginReceipt(lane)
        lanes[lane].receive(id, at: mark.time)
        flights[id].delivered = mark.length &+ 14
        flights[id].deliveredAt = mark.time
        flights[id].deliverer = mark.name
        lanes[lane].carry(id, mark)
        awaitReader(id, .host)
    }

    /// A packet that the stack had by another device before: a tunnel's, a bridge's, a VLAN's. It has become shorter,
    /// if anything; one that was given to an application, or to TCP, is not given to the stack again.
    private func comesUp(_ id: FlightID, _ mark: Mark) -> Bool {
        guard isReceived(id), flights[id].nic != mark.name, flights[id].socket == 0,
            flights[id].flags.isDisjoint(with: [.tcp, .split])
        else { return false }
        return flights[id].delivered == 0 || mark.length &+ 14 <= flights[id].delivered
    }

    /// A packet that came in, and has not left the host again.
    private func isReceived(_ id: FlightID) -> Bool {
        !id.isNone && flights[id].direction == .receive && flights[id].flags.contains(.seen)
    }

    /// A packet that came in goes on to somebody else. It keeps its address, so that it is not taken for a new one.
    mutating func leave(_ id: FlightID) {
        if flights.contains(id), flights[id].direction == .receive { flights[id].flags.remove(.seen) }
    }

    /// A packet that somebody else brought to the host, and that goes on from here.
    private mutating func notOwn(_ skb: UInt64) -> FlightID {
        let id = newFlight(.receive, on: .host)
        name(id, skb, on: .host)
        return id
    }

    /// Whether a packet on its way to a device is on its way through, from wherever it came.
    private mutating func passesThrough(_ mark: Mark, _ lane: LaneID) -> Bool {
        let id = flight(mark.a, on: .host)
        if !id.isNone, flights[id].direction == .receive {
            // If it is another packet, the one that had the address before was freed without an event.
            guard goesOn(id, mark, lane) else { return false }
            leave(id)
            flights[id].flags.insert(.queued)
            return true
        }
        guard id.isNone, mark.inThread, workers.contains(mark.threadID) else { return false }
        // A vhost worker sends it for its guest, on a macvtap.
        flights[notOwn(mark.a)].flags.insert(.queued)
        return true
    }

    private mutating func ownQueue(_ mark: Mark, _ lane: LaneID) {
        guard mark.name != loopback else {
            passLoopback(mark, .host)
            return
        }
        guard !passesThrough(mark, lane) else { return }
        let id = flight(mark.a, on: .host)
        if !id.isNone, flights[id].times.has(.hostEgress), lanes[lane].isHandingOver(id) {
            // On to the next one of stacked devices: VLAN, bond, bridge.
            flights[id].flags.insert(.queued)
        } else {
            queued(mark, lane, .host)
        }
    }

    private mutating func ownStartXmit(_ mark: Mark, _ lane: LaneID) {
        guard mark.name != loopback else {
            passLoopback(mark, .host)
            return
        }
        guard !passesThrough(mark, lane) else {
            lanes[lane].beginHandover(mark, flight(mark.a, on: .host), port: .none)
            return
        }
        let known = flight(mark.a, on: .host)
        let isStacked =
            !known.isNone && flights[known].times.has(.hostEgress)
            && (flights[known].flags.contains(.queued) || lanes[lane].isHandingOver(known))
        let id = isStacked ? known : sending(mark, .host)
        flights[id].flags.remove(.queued)
        flights[id].flags.insert(.seen)
        // Of stacked devices the last one is the NIC.
        flights.stamp(id, .hostEgress, mark)
        flights[id].nic = mark.name
        flights[id].length = mark.frameLength
        lanes[lane].beginHandover(mark, id, port: .none)
    }

    private mutating func ownXmitDone(_ mark: Mark, _ lane: LaneID) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        // Up to NET_XMIT_MASK the driver has taken it, include/linux/netdevice.h (dev_xmit_complete); else it is tried
        // again.
        let isTaken = mark.returnCode < 0x0f
        guard flights[id].direction == .transmit else {
            if isTaken { flights.discard(id) }
            return
        }
        if !isTaken {
            flights[id].flags.insert(.queued)
            flights[id].flags.remove(.seen)
            flights.clear(id, .hostEgress)
        } else if mark.returnCode == 0, !flights[id].flags.contains(.queued) {
            flights.stamp(id, .nicXmit, mark)
            flights.unname(id)
            end(id, .complete)
        }
    }

    private mutating func ownDrop(_ mark: Mark, _ lane: LaneID) {
        let id = flight(mark.a, on: .host)
        guard !id.isNone else { return }
        flights.unname(id)
        if isDropOfAnother(mark, id) || isOriginalOfCopy(id, mark, lane, .host) { return }
        leaveSocket(id, .host)
        endFragments(of: id, .dropped, .host)
        flights[id].dropReason = mark.dropReason
        end(id, .dropped)
    }
}
