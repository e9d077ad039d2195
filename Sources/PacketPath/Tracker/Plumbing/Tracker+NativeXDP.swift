// Native XDP: frames that have no skb on the host, and are their place in the order in which they were redirected.

import TraceData

extension Tracker {
    mutating func redirectBare(_ mark: Mark, _ lane: LaneID) {
        guard let queue = xdpQueue(mark.targetInterface) else { return }
        let id = newFlight(.receive, on: .host)
        flights[id].flags.formUnion([.seen, .bare])
        flights.stamp(id, .hostIngress, mark)
        flights[id].interface = mark.targetInterface
        flights[id].queue = queue
        queues[queue].hasFrames = true
        redirects.begin(from: mark.interface, on: lane)
        let nic = redirects.names[mark.interface] ?? 0
        flights[id].nic = nic
        let isOnlyOne = nic == 0 && lanes[lane].pendingCount == 1
        if let index = isOnlyOne ? 0 : lanes[lane].pollCause(receiving: nic, machines[.host].napi).index {
            stampInterrupt(id, lanes[lane].pending[index], lane)
        }
        // Each CPU sends its frames out by itself: in which order, no event tells.
        for other in redirects.frames(to: mark.targetInterface, butOn: lane) where flights.contains(other) {
            flights[id].flags.insert(.ambiguous)
            flights[other].flags.insert(.ambiguous)
        }
        redirects.add(id, to: mark.targetInterface, on: lane)
        putReceived(id, queue)
    }

    /// A worker is woken while frames of this CPU are on their way out: it is that of their device, if there is only
    /// one.
    mutating func wokenForFrames(_ frames: [RedirectedFrame], _ mark: Mark, _ lane: LaneID) {
        let worker = machines[.host].threads.index(mark.wokenThread)
        let interface = frames[0].interface
        let isTold = frames.allSatisfy { $0.interface == interface } && !flights.contains(lanes[lane].receiving)
        if isTold, let queue = xdpQueue(interface), queues[queue].worker != worker {
            serve(queue, worker, isWoken: true)
        }
        for frame in frames where flights.contains(frame.flight) && flights[frame.flight].direction == .receive {
            let id = frame.flight
            guard queues[flights[id].queue].worker == worker, !flights[id].times.has(.vhostWake) else { continue }
            flights.stamp(id, .vhostWake, mark)
            flights[id].wokenThread = mark.wokenThread
        }
    }

    mutating func takeBare(_ mark: Mark, _ lane: LaneID) {
        guard workers.contains(mark.threadID) else { return }
        let worker = thread(of: mark)
        let known = machines[.host].threads[worker].queue
        let queue: QueueID
        if !known.isNone, queues[known].interface == mark.interface || queues[known].interface == 0 {
            becomeXDP(known, mark.interface)
            queue = known
        } else if let found = xdpQueue(mark.interface) {
            if queues[found].worker != worker { serve(found, worker) }
            queue = found
        } else {
            return
        }
        machines[.host].threads[worker].isReceiving = false
        let id = takeFromGuest(queue, length: 0)
        queues[queue].rings[Direction.transmit.index].lastTaken = mark.time
        flights.unname(id)
        if machines[.host].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights[id].flags.insert(.bare)
        flights[id].machine = .host
        flights.stamp(id, .hostIngress, mark)
        flights[id].worker = worker
        flights[id].queue = queue
        flights[id].interface = mark.targetInterface
        flights[id].nic = redirects.names[mark.targetInterface] ?? 0
        redirects.add(id, to: mark.targetInterface, on: lane)
        if flights[id].flags.isDisjoint(with: [.half, .cut]) { traceNotification(id) }
    }

    /// A bulk of frames has been given to a device, the oldest first; those that found no room are dropped.
    mutating func bulkSent(_ mark: Mark, _ lane: LaneID) {
        let isFirst = redirects.native.insert(mark.interface).inserted
        if isFirst { neverRedirected(to: mark.targetInterface) }
        var left = mark.sent + mark.dropped
        var sent = mark.sent
        var isContradicted = false
        var kept: [RedirectedFrame] = []
        for frame in redirects.frames(on: lane) {
            guard frame.interface == mark.targetInterface else {
                kept.append(frame)
                continue
            }
            left -= 1
            sent -= 1
            let isLive = flights.contains(frame.flight)
            if isLive { leave(frame.flight, mark, isDropped: sent < 0) }
            // What has arrived was not dropped.
            if sent < 0, !isLive || !flights[frame.flight].flags.contains(.ended) { isContradicted = true }
        }
        redirects.keep(kept, on: lane)
        // All that was redirected on this CPU is in the bulk, and nothing else is: what is missing was taken for an
        // skb's redirect, or came before the recording.
        if left != 0 && (lanes[lane].isSoftIRQKnown || isFirst) || isContradicted { contradictedByBulk(mark) }
    }

    /// Frames went out, and more or fewer of them were redirected as far as the recording tells.
    private mutating func contradictedByBulk(_ mark: Mark) {
        let side: Direction = mark.inThread ? .transmit : .receive
        let interface = side == .transmit ? mark.interface : mark.targetInterface
        guard let queue = queues.firstID(where: { $0.interface == interface }) else { return }
        breakOrder(queue, .ambiguous, of: [side])
    }

    /// The interface's programs run in the driver, so what seemed to be redirected as an skb was not: a frame was,
    /// right after it.
    private mutating func neverRedirected(to interface: Int32) {
        var redirected: [FlightID] = []
        flights.forEachLive { id in
            guard flights[id].direction == .receive, flights[id].interface == interface,
                flights[id].flags.isDisjoint(with: [.bare, .half, .ended]), !flights[id].times.has(.vhostCopy)
            else { return }
            redirected.append(id)
        }
        for id in redirected {
            flights[id].flags.remove(.seen)
            flights[id].interface = 0
            flights.clear(id, .hostEgress)
        }
    }

    mutating func leave(_ id: FlightID, _ mark: Mark, isDropped: Bool) {
        if flights[id].direction == .transmit {
            if !isDropped { flights.stamp(id, .nicXmit, mark) }
            end(id, isDropped ? .dropped : .complete)
        } else if !isDropped {
            queues[flights[id].queue].lastCopy = mark.time
        } else if !flights[id].times.has(.guestIngress) {
            queues[flights[id].queue].rings[Direction.receive.index].remove(id)
            end(id, .dropped)
        }
    }
}
