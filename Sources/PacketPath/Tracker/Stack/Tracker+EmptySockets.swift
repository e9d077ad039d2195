// What shows that a socket's queue is empty, and what follows from it for the packets that were joined with their
// readings.

import ClockSync
import TraceData

extension Tracker {
    /// A read has found nothing.
    mutating func foundEmpty(_ socket: UInt64, by thread: ThreadIndex, since: Nanoseconds, _ machine: MachineID) {
        // A call that began before a hole's end may have looked before a packet came that the hole has swallowed.
        guard since >= machines[machine].validFrom,
            areAsleep(machines[machine].sockets[socket]!.readers, but: thread, machine)
        else { return }
        proveEmpty(socket, since: since, machine)
    }

    /// Somebody is woken because a socket has something.
    mutating func socketWoke(_ target: ThreadIndex, _ lane: LaneID, _ machine: MachineID) {
        let socket = lanes[lane].readySocket
        lanes[lane].readySocket = 0
        guard socket != 0, let queue = machines[machine].sockets[socket], !queue.sleepsOnData,
            areAsleep(queue.readers, but: target, machine), let since = lastAwake(target, machine)
        else { return }
        let newest = queue.arrivals.last.flatMap { $0.ready == lanes[lane].readyTime ? $0 : nil }
        proveEmpty(socket, since: since, but: newest, machine, isSleep: true)
    }

    /// When a thread that is being woken was last awake before; where it has never been, the recording's begin will do.
    private func lastAwake(_ thread: ThreadIndex, _ machine: MachineID) -> Nanoseconds? {
        if let since = machines[machine].threads[thread].awakeBeforeSleep { return since }
        let isUnseen =
            machines[machine].validFrom == PointTimes.absent && machines[machine].threads[thread].wakesForTheFirstTime
        return isUnseen ? machines[machine].startTime : nil
    }

    /// A packet on a socket is released, and was not dropped: it has been read, and all before it.
    mutating func socketReleased(_ id: FlightID, _ machine: MachineID) {
        let socket = flights[id].socket
        guard let queue = machines[machine].sockets[socket], !queue.isSynced, queue.arrivals.last?.id == id,
            !queue.isOfCopies,
            areAsleep(queue.readers, but: .none, machine)
        else { return }
        proveEmpty(socket, since: PointTimes.latest, machine)
    }

    private func areAsleep(_ readers: [ThreadIndex], but thread: ThreadIndex, _ machine: MachineID) -> Bool {
        readers.allSatisfy { $0 == thread || machines[machine].threads[$0].isAsleep }
    }

    mutating func proveEmpty(
        _ socket: UInt64, since: Nanoseconds, but newest: SocketQueue.Arrival? = nil, _ machine: MachineID,
        isSleep: Bool = false
    ) {
        guard machines[machine].openHoles == 0 else { return }
        if !machines[machine].sockets[socket]!.isSynced, !machines[machine].sockets[socket]!.isEmpty,
            isBringing(machine, but: newest)
        {
            return
        }
        switch machines[machine].sockets[socket]!.empty(since: since, but: newest) {
        case .unknown: break
        case .agrees: confirmAll(socket, machine)
        case .found(let pairs, let rest, let isCertain):
            let outcome: Outcome = doubt(on: machine) == .lost ? .lostEvents : .ambiguous
            for arrival in rest { endWithFragments(arrival.id, outcome, machine) }
            for (arrival, reading) in pairs {
                if isCertain {
                    completeReading(arrival, reading, machine, isProven: true)
                } else {
                    endWithFragments(arrival.id, .ambiguous, machine)
                }
            }
        case .contradicted(let stale):
            doubtReads(socket, machine)
            if isSleep { machines[machine].sockets[socket]!.noteSleepOnData() }
            for arrival in stale { endWithFragments(arrival.id, .ambiguous, machine) }
            if isSleep { machines[machine].sockets[socket]!.lose() }
        }
    }

    /// Whether any CPU may be putting a packet on a socket at this moment.
    private func isBringing(_ machine: MachineID, but newest: SocketQueue.Arrival?) -> Bool {
        lanes.ids.contains { lane in
            lanes[lane].machine == machine && lane != newest?.lane && mayBePutOnSocket(lanes[lane].receiving)
        }
    }

    private mutating func confirmAll(_ socket: UInt64, _ machine: MachineID) {
        while let id = machines[machine].sockets[socket]!.unconfirmed.popFirst() { confirmRead(id) }
    }

    /// Nothing that was joined since the queue was last known to be empty is certain.
    private mutating func doubtReads(_ socket: UInt64, _ machine: MachineID) {
        while let id = machines[machine].sockets[socket]!.unconfirmed.popFirst() {
            if flights.contains(id) { flights[id].flags.insert(.ambiguous) }
            confirmRead(id)
        }
    }

    /// Something came out of a socket that does not fit: its order is collected until the queue is empty again.
    mutating func contradict(_ socket: UInt64, _ machine: MachineID, at reading: SocketQueue.Reading? = nil) {
        doubtReads(socket, machine)
        machines[machine].sockets[socket]!.lose(at: reading)
        guard machines[machine].sockets[socket]!.arrivals.count > SocketQueue.most else { return }
        for arrival in machines[machine].sockets[socket]!.removeAllArrivals() {
            endWithFragments(arrival.id, .ambiguous, machine)
        }
    }

    /// The stack drops a packet while it receives it, after it has given a copy to a raw or packet socket: that has its
    /// reader.
    func isOriginalOfCopy(_ id: FlightID, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) -> Bool {
        flights[id].socket != 0 && lanes[lane].receiving == id && !mark.inThread
            && machines[machine].sockets[flights[id].socket]?.isOfCopies == true
    }

    /// A packet is dropped off its socket's queue.
    mutating func leaveSocket(_ id: FlightID, _ machine: MachineID) {
        guard flights[id].socket != 0 else { return }
        machines[machine].sockets[flights[id].socket]?.remove(id)
    }

    /// What is on sockets is not known any more: in a hole, or at the recording's end.
    /// - Parameter outcome: what becomes of packets that were on a queue and not read as far as was seen; nil for what
    ///   the queue says.
    mutating func loseSockets(_ machine: MachineID, _ outcome: Outcome?) {
        for socket in machines[machine].sockets.keys.sorted() {
            confirmAll(socket, machine)
            let isSynced = machines[machine].sockets[socket]!.isSynced
            let lastRead = machines[machine].sockets[socket]!.readings.last?.time
            for arrival in machines[machine].sockets[socket]!.removeAllArrivals() {
                let isUnread = isSynced || lastRead == nil || arrival.begin > lastRead!
                let unread: Outcome =
                    count(of: .socketRead, on: machine) == 0 ? .notRecorded : .traceEdge
                // Without wake-ups, a reader's sleep proves nothing.
                let unknown: Outcome = count(of: .waking, on: machine) == 0 ? .notRecorded : .ambiguous
                endWithFragments(arrival.id, outcome ?? (isUnread ? unread : unknown), machine)
            }
        }
        machines[machine].sockets.removeAll(keepingCapacity: true)
    }
}
