// The host for itself: its own packets, between its NICs and its own applications. What goes on to another device, a tap's
// or a bridge's port, is somebody else's and does not count.

import ClockSync
import TraceData

extension Tracker {
    // Inlined into the loop over marks it takes that loop's registers, which costs 3 % of all.
    @inline(never)
    mutating func followHostPath(_ kind: MarkKind, _ mark: Mark, _ lane: Int) {
        endWhatIsBrief(kind, mark, lane, 0)
        switch kind {
        case .taskSwitch:
            lanes[lane].isSettled = true
            followStack(kind, mark, lane, 0)
        case .napiReceive: if mark.name != loopback { comeIn(mark, lane, polled: true) }
        case .napiPoll: pollEnded(mark, lane, 0)
        case .stackReceive: ownStackReceive(mark, lane)
        case .netQueue: ownQueue(mark, lane)
        case .startXmit: ownStartXmit(mark, lane)
        case .xmitDone: ownXmitDone(mark, lane)
        case .copy, .consume:
            // A vhost worker takes it from a macvtap.
            if mark.inThread, workers.contains(mark.thread) { leave(flight(mark.a, on: 0)) }
            followStack(kind, mark, lane, 0)
        case .drop: ownDrop(mark, lane)
        default: followStack(kind, mark, lane, 0)
        }
    }

    // MARK: Receive

    /// A packet comes in, unless it did so before and has only come up, out of a tunnel for example.
    private mutating func comeIn(_ mark: Mark, _ lane: Int, polled: Bool) {
        if comesUp(flight(mark.a, on: 0), mark) { return }
        let id = arrive(mark, lane, polled: polled)
        // Both events count without the Ethernet header.
        flights[id].length = mark.frameLength + 14
        flights[id].flags.insert(.seen)
    }

    private mutating func ownStackReceive(_ mark: Mark, _ lane: Int) {
        guard mark.name != loopback else {
            lanes[lane].receive(.none, at: mark.time)
            return
        }
        let known = flight(mark.a, on: 0)
        // A driver gives it to GRO first, and GRO to the stack.
        let isKnown = comesUp(known, mark) || isReceived(known) && flights[known].nic == mark.name && flights[known].delivered == 0
        if !isKnown, mark.inThread {
            // Written to a tap: a guest sends it.
            notOwn(mark.a)
            lanes[lane].carry(flight(mark.a, on: 0), mark)
            return
        }
        if !isKnown {
            comeIn(mark, lane, polled: false)
            if !lanes[lane].isSettled { flights[flight(mark.a, on: 0)].flags.insert(doubt(on: 0)) }
        }
        let id = flight(mark.a, on: 0)
        beginReceipt(lane)
        lanes[lane].receive(id, at: mark.time)
        flights[id].delivered = mark.length &+ 14
        flights[id].deliveredAt = mark.time
        flights[id].deliverer = mark.name
        lanes[lane].carry(id, mark)
        awaitReader(id, 0)
    }

    /// A packet that the stack had by another device before: a tunnel's, a bridge's, a VLAN's. It has become shorter, if anything; one that was
    /// given to an application, or to TCP, is not given to the stack again.
    private func comesUp(_ id: FlightID, _ mark: Mark) -> Bool {
        guard isReceived(id), flights[id].nic != mark.name, flights[id].socket == 0, flights[id].flags.isDisjoint(with: [.tcp, .split])
        else { return false }
        return flights[id].delivered == 0 || mark.length &+ 14 <= flights[id].delivered
    }

    /// A packet that came in, and has not left the host again.
    private func isReceived(_ id: FlightID) -> Bool {
        !id.isNone && flights[id].direction == .receive && flights[id].flags.contains(.seen)
    }

    // MARK: Not the host's own

    /// A packet that came in goes on to somebody else. It keeps its address, so that it is not taken for a new one.
    private mutating func leave(_ id: FlightID) {
        if flights.contains(id), flights[id].direction == .receive { flights[id].flags.remove(.seen) }
    }

    /// A packet that somebody else brought to the host, and that goes on from here.
    private mutating func notOwn(_ skb: UInt64) { name(newFlight(.receive, on: 0), skb, on: 0) }

    /// Whether a packet on its way to a device is on its way through, from wherever it came.
    private mutating func passesThrough(_ mark: Mark, _ lane: Int) -> Bool {
        let id = flight(mark.a, on: 0)
        if !id.isNone, flights[id].direction == .receive {
            // If it is another packet, the one that had the address before was freed without an event.
            guard goesOn(id, mark, lane) else { return false }
            leave(id)
            flights[id].flags.insert(.queued)
            return true
        }
        guard id.isNone, mark.inThread, workers.contains(mark.thread) else { return false }
        // A vhost worker sends it for its guest, on a macvtap.
        notOwn(mark.a)
        flights[flight(mark.a, on: 0)].flags.insert(.queued)
        return true
    }

    // MARK: Transmit

    private mutating func ownQueue(_ mark: Mark, _ lane: Int) {
        guard mark.name != loopback, !passesThrough(mark, lane) else { return }
        let id = flight(mark.a, on: 0)
        if !id.isNone, flights[id].times.has(.hostEgress), lanes[lane].isHandingOver(id) {
            // On to the next one of stacked devices: VLAN, bond, bridge.
            flights[id].flags.insert(.queued)
        } else {
            queued(mark, lane, 0)
        }
    }

    private mutating func ownStartXmit(_ mark: Mark, _ lane: Int) {
        guard mark.name != loopback else { return }
        guard !passesThrough(mark, lane) else {
            lanes[lane].beginHandover(mark, flight(mark.a, on: 0), port: -1)
            return
        }
        let known = flight(mark.a, on: 0)
        let isStacked =
            !known.isNone && flights[known].times.has(.hostEgress)
            && (flights[known].flags.contains(.queued) || lanes[lane].isHandingOver(known))
        let id = isStacked ? known : sending(mark, 0)
        flights[id].flags.remove(.queued)
        flights[id].flags.insert(.seen)
        // Of stacked devices the last one is the NIC.
        flights[id].times[.hostEgress] = mark.time
        flights[id].nic = mark.name
        flights[id].length = mark.frameLength
        lanes[lane].beginHandover(mark, id, port: -1)
    }

    private mutating func ownXmitDone(_ mark: Mark, _ lane: Int) {
        guard let handover = lanes[lane].endHandover(mark.a), flights.contains(handover.flight) else { return }
        let id = handover.flight
        // Up to NET_XMIT_MASK the driver has taken it, include/linux/netdevice.h (dev_xmit_complete); else it is tried again.
        let isTaken = mark.returnCode < 0x0f
        guard flights[id].direction == .transmit else {
            if isTaken { discard(id) }
            return
        }
        if !isTaken {
            flights[id].flags.insert(.queued)
            flights[id].flags.remove(.seen)
            flights[id].times[.hostEgress] = PointTimes.absent
        } else if mark.returnCode == 0, !flights[id].flags.contains(.queued) {
            flights[id].times[.nicXmit] = mark.time
            unname(id)
            end(id, .complete)
        }
    }

    private mutating func ownDrop(_ mark: Mark, _ lane: Int) {
        let id = flight(mark.a, on: 0)
        guard !id.isNone else { return }
        unname(id)
        if isOriginalOfCopy(id, mark, lane, 0) { return }
        leaveSocket(id, 0)
        endFragments(of: id, .dropped, 0)
        flights[id].dropReason = UInt32(truncatingIfNeeded: mark.b)
        end(id, .dropped)
    }

    // MARK: End

    /// Hands a journey of the host's own on.
    mutating func emitOwn(_ id: FlightID) {
        let outcome = outcome(of: id, .host)
        let journey = Journey(
            machine: 0, device: flights[id].nic, path: .host, hostDevice: 0, nic: flights[id].nic, direction: flights[id].direction,
            queue: 0, length: Int(flights[id].length), outcome: outcome, dropReason: outcome == .dropped ? flights[id].dropReason : 0,
            delivery: .unknown, vcpuState: flights[id].vcpuState, times: flights[id].times, host: flights[id].host)
        sink.take(journey)
    }

    /// The recording is over: ends all that is still on its way.
    mutating func finishOwn() {
        var live: [FlightID] = []
        flights.forEachLive { live.append($0) }
        for id in live { end(id, flights[id].direction == .transmit ? untransmitted : outcomeAtEdge(of: id)) }
    }

    /// What becomes of a packet that a driver was given and never reported.
    var untransmitted: Outcome { count(of: .xmitDone, on: 0) == 0 ? .notRecorded : .traceEdge }
}
