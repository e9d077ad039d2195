// Readers whose copy is no event (UDP from Linux 6.18 on), or who get a copy of the packet (raw and packet sockets):
// which packet was read is told by the socket's queue, see SocketQueue. sk_data_ready puts packets on it,
// sock_recv_length takes them.

import TraceData

extension Tracker {
    /// So many sockets are told apart at the most.
    private static let mostSockets = 1 << 16

    /// A packet is put on a socket's queue: the one that the stack is receiving.
    mutating func socketReady(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        guard mark.inSoftIRQ || mark.isWithoutSoftIRQs, mark.isOfDatagramSocket, isInOrder(mark.isOfUDP, machine) else {
            return
        }
        lanes[lane].readySocket = mark.a
        lanes[lane].readyTime = mark.time
        var id = lanes[lane].receiving
        if lanes[lane].isBatched, lanes[lane].split.isNone {
            // The stack was given several, and now delivers them in that order; those that are not for sockets may be
            // among them.
            id = lanes[lane].batched.first { mayBePutOnSocket($0) } ?? .none
        }
        lanes[lane].delivering = id
        if !isLive(id) || flights[id].flags.contains(.tcp) || flights[id].flags.contains(.ended) { id = .none }
        if id.isNone, machines[machine].sockets[mark.a] == nil { return }
        if !id.isNone, flights[id].socket == mark.a, !flights[id].flags.contains(.split) {
            // From Linux 6.18 on one CPU puts on the queue what several have brought, and says so for each of them.
            id = broughtAlong(lane, machine)
        } else if !id.isNone, flights[id].socket != 0, flights[id].socket != mark.a {
            // A copy for each socket: one that only listens in is not the reader, and of several the last one gets the
            // packet itself.
            if mark.isOfPacketSocket { id = .none } else { machines[machine].sockets[flights[id].socket]?.forget(id) }
        }
        put(id, on: mark, lane, machine)
    }

    /// Whether a socket's order tells what was read. UDP's readers made an event of their own before Linux 6.18, and
    /// between 6.10 and then not every packet that is put on a queue makes one (commit 612b1c0dec5b).
    private func isInOrder(_ isOfUDP: Bool, _ machine: MachineID) -> Bool {
        !isOfUDP || kernels[machine].readsSilently != false
    }

    /// The stack is given a packet: of those it was given before, those that have been delivered are no longer asked
    /// for; if it delivers some of several and leaves others out, nothing tells which.
    mutating func beginReceipt(_ lane: LaneID) {
        guard lanes[lane].readyTime != PointTimes.absent else { return }
        lanes[lane].readyTime = PointTimes.absent
        lanes[lane].keepBatched(lanes[lane].batched.filter { mayBePutOnSocket($0) })
    }

    mutating func put(_ id: FlightID, on mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        makeKnown(mark.a, machine)
        var arrival = SocketQueue.Arrival(id: id, begin: PointTimes.absent, ready: mark.time, lane: lane, capacity: 0)
        if !id.isNone {
            flights[id].socket = mark.a
            arrival.begin = flights[id].deliveredAt
            arrival.capacity = capacity(of: id, isUDP: mark.isOfUDP, machine)
        }
        machines[machine].sockets[mark.a]!.isOfCopies = !mark.isOfUDP
        switch machines[machine].sockets[mark.a]!.ready(arrival) {
        case .waits:
            if machines[machine].sockets[mark.a]!.arrivals.count > SocketQueue.most { contradict(mark.a, machine) }
        case .taken(let reading):
            if id.isNone || reading.received <= arrival.capacity {
                completeReading(arrival, reading, machine, isProven: false)
            } else {
                endIfLive(id, .ambiguous)
                contradict(mark.a, machine)
            }
        case .contradiction:
            contradict(mark.a, machine)
            _ = machines[machine].sockets[mark.a]!.ready(arrival)
        }
    }

    /// The packet that another CPU has received for the same socket: the only one of the last ones that nobody has, or
    /// none.
    private mutating func broughtAlong(_ lane: LaneID, _ machine: MachineID) -> FlightID {
        let unread = machines[machine].unread
        let own = lanes[lane].receiving
        let others = (max(0, unread.count - Self.mostBroughtAlong)..<unread.count).map { unread[$0] }
            .filter { $0 != own && mayBePutOnSocket($0) && flights[$0].delivered != 0 }
        if others.count == 1 { return others[0] }
        for other in others { flights[other].flags.insert(.perhapsRead) }
        return .none
    }

    /// So many packets other CPUs may have brought meanwhile.
    private static let mostBroughtAlong = 16

    /// Bytes of data that a reader can get of a packet at the most.
    private func capacity(of id: FlightID, isUDP: Bool, _ machine: MachineID) -> Int32 {
        let frame = flights[id].delivered
        // A raw socket's reader gets the network's header too, a packet socket's the link's.
        guard isUDP else { return frame }
        let parts = machines[machine].reassembled.first { $0.last == id }?.others ?? []
        return parts.reduce(frame - Self.leastHeaders - 8) { $0 &+ flights[$1].length - Self.leastHeaders }
    }

    private mutating func makeKnown(_ socket: UInt64, _ machine: MachineID) {
        guard machines[machine].sockets[socket] == nil else { return }
        if machines[machine].sockets.count == Self.mostSockets { loseSockets(machine, .ambiguous) }
        machines[machine].sockets[socket] = SocketQueue()
    }

    /// A thread's call that receives has returned.
    mutating func socketRead(_ mark: Mark, _ machine: MachineID) {
        let thread = thread(of: mark)
        attributeCopies(of: thread, mark, machine)
        guard mark.isOfDatagramRead, isInOrder(mark.isOfUDPRead, machine) else { return }
        let reading = SocketQueue.Reading(
            time: mark.time, earliest: machines[machine].threads[thread].lastSeen, thread: thread,
            lane: LaneID(of: mark),
            received: mark.received)
        machines[machine].threads[thread].lastCall = mark.time
        // EAGAIN is 11, include/uapi/asm-generic/errno-base.h: there was nothing.
        guard mark.received >= 0 || mark.received == -11 else { return }
        makeKnown(mark.a, machine)
        if mark.received == -11 {
            foundEmpty(mark.a, by: thread, since: reading.earliest, machine)
            return
        }
        let mayBeEarly = lanes.ids.contains { other in
            other != LaneID(of: mark) && lanes[other].machine == machine && mayBePutOnSocket(lanes[other].receiving)
        }
        let contested = machines[machine].sockets[mark.a]!.contested(by: reading)
        switch machines[machine].sockets[mark.a]!.read(reading, mayBeEarly: mayBeEarly) {
        case .joined(let arrival, let isCertain):
            if !isCertain {
                if let contested, flights.contains(contested) { flights[contested].flags.insert(.ambiguous) }
                if flights.contains(arrival.id) { flights[arrival.id].flags.insert(.ambiguous) }
            }
            completeReading(arrival, reading, machine, isProven: false)
        case .waits: break
        case .contradiction: contradict(mark.a, machine, at: reading)
        }
    }

    /// The packet has its reader.
    /// - Parameter isProven: the queue is known to have been empty after it.
    mutating func completeReading(
        _ arrival: SocketQueue.Arrival, _ reading: SocketQueue.Reading, _ machine: MachineID, isProven: Bool
    ) {
        let id = arrival.id
        // Where the reader's copy or release was an event, that was it; and of a packet that was cut the first part is
        // read first.
        guard isLive(id), !flights[id].flags.contains(.ended) else { return }
        let socket = flights[id].socket
        for part in takeFragments(of: id, machine) + [id] where isLive(part) && !flights[part].flags.contains(.ended) {
            if !isProven {
                flights[part].flags.insert(.unproven)
                machines[machine].sockets[socket]?.unconfirmed.append(part)
            }
            completeRead(part, at: reading.time, by: reading.thread, machine, lane: reading.lane)
        }
        while let queue = machines[machine].sockets[socket], queue.unconfirmed.count > SocketQueue.most,
            let oldest = machines[machine].sockets[socket]?.unconfirmed.popFirst()
        {
            confirmRead(oldest)
        }
    }

    mutating func confirmRead(_ id: FlightID) {
        guard flights.contains(id) else { return }
        flights[id].flags.remove(.unproven)
        emitIfSettled(id)
    }
}
