// Whose bytes a reader copied. TCP frees what it has merged, and what a splice took, without an event, and so does UDP
// with what was read from Linux 6.18 on. What has the address by then is copied with the same event, by whoever reads
// it: a Unix socket, a connection over lo. The call that copied tells of which socket it was, with sock_recv_length at
// its end (Linux 6.3 and newer):
//
//     reader    skb_copy_datagram_iovec (skb) … skb_copy_datagram_iovec (skb) … sock_recv_length (sk)
//
// A datagram's socket is told by sk_data_ready, a connection's by tcp_probe from Linux 6.10 on. Until the call ends,
// nothing is proven of what was copied; what was of another socket is undone.

import TraceData

extension Tracker {
    /// A thread copies from a packet, which is its reader if the call turns out to be of the packet's socket.
    mutating func awaitSocket(_ id: FlightID, _ mark: Mark, _ machine: MachineID) {
        let isStream = flights[id].flags.contains(.tcp)
        guard mark.kind == MarkKind.copy.rawValue, isStream || isOnDatagramQueue(id, machine),
            kernels[machine].tellsSockets,
            machines[machine].copies.tells(isStream) != false
        else { return }
        flights[id].flags.insert(.unproven)
        machines[machine].copies.waiting.append(SocketCopies.Copy(id: id, thread: thread(of: mark), isStream: isStream))
        guard machines[machine].copies.waiting.count > SocketCopies.most else { return }
        if machines[machine].copies.tells(isStream) == nil {
            for copy in machines[machine].copies.giveUp(isStream) { confirm(copy) }
        } else {
            undo(machines[machine].copies.waiting.removeFirst(), machine)
        }
    }

    /// A call that reads has ended: what its thread copied in it was of this socket.
    mutating func attributeCopies(of thread: ThreadIndex, _ mark: Mark, _ machine: MachineID) {
        machines[machine].copies.note(mark)
        if let index = machines[machine].reads.firstIndex(where: { $0.thread == mark.threadID }),
            machines[machine].copies.tells(true) == true
        {
            if isRead(of: machines[machine].reads[index].connection, mark, machine) {
                machines[machine].reads[index].prove()
            } else if !machines[machine].reads[index].dropUnproven() {
                machines[machine].reads.remove(at: index)
            }
        }
        guard !machines[machine].copies.waiting.isEmpty else { return }
        let tellsStreams = machines[machine].copies.tells(true) == true
        for copy in machines[machine].copies.take(where: { $0.thread == thread && (!$0.isStream || tellsStreams) })
        where flights.contains(copy.id) {
            let isOwn =
                copy.isStream
                ? isRead(of: flights[copy.id].connection, mark, machine) : flights[copy.id].socket == mark.a
            if isOwn { confirm(copy) } else { undo(copy, machine) }
        }
    }

    private func isRead(of connection: UInt32, _ mark: Mark, _ machine: MachineID) -> Bool {
        guard mark.isOfTCPRead else { return false }
        return connection == 0 || !machines[machine].tellsConnections || mark.isOfMPTCPRead
            || connection == mark.readConnection
    }

    /// A thread begins another call, and no call's end told what it had read: this recording does not tell that.
    mutating func noteOtherCall(of thread: ThreadIndex, _ machine: MachineID) {
        guard let copy = machines[machine].copies.waiting.first(where: { $0.thread == thread }),
            machines[machine].copies.tells(copy.isStream) == nil
        else { return }
        for copy in machines[machine].copies.giveUp(copy.isStream) { confirm(copy) }
    }

    private mutating func confirm(_ copy: SocketCopies.Copy) {
        guard flights.contains(copy.id) else { return }
        flights[copy.id].flags.remove(.unproven)
        emitIfSettled(copy.id)
    }

    /// It was something else that had the packet's address by then: when the packet was read is told otherwise, if at
    /// all.
    private mutating func undo(_ copy: SocketCopies.Copy, _ machine: MachineID) {
        let id = copy.id
        guard flights.contains(id) else { return }
        let points = StackPoints.of(machine: machine)
        for point in [points.wake, points.run, points.read] {
            flights.clear(id, point)
            flights[id].host.forget(point)
        }
        flights[id].flags.subtract([.unproven, .ended])
        if copy.isStream { flights[id].flags.insert(.perhapsRead) }
    }

    /// How these calls ended will not be known: in a hole, or at the recording's end.
    mutating func loseCopies(_ machine: MachineID, _ outcome: Outcome) {
        for copy in machines[machine].copies.take(where: { _ in true }) {
            guard machines[machine].copies.tells(copy.isStream) == true else {
                confirm(copy)
                continue
            }
            undo(copy, machine)
            // What becomes of datagrams, their queue tells.
            if copy.isStream, flights.contains(copy.id) { end(copy.id, outcome) }
        }
    }
}
