// How flights end: as journeys that are handed on, or as something that never was a guest's packet.

extension Tracker {
    /// The packet's way is over. Where its identity is not settled yet, the journey waits for that.
    mutating func end(_ id: FlightID, _ outcome: Outcome) {
        payOwed(id)
        flights.end(id, outcome)
        emitIfSettled(id)
    }

    mutating func endIfLive(_ id: FlightID, _ outcome: Outcome) {
        if flights.contains(id) { end(id, outcome) }
    }

    /// Hands a journey on once it has ended and nothing about its identity is open.
    mutating func emitIfSettled(_ id: FlightID) {
        if flights.isSettled(id) { emit(id) }
    }

    /// Hands a journey on and forgets the flight.
    mutating func emit(_ id: FlightID) {
        flights.unname(id)
        // Read where it stands: a flight is large, and every packet comes by here.
        defer { flights.release(id) }
        guard flights[id].flags.contains(.seen) else { return }
        if followsHost {
            emitOwn(id)
            return
        }
        let queue = flights[id].queue
        let port = queue.isNone ? flights[id].port : queues[queue].port
        if flights[id].flags.contains(.recorders) {
            if !port.isNone { machines[ports[port].machine].recorderPackets += 1 }
            return
        }
        let path = !queue.isNone ? queues[queue].path : !port.isNone ? pathKind(of: port) ?? .tap : .tap
        let outcome = outcome(of: id, path)
        var journey = Journey(
            machine: -1, device: 0, path: path, hostDevice: flights[id].device, nic: flights[id].nic,
            direction: flights[id].direction,
            queue: !port.isNone ? Int(ports[port].pair) : 0, length: Int(flights[id].length), outcome: outcome,
            dropReason: outcome == .dropped ? flights[id].dropReason : 0, delivery: flights[id].delivery,
            isKnownByOrderAlone: flights[id].flags.contains(.bare), relay: flights[id].relay,
            vcpuState: flights[id].vcpuState,
            times: flights[id].times, host: flights[id].host)
        let isIdentified = !port.isNone && pathKind(of: port) != nil
        // A macvtap without a name may yet turn out to be something else, and a tap to be Open vSwitch's.
        let isDoubtful =
            !queue.isNone && (queues[queue].path == .macvtap ? queues[queue].device == 0 : !queues[queue].isPathCertain)
        if !isIdentified || isDoubtful, orphans.count < Self.mostOrphans {
            orphans.append((journey, port))
            if witness != nil { evidenceOfOrphans.append(flights.evidence(of: id) ?? JourneyEvidence()) }
        } else if isIdentified {
            identify(&journey, port)
            handOn(&journey, flights.evidence(of: id))
        } else {
            uncounted[UncountedPacket(journey, port), default: 0] += 1
        }
    }

    /// Hands a journey of the host's own on.
    mutating func emitOwn(_ id: FlightID) {
        let outcome = outcome(of: id, .host)
        var journey = Journey(
            machine: 0, device: flights[id].nic, path: .host, hostDevice: 0, nic: flights[id].nic,
            direction: flights[id].direction,
            queue: 0, length: Int(flights[id].length), outcome: outcome,
            dropReason: outcome == .dropped ? flights[id].dropReason : 0,
            delivery: .unknown, vcpuState: flights[id].vcpuState, times: flights[id].times, host: flights[id].host)
        handOn(&journey, flights.evidence(of: id))
    }

    /// Gives a journey its number, and to whoever takes journeys.
    mutating func handOn(_ journey: inout Journey, _ evidence: JourneyEvidence?) {
        handedOn += 1
        journey.number = handedOn
        if let evidence, let witness, witness.numbers.contains(handedOn) { witness.keep(evidence, of: handedOn) }
        sink.take(journey)
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

    func identify(_ journey: inout Journey, _ port: PortID) {
        journey.machine = ports[port].machine.row
        journey.device = ports[port].device
        if let path = pathKind(of: port) { journey.path = path }
        if !ports[port].queue.isNone { journey.hostDevice = queues[ports[port].queue].device }
    }

    /// A complete journey has all points its path demands, none before the one it follows.
    func verdict(_ id: FlightID, _ path: PathKind) -> Outcome {
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

    /// What becomes of a packet that was on its way when the recording ended.
    mutating func outcomeAtEdge(of id: FlightID) -> Outcome {
        // Freed in its own receipt, which is cut off.
        if flights[id].flags.contains(.split), flights[id].socket == 0 { return .kernelConsumed }
        let isOfSilentStream = flights[id].flags.contains(.tcp) && machines[flights[id].machine].hasSilentStreams
        if isReadSilently(id) || isOfSilentStream { return .notRecorded }
        // Of a connection that begins or ends: on a socket it would be if anybody could read it.
        if isForTCPItself(id) { return .kernelConsumed }
        // Read with another one perhaps: that is not known, and no edge's fault.
        return flights[id].flags.contains(.perhapsRead) ? .ambiguous : .traceEdge
    }

    /// What becomes of a packet that a driver was given and never reported.
    var untransmitted: Outcome { count(of: .xmitDone, on: .host) == 0 ? .notRecorded : .traceEdge }
}
