// Open vSwitch on the host: a packet stays its skb through the datapath, but not through ovs-vswitchd.

import ClockSync
import TraceData

/// A packet that was given up to ovs-vswitchd, which will give back a copy.
struct Upcall {
    var flight: FlightID
    /// Device it came in by, by name.
    var device: UInt16
    var length: Int32
    var time: Nanoseconds
}

extension Tracker {
    /// ovs-vswitchd answers within milliseconds: what it has not given back after so long it has dropped …
    private static let patienceNS: Nanoseconds = 1_000_000_000
    /// … and so many are waited for at the most.
    private static let mostUpcalls = 64

    /// No flow matches: a copy of the packet goes up to ovs-vswitchd, and the packet itself is freed.
    mutating func ovsUpcall(_ mark: Mark) {
        forgetUpcalls(before: mark.time)
        let id = flight(mark.a, on: 0)
        guard !id.isNone, !flights[id].times.has(.ovsUpcall), !flights[id].times.has(.hostEgress) else { return }
        flights[id].times[.ovsUpcall] = mark.time
        // A flow may say that ovs-vswitchd has to be asked.
        flights[id].times[.ovsAction] = PointTimes.absent
        if upcalls.count == Self.mostUpcalls { neverGivenBack(upcalls.removeFirst().flight, .notRecorded) }
        upcalls.append(Upcall(flight: id, device: mark.name, length: mark.length, time: mark.time))
    }

    /// The datapath does something with a packet: the first action follows the lookup of its flow.
    mutating func ovsAction(_ mark: Mark, _ lane: Int) {
        forgetUpcalls(before: mark.time)
        let id = flight(mark.a, on: 0)
        if mayBeReply(mark, id, lane), let given = givenBack(mark, isUnknown: id.isNone) {
            name(given, mark.a, on: 0)
            flights[given].times[.ovsReply] = mark.time
            lanes[lane].carry(given, mark)
        } else if !id.isNone, !flights[id].times.has(.ovsAction), !flights[id].times.has(.ovsReply),
            !flights[id].times.has(.hostEgress)
        {
            flights[id].times[.ovsAction] = mark.time
            // A flow may send a packet up and handle it all the same.
            if flights[id].times.has(.ovsUpcall) {
                flights[id].times[.ovsUpcall] = PointTimes.absent
                upcalls.removeAll { $0.flight == id }
            }
        }
    }

    /// Whether the datapath may be handling a packet on behalf of ovs-vswitchd: not in a worker, nor right after the stack's receipt.
    private mutating func mayBeReply(_ mark: Mark, _ known: FlightID, _ lane: Int) -> Bool {
        guard mark.inThread, !workers.contains(mark.thread) else { return false }
        guard machines[0].threads[thread(of: mark)].queue < 0 else { return false }
        return known.isNone || known != lanes[lane].fresh && !flights[known].times.has(.ovsReply)
    }

    /// The packet whose copy ovs-vswitchd has the datapath send: told by its device and length, if only one waits that has them.
    private mutating func givenBack(_ mark: Mark, isUnknown: Bool) -> FlightID? {
        upcalls.removeAll { !flights.contains($0.flight) }
        let fitting = upcalls.indices.filter { upcalls[$0].device == mark.name && upcalls[$0].length == mark.length }
        guard let first = fitting.first else {
            guard isUnknown else { return nil }
            // It came in before the recording, or in a hole.
            let id = newFlight(.receive, on: 0)
            flights[id].flags.insert(doubt(on: 0))
            return id
        }
        let id = upcalls[first].flight
        // Several threads answer upcalls, in no order: which of them this is can't be told.
        if fitting.count > 1 { for index in fitting { flights[upcalls[index].flight].flags.insert(.ambiguous) } }
        upcalls.remove(at: first)
        return id
    }

    /// The freed skb of a packet whose copy is with ovs-vswitchd is no end of the packet; dropped, it has found no room there.
    mutating func isWithVswitchd(_ id: FlightID, isDropped: Bool) -> Bool {
        guard let index = upcalls.firstIndex(where: { $0.flight == id }) else { return false }
        if isDropped { upcalls.remove(at: index) }
        return !isDropped
    }

    private mutating func forgetUpcalls(before time: Nanoseconds) {
        while let oldest = upcalls.first, time &- oldest.time > Self.patienceNS {
            upcalls.removeFirst()
            neverGivenBack(oldest.flight, .notRecorded)
        }
    }

    /// In a hole any of them may have been given back.
    mutating func loseUpcalls() {
        for upcall in upcalls { neverGivenBack(upcall.flight, .lostEvents) }
        upcalls.removeAll()
    }

    private mutating func neverGivenBack(_ id: FlightID, _ outcome: Outcome) {
        guard flights.contains(id), !flights[id].times.has(.hostEgress) else { return }
        if flights[id].flags.contains(.seen) { end(id, outcome) } else { discard(id) }
    }

    /// A packet is about to leave for the next device: what it has passed tells the queue's path for good.
    mutating func learnPath(_ queue: Int, of id: FlightID) {
        guard !queues[queue].isPathCertain, flights[id].times.has(.hostIngress), flights[id].flags.isDisjoint(with: [.lost, .cut])
        else { return }
        queues[queue].isPathCertain = true
        if queues[queue].path == .tap, flights[id].times.has(.ovsAction) || flights[id].times.has(.ovsReply) { queues[queue].path = .ovs }
    }
}
