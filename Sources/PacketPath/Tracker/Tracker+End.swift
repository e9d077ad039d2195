// How flights end: as journeys that are handed on, or as something that never was a guest's packet.

import ClockSync

extension Tracker {
    /// The packet's way is over. Where its identity is not settled yet, the journey waits for that.
    mutating func end(_ id: FlightID, _ outcome: Outcome) {
        settleOwed(id)
        flights[id].outcome = outcome
        flights[id].flags.insert(.ended)
        emitIfSettled(id)
    }

    /// Hands a journey on once it has ended and nothing about its identity is open.
    mutating func emitIfSettled(_ id: FlightID) {
        if flights[id].flags.isDisjoint(with: [.half, .unconfirmed, .unproven, .callUnknown, .givenBack]),
            flights[id].flags.contains(.ended)
        {
            emit(id)
        }
    }

    /// It was nobody's packet: the host's own, or a half whose other half is counted.
    mutating func discard(_ id: FlightID) {
        unname(id)
        flights.release(id)
    }

    /// Its address belongs to another packet now, and no event said that it was freed.
    mutating func reborn(_ id: FlightID) {
        flights[id].skb = 0
        let flags = flights[id].flags
        guard !flags.contains(.ended), flights[id].socket == 0 else { return }
        if flights[id].direction == .receive {
            if flights[id].times.has(.guestIngress) || followsHost && flags.contains(.seen) {
                // A reader's copy is always an event; the kernel itself frees some packets without one.
                if isReadSilently(id) {
                    end(id, .notRecorded)
                } else if mayBeMerged(id) {
                    flights[id].flags.insert(.unsettled)
                } else {
                    end(id, .kernelConsumed)
                }
            } else if flags.contains(.seen), destination(of: id) != nil {
                takenUnseen(id)
                if !flights[id].times.has(.vhostCopy) { end(id, .notRecorded) }
            } else {
                discard(id)
            }
        } else if flights[id].times.has(.hostIngress) {
            if !flights[id].times.has(.hostEgress) {
                end(id, .kernelConsumed)
            } else if !flights[id].times.has(.nicXmit), !isHandedOver(id) {
                end(id, count(of: .xmitDone, on: 0) == 0 ? .notRecorded : .lostEvents)
            }
        } else if flags.contains(.queued) {
            discard(id)
        } else if followsHost, flags.contains(.seen), !isHandedOver(id) {
            end(id, count(of: .xmitDone, on: 0) == 0 ? .notRecorded : .lostEvents)
        }
    }

    /// Whether a driver on any CPU has the packet and has not said what became of it.
    private func isHandedOver(_ id: FlightID) -> Bool { lanes.indices.contains { lanes[$0].isHandingOver(id) } }

    /// Hands a journey on and forgets the flight.
    mutating func emit(_ id: FlightID) {
        unname(id)
        // Read where it stands: a flight is large, and every packet comes by here.
        defer { flights.release(id) }
        guard flights[id].flags.contains(.seen) else { return }
        if followsHost {
            emitOwn(id)
            return
        }
        let queue = Int(flights[id].queue)
        let port = queue >= 0 ? Int(queues[queue].port) : Int(flights[id].port)
        if flights[id].flags.contains(.recorders) {
            if port >= 0 { machines[Int(ports[port].machine)].recorderPackets += 1 }
            return
        }
        let path = queue >= 0 ? queues[queue].path : port >= 0 ? pathKind(of: port) ?? .tap : .tap
        let outcome = outcome(of: id, path)
        var journey = Journey(
            machine: -1, device: 0, path: path, hostDevice: flights[id].device, nic: flights[id].nic, direction: flights[id].direction,
            queue: port >= 0 ? Int(ports[port].pair) : 0, length: Int(flights[id].length), outcome: outcome,
            dropReason: outcome == .dropped ? flights[id].dropReason : 0, delivery: flights[id].delivery,
            isKnownByOrderAlone: flights[id].flags.contains(.bare), relay: flights[id].relay, vcpuState: flights[id].vcpuState,
            times: flights[id].times, host: flights[id].host)
        let isIdentified = port >= 0 && pathKind(of: port) != nil
        // A macvtap without a name may yet turn out to be something else, and a tap to be Open vSwitch's.
        let isDoubtful =
            queue >= 0 && (queues[queue].path == .macvtap ? queues[queue].device == 0 : !queues[queue].isPathCertain)
        if !isIdentified || isDoubtful, orphans.count < Self.mostOrphans {
            orphans.append((journey, Int16(port)))
        } else if isIdentified {
            identify(&journey, port)
            sink.take(journey)
        } else {
            uncounted[UncountedPacket(journey, port), default: 0] += 1
        }
    }

    /// So many journeys are kept at the most whose packets' device is not known yet; of more there is only a count.
    private static let mostOrphans = 1 << 16

    /// How a journey ended, all things known.
    func outcome(of id: FlightID, _ path: PathKind) -> Outcome {
        let flags = flights[id].flags
        var outcome = flights[id].outcome
        if flags.contains(.cut) { outcome = .traceEdge }
        if outcome == .complete { outcome = verdict(id, path) }
        if flags.contains(.lost) {
            outcome = .lostEvents
        } else if flags.contains(.ambiguous) {
            outcome = .ambiguous
        }
        return outcome
    }

    private func identify(_ journey: inout Journey, _ port: Int) {
        journey.machine = Int(ports[port].machine)
        journey.device = ports[port].device
        if let path = pathKind(of: port) { journey.path = path }
        if ports[port].queue >= 0 { journey.hostDevice = queues[Int(ports[port].queue)].device }
    }

    /// A complete journey has all points its path demands, none before the one it follows.
    private func verdict(_ id: FlightID, _ path: PathKind) -> Outcome {
        var first = PointTimes.absent
        var last = PointTimes.absent
        for rule in paths[path, flights[id].direction] {
            let time = flights[id].times[rule.point]
            if time == PointTimes.absent {
                let isUnseen = rule.point == .vhostCopy && flights[id].flags.contains(.uncopied)
                if !rule.isOptional, !isUnseen { return .notRecorded }
                continue
            }
            if time < last { return .ambiguous }
            if first == PointTimes.absent { first = time }
            last = time
        }
        // Centuries between two points: a corrupt timestamp.
        return last.subtractingReportingOverflow(first).overflow ? .ambiguous : .complete
    }

    /// The recording is over: ends all that is still on its way.
    /// - Returns: guest devices whose packets no queue of the host turned up for, with their number.
    package mutating func finish() -> [UnclaimedPackets] {
        breakAllGroups()
        for machine in 0..<machineCount {
            loseSockets(machine, nil)
            settleAllCalls(machine)
        }
        if followsHost {
            settleStreams()
            finishOwn()
            return []
        }
        for port in ports.indices { becomeByElimination(port) }
        joinSiblings()
        joinRemaining()
        settleStreams()
        for queue in queues.indices { finish(queue) }
        var unclaimed: [UnclaimedPackets] = []
        for port in ports.indices where pathKind(of: port) == nil {
            let count = ports[port].unclaimed + ports[port].takens.count + ports[port].puts.count
            if count > 0 {
                unclaimed.append(UnclaimedPackets(machine: Int(ports[port].machine), device: ports[port].device, count: count))
            }
        }
        var live: [FlightID] = []
        flights.forEachLive { live.append($0) }
        for id in live {
            let flight = flights[id]
            let queue = flight.queue >= 0 ? Int(flight.queue) : destination(of: id) ?? -1
            let isGuests =
                flight.direction == .receive
                ? queue >= 0 && queues[queue].port >= 0 || flight.port >= 0 && ports[Int(flight.port)].passage != .none
                : flight.port >= 0 && pathKind(of: Int(flight.port)) != nil || queue >= 0 && queues[queue].port >= 0
            guard isGuests, flight.flags.contains(.seen) else {
                discard(id)
                continue
            }
            flights[id].queue = Int16(queue >= 0 ? queue : Int(ports[Int(flight.port)].queue))
            flights[id].flags.subtract([.half, .unconfirmed, .unproven, .callUnknown])
            if !flight.flags.contains(.ended) { flights[id].outcome = outcomeAtEdge(of: id) }
            emit(id)
        }
        for (journey, port) in orphans {
            var port = Int(port)
            if port < 0 {
                guard let queue = knownQueue(journey.hostDevice) else { continue }
                port = Int(queues[queue].port)
            }
            guard port >= 0, pathKind(of: port) != nil else { continue }
            var journey = journey
            // Followed as a macvtap's, before its worker wrote to another sort of device, where more should have been seen;
            // or where a tap would have looked the same, because what is put on one was not recorded.
            let isOther = journey.path == .macvtap && pathKind(of: port) != .macvtap
            let isUnproven = journey.path == .macvtap && count(of: .startXmit, on: 0) == 0
            if isOther || isUnproven, journey.outcome == .complete { journey.outcome = .notRecorded }
            identify(&journey, port)
            sink.take(journey)
        }
        orphans.removeAll()
        for (packet, count) in uncounted.sorted(by: { $0.key < $1.key }) {
            let port = packet.port >= 0 ? packet.port : knownQueue(packet.hostDevice).map { Int(queues[$0].port) } ?? -1
            guard port >= 0, pathKind(of: port) != nil else { continue }
            var journey = packet.journey
            identify(&journey, port)
            for _ in 0..<count { sink.take(journey) }
        }
        uncounted.removeAll()
        return unclaimed
    }

    /// What becomes of a packet that was on its way when the recording ended.
    mutating func outcomeAtEdge(of id: FlightID) -> Outcome {
        // Freed in its own receipt, which is cut off.
        if flights[id].flags.contains(.split), flights[id].socket == 0 { return .kernelConsumed }
        let isOfSilentStream = flights[id].flags.contains(.tcp) && machines[Int(flights[id].machine)].hasSilentStreams
        if isReadSilently(id) || isOfSilentStream { return .notRecorded }
        // Of a connection that begins or ends: on a socket it would be if anybody could read it.
        if isForTCPItself(id) { return .kernelConsumed }
        // Read with another one perhaps: that is not known, and no edge's fault.
        return flights[id].flags.contains(.unsettled) ? .ambiguous : .traceEdge
    }

    /// What the order of a queue's rings was not proven for.
    private mutating func finish(_ queue: Int) {
        let port = Int(queues[queue].port)
        for side in Direction.allCases {
            confirmAll(queue, side)
            let puts = queues[queue].rings[side.index].puts
            let takens = queues[queue].rings[side.index].takens
            guard port >= 0 else { continue }
            var outcome = queues[queue].rings[side.index].leftover
            if !puts.isEmpty, !takens.isEmpty {
                // Both sides are there, and nothing ever proved which is which.
                let polls = count(of: .napiPoll, on: Int(ports[port].machine))
                outcome = side == .receive && polls == 0 ? .notRecorded : .ambiguous
                for index in 0..<puts.count where flights.contains(puts[index]) { end(puts[index], outcome) }
                queues[queue].rings[side.index].counted += puts.count
            }
            for index in 0..<takens.count { endTaken(takens[index], outcome, queue, side) }
        }
    }
}

/// Packets of a guest device that no queue of the host was found for.
package struct UnclaimedPackets: Sendable {
    /// Index of the guest's machine.
    package var machine: Int
    /// Guest device, by name.
    package var device: UInt16
    package var count: Int
}

/// Packets of which there is only a count: more than were kept until their device was known.
struct UncountedPacket: Hashable, Comparable {
    /// Index of the guest's device, -1 while unknown.
    var port: Int
    /// Host device, by name.
    var hostDevice: UInt16
    var direction: Direction
    var outcome: Outcome

    init(_ journey: borrowing Journey, _ port: Int) {
        self.port = port
        hostDevice = journey.hostDevice
        direction = journey.direction
        // What it took is not known any more.
        outcome = journey.outcome == .complete ? .ambiguous : journey.outcome
    }

    /// One of them, without any time.
    var journey: Journey {
        Journey(
            machine: -1, device: 0, path: .tap, hostDevice: hostDevice, nic: 0, direction: direction, queue: 0, length: 0, outcome: outcome,
            dropReason: 0, delivery: .unknown, vcpuState: .unknown, times: PointTimes(), host: HostTimes())
    }

    static func < (left: UncountedPacket, right: UncountedPacket) -> Bool {
        (left.port, left.hostDevice, left.direction.rawValue, left.outcome.rawValue)
            < (right.port, right.hostDevice, right.direction.rawValue, right.outcome.rawValue)
    }
}
