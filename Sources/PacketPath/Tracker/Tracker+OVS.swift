// Open vSwitch on the host: a packet stays its skb through the datapath, but not through ovs-vswitchd.

import ClockSync
import TraceData

/// A packet that was given up to ovs-vswitchd, which will give back a copy.
struct Upcall {
    var flight: FlightID
    /// Device it came in by, by name.
    var device: UInt16
    var length: Int32
}

extension Tracker {
    /// No flow matches: a copy of the packet goes up to ovs-vswitchd, and the packet itself is freed.
    mutating func ovsUpcall(_ mark: Mark) {
        let id = flight(mark.a, on: 0)
        guard !id.isNone, !flights[id].times.has(.ovsUpcall), !flights[id].times.has(.hostEgress) else { return }
        flights[id].times[.ovsUpcall] = mark.time
        // One whose answer never comes is forgotten when many others have come.
        if upcalls.count == 64 { upcalls.removeFirst() }
        upcalls.append(Upcall(flight: id, device: mark.name, length: mark.length))
    }

    /// The datapath does something with a packet: the first action follows the lookup of its flow.
    mutating func ovsAction(_ mark: Mark) {
        var id = flight(mark.a, on: 0)
        if id.isNone {
            guard mark.inThread else { return }
            id = givenBack(mark)
            guard !id.isNone else { return }
            name(id, mark.a, on: 0)
            flights[id].times[.ovsReply] = mark.time
        } else if !flights[id].times.has(.ovsAction), !flights[id].times.has(.ovsReply), !flights[id].times.has(.hostEgress) {
            flights[id].times[.ovsAction] = mark.time
            // A flow may send a packet up and handle it all the same.
            if flights[id].times.has(.ovsUpcall) {
                flights[id].times[.ovsUpcall] = PointTimes.absent
                upcalls.removeAll { $0.flight == id }
            }
        }
    }

    /// The packet whose copy ovs-vswitchd has the datapath send: told by its device and length, if only one waits that has them.
    private mutating func givenBack(_ mark: Mark) -> FlightID {
        upcalls.removeAll { !flights.contains($0.flight) }
        let fitting = upcalls.indices.filter { upcalls[$0].device == mark.name && upcalls[$0].length == mark.length }
        guard let first = fitting.first else { return .none }
        let id = upcalls[first].flight
        upcalls.remove(at: first)
        // Several threads answer upcalls, in no order: which of them this is can't be told.
        if fitting.count > 1 {
            flights[id].flags.insert(.ambiguous)
            for index in fitting.dropFirst() { flights[upcalls[index - 1].flight].flags.insert(.ambiguous) }
        }
        return id
    }

    /// The freed skb of a packet whose copy is with ovs-vswitchd is no end of the packet.
    func isWithVswitchd(_ id: FlightID) -> Bool { upcalls.contains { $0.flight == id } }

    /// A packet is about to leave for the next device: what it has passed tells the queue's path for good.
    mutating func learnPath(_ queue: Int, of id: FlightID) {
        guard !queues[queue].isPathCertain, flights[id].times.has(.hostIngress) else { return }
        queues[queue].isPathCertain = true
        if queues[queue].path == .tap, flights[id].times.has(.ovsAction) || flights[id].times.has(.ovsReply) { queues[queue].path = .ovs }
    }
}
