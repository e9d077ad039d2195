// The recording is over: what is still on its way ends, and what waited for evidence has all there will be.

extension Tracker {
    /// The recording is over: ends all that is still on its way.
    /// - Returns: guest devices whose packets no queue of the host turned up for, with their number.
    package mutating func finish() -> [UnclaimedPackets] {
        breakAllGroups()
        for machine in machines.ids {
            loseCopies(machine, .traceEdge)
            loseSockets(machine, nil)
            decideAllCalls(machine)
        }
        if followsHost {
            divideReads()
            finishOwn()
            return []
        }
        for port in ports.ids { becomeByElimination(port) }
        joinSiblings()
        joinRemaining()
        divideReads()
        for queue in queues.ids { finish(queue) }
        var unclaimed: [UnclaimedPackets] = []
        for port in ports.ids where pathKind(of: port) == nil {
            let count = ports[port].unclaimed + ports[port].takens.count + ports[port].puts.count
            if count > 0 {
                unclaimed.append(
                    UnclaimedPackets(machine: ports[port].machine.row, device: ports[port].device, count: count))
            }
        }
        endLive()
        handOnOrphans()
        return unclaimed
    }

    /// Packets that are still on their way to or from a guest end; others were nobody's.
    private mutating func endLive() {
        var live: [FlightID] = []
        flights.forEachLive { live.append($0) }
        for id in live {
            let flight = flights[id]
            let queue = !flight.queue.isNone ? flight.queue : destination(of: id) ?? .none
            let isGuests =
                flight.direction == .receive
                ? !queue.isNone && !queues[queue].port.isNone
                    || !flight.port.isNone && ports[flight.port].passage != .none
                : !flight.port.isNone && pathKind(of: flight.port) != nil || !queue.isNone && !queues[queue].port.isNone
            guard isGuests, flight.flags.contains(.seen) else {
                flights.discard(id)
                continue
            }
            flights[id].queue = queue.isNone ? ports[flight.port].queue : queue
            flights[id].flags.subtract([.half, .unconfirmed, .unproven, .callUnknown])
            if !flight.flags.contains(.ended) { flights[id].outcome = outcomeAtEdge(of: id) }
            emit(id)
        }
    }

    /// Journeys that ended before it was known whose they are are handed on, if that is known by now.
    private mutating func handOnOrphans() {
        for (index, (journey, port)) in orphans.enumerated() {
            var port = port
            if port.isNone {
                guard let queue = knownQueue(journey.hostDevice) else { continue }
                port = queues[queue].port
            }
            guard !port.isNone, pathKind(of: port) != nil else { continue }
            var journey = journey
            // Followed as a macvtap's, before its worker wrote to another sort of device, where more should have been
            // seen; or where a tap would have looked the same, because what is put on one was not recorded.
            let isOther = journey.path == .macvtap && pathKind(of: port) != .macvtap
            let isUnproven = journey.path == .macvtap && count(of: .startXmit, on: .host) == 0
            if isOther || isUnproven, journey.outcome == .complete { journey.outcome = .notRecorded }
            identify(&journey, port)
            handOn(&journey, witness == nil ? nil : evidenceOfOrphans[index])
        }
        orphans.removeAll()
        for (packet, count) in uncounted.sorted(by: { $0.key < $1.key }) {
            let port =
                !packet.port.isNone ? packet.port : knownQueue(packet.hostDevice).map { queues[$0].port } ?? .none
            guard !port.isNone, pathKind(of: port) != nil else { continue }
            var journey = packet.journey
            identify(&journey, port)
            for _ in 0..<count { handOn(&journey, nil) }
        }
        uncounted.removeAll()
    }

    /// The recording is over: ends all that is still on its way.
    mutating func finishOwn() {
        var live: [FlightID] = []
        flights.forEachLive { live.append($0) }
        for id in live { end(id, flights[id].direction == .transmit ? untransmitted : outcomeAtEdge(of: id)) }
    }

    /// What the order of a queue's rings was not proven for.
    private mutating func finish(_ queue: QueueID) {
        let port = queues[queue].port
        for side in Direction.allCases {
            // Both sides are there perhaps, and nothing ever proved which is which.
            let isUnrecorded = !port.isNone && side == .receive && count(of: .napiPoll, on: ports[port].machine) == 0
            queues[queue].rings[side.index].finish(
                isJoined: !port.isNone, unproven: isUnrecorded ? .notRecorded : .ambiguous, flights)
            carryOut(queue, side)
        }
    }
}
