// UDP from Linux 6.18 on: the reader frees a packet without an event (net/ipv4/udp.c, skb_consume_udp), so its place in the socket's
// queue tells which packet it read. sk_data_ready puts packets on a socket, sock_recv_length takes them, in order; the length confirms it.

import ClockSync
import TraceData

/// The packets of one socket that nobody has read yet.
struct SocketQueue {
    /// None for a packet that came from elsewhere, over lo for example.
    var flights = FlightQueue()
    /// It was known to be empty once, and all since has been seen.
    var isSynced = false

    /// So many are kept at the most while the order is unknown.
    static let most = 4096
}

extension Tracker {
    /// So many sockets are told apart at the most.
    private static let mostSockets = 1 << 16

    /// A packet is put on a socket's queue: the one that the stack is receiving.
    mutating func socketReady(_ mark: Mark, _ lane: Int, _ machine: Int) {
        guard mark.inSoftIRQ || mark.isWithoutSoftIRQs else { return }
        let id = lanes[lane].receiving
        let isFollowed = flights.contains(id) && flights[id].direction == .receive && !flights[id].flags.contains(.onSocket)
        if machines[machine].sockets[mark.a] == nil {
            guard isFollowed else { return }
            if machines[machine].sockets.count == Self.mostSockets { loseSockets(machine, .ambiguous) }
        }
        if isFollowed { flights[id].flags.insert(.onSocket) }
        lanes[lane].readySocket = mark.a
        machines[machine].sockets[mark.a, default: SocketQueue()].flights.append(isFollowed ? id : .none)
        if machines[machine].sockets[mark.a]!.flights.count > SocketQueue.most { unsync(mark.a, machine) }
    }

    /// Somebody is woken because a socket has something: it slept because there was nothing.
    mutating func socketWoke(_ lane: Int, _ machine: Int) {
        let socket = lanes[lane].readySocket
        lanes[lane].readySocket = 0
        guard socket != 0, machines[machine].sockets[socket]?.isSynced == false else { return }
        let count = machines[machine].sockets[socket]!.flights.count
        clear(socket, machine, keeping: min(count, 1), doubt(on: machine) == .cut ? .traceEdge : .lostEvents)
        machines[machine].sockets[socket]!.isSynced = true
    }

    /// A thread has received from a socket: the oldest packet of its queue.
    mutating func socketRead(_ mark: Mark, _ machine: Int) {
        guard !mark.isPeek, machines[machine].sockets[mark.a] != nil else { return }
        guard mark.received >= 0 else {
            // EAGAIN is 11, include/uapi/asm-generic/errno-base.h: there was nothing.
            if mark.received == -11, !machines[machine].sockets[mark.a]!.isSynced {
                clear(mark.a, machine, keeping: 0, doubt(on: machine) == .cut ? .traceEdge : .lostEvents)
                machines[machine].sockets[mark.a]!.isSynced = true
            }
            return
        }
        guard machines[machine].sockets[mark.a]!.isSynced else { return }
        guard let id = machines[machine].sockets[mark.a]!.flights.popFirst() else {
            unsync(mark.a, machine)
            return
        }
        // Where the reader's copy or release was an event, that was it.
        guard flights.contains(id), !flights[id].flags.contains(.ended) else { return }
        guard mark.isDatagram(flights[id].length) else {
            unname(id)
            end(id, .ambiguous)
            unsync(mark.a, machine)
            return
        }
        completeRead(id, at: mark.time, by: thread(of: mark), machine, lane: Int(mark.lane))
    }

    /// Something came out of a socket that does not fit: nothing on it is certain until it is empty again.
    private mutating func unsync(_ socket: UInt64, _ machine: Int) {
        clear(socket, machine, keeping: 0, .ambiguous)
        machines[machine].sockets[socket]!.isSynced = false
    }

    /// Ends all packets of a socket but the newest ones.
    private mutating func clear(_ socket: UInt64, _ machine: Int, keeping kept: Int, _ outcome: Outcome) {
        while machines[machine].sockets[socket]!.flights.count > kept, let id = machines[machine].sockets[socket]!.flights.popFirst() {
            guard flights.contains(id), !flights[id].flags.contains(.ended) else { continue }
            unname(id)
            end(id, outcome)
        }
    }

    /// What is on sockets is not known any more.
    mutating func loseSockets(_ machine: Int, _ outcome: Outcome) {
        for socket in machines[machine].sockets.keys.sorted() { clear(socket, machine, keeping: 0, outcome) }
        machines[machine].sockets.removeAll(keepingCapacity: true)
    }
}
