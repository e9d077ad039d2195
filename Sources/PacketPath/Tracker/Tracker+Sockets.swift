// Readers whose copy is no event (UDP from Linux 6.18 on), or who get a copy of the packet (raw and packet sockets): which packet
// was read is told by the socket's queue, see SocketQueue. sk_data_ready puts packets on it, sock_recv_length takes them.

import ClockSync
import TraceData

/// A datagram that came in several IP fragments.
struct Reassembled {
    /// The one that was received last: the datagram has its address.
    var last: FlightID
    var others: [FlightID]
}

extension Tracker {
    /// So many sockets are told apart at the most.
    private static let mostSockets = 1 << 16
    /// Ethernet and IPv4: the least that stands before a datagram's UDP header.
    private static let leastHeaders: Int32 = 14 + 20

    // MARK: Put

    /// A packet is put on a socket's queue: the one that the stack is receiving.
    mutating func socketReady(_ mark: Mark, _ lane: Int, _ machine: Int) {
        guard mark.inSoftIRQ || mark.isWithoutSoftIRQs, mark.isOfDatagramSocket, isInOrder(mark.isOfUDP, machine) else { return }
        lanes[lane].readySocket = mark.a
        lanes[lane].readyTime = mark.time
        var id = lanes[lane].receiving
        if lanes[lane].isBatched, lanes[lane].split.isNone {
            // The stack was given several, and now delivers them in that order; those that are not for sockets may be among them.
            id = lanes[lane].batched.first { mayBePutOnSocket($0) } ?? .none
        }
        lanes[lane].delivering = id
        if !isLive(id) || flights[id].flags.contains(.tcp) || flights[id].flags.contains(.ended) { id = .none }
        if id.isNone, machines[machine].sockets[mark.a] == nil { return }
        if !id.isNone, flights[id].socket == mark.a, !flights[id].flags.contains(.split) {
            // From Linux 6.18 on one CPU puts on the queue what several have brought, and says so for each of them.
            id = broughtAlong(lane, machine)
        } else if !id.isNone, flights[id].socket != 0, flights[id].socket != mark.a {
            // A copy for each socket: one that only listens in is not the reader, and of several the last one gets the packet itself.
            if mark.isOfPacketSocket { id = .none } else { machines[machine].sockets[flights[id].socket]?.forget(id) }
        }
        put(id, on: mark, lane, machine)
    }

    /// Whether a socket's order tells what was read. UDP's readers made an event of their own before Linux 6.18, and between 6.10 and then not every
    /// packet that is put on a queue makes one (commit 612b1c0dec5b).
    private func isInOrder(_ isOfUDP: Bool, _ machine: Int) -> Bool { !isOfUDP || kernels[machine].readsSilently != false }

    /// The stack is given a packet: of those it was given before, those that have been delivered are no longer asked for; if it delivers some of several and
    /// leaves others out, nothing tells which.
    mutating func beginReceipt(_ lane: Int) {
        guard lanes[lane].readyTime != PointTimes.absent else { return }
        lanes[lane].readyTime = PointTimes.absent
        lanes[lane].keepBatched(lanes[lane].batched.filter { mayBePutOnSocket($0) })
    }

    private mutating func put(_ id: FlightID, on mark: Mark, _ lane: Int, _ machine: Int) {
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
                deliver(arrival, reading, machine, isProven: false)
            } else {
                endIfLive(id, .ambiguous)
                contradict(mark.a, machine)
            }
        case .contradiction:
            contradict(mark.a, machine)
            _ = machines[machine].sockets[mark.a]!.ready(arrival)
        }
    }

    /// The packet that another CPU has received for the same socket: the only one of the last ones that nobody has, or none.
    private mutating func broughtAlong(_ lane: Int, _ machine: Int) -> FlightID {
        let unread = machines[machine].unread
        let own = lanes[lane].receiving
        let others = (max(0, unread.count - Self.mostBroughtAlong)..<unread.count).map { unread[$0] }
            .filter { $0 != own && mayBePutOnSocket($0) && flights[$0].delivered != 0 }
        if others.count == 1 { return others[0] }
        for other in others { flights[other].flags.insert(.unsettled) }
        return .none
    }

    /// So many packets other CPUs may have brought meanwhile.
    private static let mostBroughtAlong = 16

    /// Whether the stack has the packet, and has not put it on a socket as far as is known.
    func mayBePutOnSocket(_ id: FlightID) -> Bool {
        isLive(id) && flights[id].socket == 0 && flights[id].flags.isDisjoint(with: [.tcp, .ended, .fragment])
    }

    private func isLive(_ id: FlightID) -> Bool { flights.contains(id) && flights[id].direction == .receive }

    /// Bytes of data that a reader can get of a packet at the most.
    private func capacity(of id: FlightID, isUDP: Bool, _ machine: Int) -> Int32 {
        let frame = flights[id].delivered
        // A raw socket's reader gets the network's header too, a packet socket's the link's.
        guard isUDP else { return frame }
        let parts = machines[machine].reassembled.first { $0.last == id }?.others ?? []
        return parts.reduce(frame - Self.leastHeaders - 8) { $0 &+ flights[$1].length - Self.leastHeaders }
    }

    private mutating func makeKnown(_ socket: UInt64, _ machine: Int) {
        guard machines[machine].sockets[socket] == nil else { return }
        if machines[machine].sockets.count == Self.mostSockets { loseSockets(machine, .ambiguous) }
        machines[machine].sockets[socket] = SocketQueue()
    }

    // MARK: Taken

    /// A thread's call that receives has returned.
    mutating func socketRead(_ mark: Mark, _ machine: Int) {
        guard mark.isOfDatagramRead, isInOrder(mark.isOfUDPRead, machine) else { return }
        let thread = thread(of: mark)
        let reading = SocketQueue.Reading(
            time: mark.time, earliest: machines[machine].threads[thread].lastSeen, thread: thread, lane: Int(mark.lane),
            received: mark.received)
        machines[machine].threads[thread].lastCall = mark.time
        // EAGAIN is 11, include/uapi/asm-generic/errno-base.h: there was nothing.
        guard mark.received >= 0 || mark.received == -11 else { return }
        makeKnown(mark.a, machine)
        if mark.received == -11 {
            foundEmpty(mark.a, by: thread, since: reading.earliest, machine)
            return
        }
        let mayBeEarly = lanes.indices.contains { other in
            other != Int(mark.lane) && Int(lanes[other].machine) == machine && mayBePutOnSocket(lanes[other].receiving)
        }
        let contested = machines[machine].sockets[mark.a]!.contested(by: reading)
        switch machines[machine].sockets[mark.a]!.read(reading, mayBeEarly: mayBeEarly) {
        case .joined(let arrival, let isCertain):
            if !isCertain {
                if let contested, flights.contains(contested) { flights[contested].flags.insert(.ambiguous) }
                if flights.contains(arrival.id) { flights[arrival.id].flags.insert(.ambiguous) }
            }
            deliver(arrival, reading, machine, isProven: false)
        case .waits: break
        case .contradiction: contradict(mark.a, machine, at: reading)
        }
    }

    /// The packet has its reader.
    /// - Parameter isProven: the queue is known to have been empty after it.
    private mutating func deliver(
        _ arrival: SocketQueue.Arrival, _ reading: SocketQueue.Reading, _ machine: Int, isProven: Bool
    ) {
        let id = arrival.id
        // Where the reader's copy or release was an event, that was it; and of a packet that was cut the first part is read first.
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

    private mutating func confirmRead(_ id: FlightID) {
        guard flights.contains(id) else { return }
        flights[id].flags.remove(.unproven)
        emitIfSettled(id)
    }

    // MARK: Empty

    /// A read has found nothing.
    private mutating func foundEmpty(_ socket: UInt64, by thread: Int32, since: Nanoseconds, _ machine: Int) {
        guard areAsleep(machines[machine].sockets[socket]!.readers, but: thread, machine) else { return }
        proveEmpty(socket, since: since, machine)
    }

    /// Somebody is woken because a socket has something.
    mutating func socketWoke(_ target: Int32, _ lane: Int, _ machine: Int) {
        let socket = lanes[lane].readySocket
        lanes[lane].readySocket = 0
        guard socket != 0, let queue = machines[machine].sockets[socket], !queue.sleepsOnData,
            areAsleep(queue.readers, but: target, machine), let since = machines[machine].threads[target].awakeBeforeSleep
        else { return }
        let newest = queue.arrivals.last.flatMap { $0.ready == lanes[lane].readyTime ? $0 : nil }
        proveEmpty(socket, since: since, but: newest, machine, isSleep: true)
    }

    /// A packet on a socket is released, and was not dropped: it has been read, and all before it.
    mutating func socketReleased(_ id: FlightID, _ machine: Int) {
        let socket = flights[id].socket
        guard let queue = machines[machine].sockets[socket], !queue.isSynced, queue.arrivals.last?.id == id, !queue.isOfCopies,
            areAsleep(queue.readers, but: -1, machine)
        else { return }
        proveEmpty(socket, since: PointTimes.latest, machine)
    }

    private func areAsleep(_ readers: [Int32], but thread: Int32, _ machine: Int) -> Bool {
        readers.allSatisfy { $0 == thread || machines[machine].threads[$0].isAsleep }
    }

    private mutating func proveEmpty(
        _ socket: UInt64, since: Nanoseconds, but newest: SocketQueue.Arrival? = nil, _ machine: Int, isSleep: Bool = false
    ) {
        guard machines[machine].openHoles == 0 else { return }
        if !machines[machine].sockets[socket]!.isSynced, !machines[machine].sockets[socket]!.isEmpty, isBringing(machine, but: newest) {
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
                    deliver(arrival, reading, machine, isProven: true)
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
    private func isBringing(_ machine: Int, but newest: SocketQueue.Arrival?) -> Bool {
        lanes.indices.contains { lane in
            Int(lanes[lane].machine) == machine && lane != newest?.lane && mayBePutOnSocket(lanes[lane].receiving)
        }
    }

    private mutating func confirmAll(_ socket: UInt64, _ machine: Int) {
        while let id = machines[machine].sockets[socket]!.unconfirmed.popFirst() { confirmRead(id) }
    }

    /// Nothing that was joined since the queue was last known to be empty is certain.
    private mutating func doubtReads(_ socket: UInt64, _ machine: Int) {
        while let id = machines[machine].sockets[socket]!.unconfirmed.popFirst() {
            if flights.contains(id) { flights[id].flags.insert(.ambiguous) }
            confirmRead(id)
        }
    }

    /// Something came out of a socket that does not fit: its order is collected until the queue is empty again.
    private mutating func contradict(_ socket: UInt64, _ machine: Int, at reading: SocketQueue.Reading? = nil) {
        doubtReads(socket, machine)
        machines[machine].sockets[socket]!.lose(at: reading)
        guard machines[machine].sockets[socket]!.arrivals.count > SocketQueue.most else { return }
        for arrival in machines[machine].sockets[socket]!.removeAllArrivals() { endWithFragments(arrival.id, .ambiguous, machine) }
    }

    // MARK: Fragments

    /// A packet that the stack had been given before is freed while it receives another one: the first fragment of the datagram that this completes
    /// (inet_frag_reasm_prepare, net/ipv4/inet_fragment.c, which moves it to the last one's address).
    /// - Returns: whether it is.
    mutating func isReassembled(_ id: FlightID, _ lane: Int, _ machine: Int) -> Bool {
        guard mayBePutOnSocket(id), flights[id].flags.isDisjoint(with: .half), isFragment(flights[id].length) else { return false }
        func isOfOneDevice(_ other: FlightID) -> Bool {
            mayBePutOnSocket(other) && flights[other].nic == flights[id].nic && flights[other].port == flights[id].port
        }
        // The last fragment is shorter. Of several packets that the stack has it is the first such one after this one.
        let batch = lanes[lane].batched.drop { $0 != id }
        let last = batch.first { isOfOneDevice($0) && flights[$0].length < flights[id].length } ?? lanes[lane].receiving
        guard last != id, isOfOneDevice(last) else { return false }
        // Those in between came between, unless two datagrams' came at the same time: the sum tells.
        var others: [FlightID] = []
        let unread = machines[machine].unread
        for index in 0..<unread.count {
            let other = unread[index]
            if other == last { break }
            if other == id || !others.isEmpty, isOfOneDevice(other), flights[other].length == flights[id].length { others.append(other) }
        }
        guard !others.isEmpty else { return false }
        for other in others { flights[other].flags.insert(.fragment) }
        if machines[machine].reassembled.count == 64 { machines[machine].reassembled.removeFirst() }
        machines[machine].reassembled.append(Reassembled(last: last, others: others))
        return true
    }

    /// Whether a packet is a fragment of a datagram that waits for its reader.
    func isPart(_ id: FlightID, _ machine: Int) -> Bool { machines[machine].reassembled.contains { $0.others.contains(id) } }

    /// The other fragments of a datagram that ends now.
    private mutating func takeFragments(of id: FlightID, _ machine: Int) -> [FlightID] {
        guard let index = machines[machine].reassembled.firstIndex(where: { $0.last == id }) else { return [] }
        return machines[machine].reassembled.remove(at: index).others
    }

    /// All fragments but the last hold a multiple of 8 bytes, behind an IPv4 header, or an IPv6 header and a fragment's.
    private func isFragment(_ length: Int32) -> Bool {
        (length - Self.leastHeaders) % 8 == 0 || (length - 14 - 40 - 8) % 8 == 0
    }

    /// The datagram has been read: so have all of its fragments.
    mutating func readFragments(of id: FlightID, at time: Nanoseconds, by reader: Int32, _ machine: Int, lane: Int?) {
        for part in takeFragments(of: id, machine) where isLive(part) && !flights[part].flags.contains(.ended) {
            completeRead(part, at: time, by: reader, machine, lane: lane)
        }
    }

    /// The datagram has ended otherwise: so have all of its fragments.
    mutating func endFragments(of id: FlightID, _ outcome: Outcome, _ machine: Int) {
        for part in takeFragments(of: id, machine) where isLive(part) && !flights[part].flags.contains(.ended) {
            unname(part)
            end(part, outcome)
        }
    }

    private mutating func endWithFragments(_ id: FlightID, _ outcome: Outcome, _ machine: Int) {
        guard isLive(id), !flights[id].flags.contains(.ended) else { return }
        endFragments(of: id, outcome, machine)
        unname(id)
        end(id, outcome)
    }

    // MARK: End

    /// The stack drops a packet while it receives it, after it has given a copy to a raw or packet socket: that has its reader.
    func isOriginalOfCopy(_ id: FlightID, _ mark: Mark, _ lane: Int, _ machine: Int) -> Bool {
        flights[id].socket != 0 && lanes[lane].receiving == id && !mark.inThread
            && machines[machine].sockets[flights[id].socket]?.isOfCopies == true
    }

    /// A packet is dropped off its socket's queue.
    mutating func leaveSocket(_ id: FlightID, _ machine: Int) {
        guard flights[id].socket != 0 else { return }
        machines[machine].sockets[flights[id].socket]?.remove(id)
    }

    /// What is on sockets is not known any more: in a hole, or at the recording's end.
    /// - Parameter outcome: what becomes of packets that were on a queue and not read as far as was seen; nil for what the queue says.
    mutating func loseSockets(_ machine: Int, _ outcome: Outcome?) {
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
