// Open vSwitch on the host: a packet stays its skb through the datapath, but not through ovs-vswitchd.

import ClockSync
import TraceData

extension Tracker {
    /// ovs-vswitchd answers within milliseconds: what it has not given back after so long it has dropped …
    private static let patienceNS: Nanoseconds = 1_000_000_000

    /// … and so many are waited for at the most.
    private static let mostUpcalls = 64

    /// No flow matches: a copy of the packet goes up to ovs-vswitchd, and the packet itself is freed.
    mutating func ovsUpcall(_ mark: Mark, _ lane: LaneID) {
        forgetUpcalls(before: mark.time)
        let id = flight(mark.a, on: .host)
        guard !id.isNone, !flights[id].times.has(.ovsUpcall), !flights[id].times.has(.hostEgress) else { return }
        flights.stamp(id, .ovsUpcall, mark)
        // A flow may say that ovs-vswitchd has to be asked.
        flights.clear(id, .ovsAction)
        if upcalls.count == Self.mostUpcalls { neverGivenBack(upcalls.removeFirst(), .notRecorded) }
        upcalls.append(Upcall(flight: id, device: mark.name, length: mark.length, time: mark.time, lane: lane))
    }

    /// The datapath does something with a packet: the first action follows the lookup of its flow.
    mutating func ovsAction(_ mark: Mark, _ lane: LaneID) {
        forgetUpcalls(before: mark.time)
        let id = flight(mark.a, on: .host)
        if mayBeReply(mark, id, lane), let given = givenBack(mark, isUnknown: id.isNone) {
            name(given, mark.a, on: .host)
            flights.stamp(given, .ovsReply, mark)
            lanes[lane].carry(given, mark)
        } else if !id.isNone, !flights[id].times.has(.ovsAction), !flights[id].times.has(.ovsReply),
            !flights[id].times.has(.hostEgress)
        {
            flights.stamp(id, .ovsAction, mark)
            // A flow may send a packet up and handle it all the same.
            if flights[id].times.has(.ovsUpcall) {
                flights.clear(id, .ovsUpcall)
                upcalls.removeAll { $0.flight == id }
                breakGroups(mark.name, mark.length)
            }
        }
    }

    /// Whether the datapath may be handling a packet on behalf of ovs-vswitchd: not in a worker, nor right after the
    /// stack's receipt.
    private mutating func mayBeReply(_ mark: Mark, _ known: FlightID, _ lane: LaneID) -> Bool {
        guard mark.inThread, !workers.contains(mark.threadID) else { return false }
        guard machines[.host].threads[thread(of: mark)].queue.isNone else { return false }
        return known.isNone || known != lanes[lane].fresh && !flights[known].times.has(.ovsReply)
    }

    /// The packet whose copy ovs-vswitchd has the datapath send: told by its device and length, if only one waits that
    /// has them.
    mutating func givenBack(_ mark: Mark, isUnknown: Bool) -> FlightID? {
        upcalls.removeAll { !flights.contains($0.flight) }
        let fitting = upcalls.indices.filter { upcalls[$0].device == mark.name && upcalls[$0].length == mark.length }
        guard let first = fitting.first else {
            guard isUnknown else { return nil }
            // It came in before the recording, or in a hole.
            let id = newFlight(.receive, on: .host)
            flights[id].flags.insert(doubt(on: .host))
            return id
        }
        let upcall = upcalls.remove(at: first)
        // Several threads answer upcalls, in no order; one thread answers those of one CPU in order.
        if fitting.count > 1 || returned.contains(where: { $0.device == mark.name && $0.length == mark.length }) {
            giveBack(upcall, by: mark.threadID, isLast: fitting.count == 1)
        }
        return upcall.flight
    }

    private mutating func giveBack(_ upcall: Upcall, by thread: ThreadID, isLast: Bool) {
        let known = returned.firstIndex { $0.device == upcall.device && $0.length == upcall.length }
        if known == nil {
            returned.append(
                GivenBack(device: upcall.device, length: upcall.length, thread: thread, lane: upcall.lane, packets: []))
        }
        let index = known ?? returned.count - 1
        returned[index].packets.append(upcall.flight)
        if returned[index].thread != thread || returned[index].lane != upcall.lane { returned[index].isBroken = true }
        flights[upcall.flight].flags.insert(.givenBack)
        if isLast { endGroup(index) }
    }

    /// All that waited have been given back, or never will be.
    private mutating func endGroup(_ index: Int) {
        let group = returned.remove(at: index)
        for id in group.packets where flights.contains(id) {
            flights[id].flags.remove(.givenBack)
            if group.isBroken { flights[id].flags.insert(.ambiguous) }
            emitIfSettled(id)
        }
    }

    /// One that waited has gone another way: nothing tells any more which of the others is which.
    private mutating func breakGroups(_ device: UInt16, _ length: Int32) {
        guard let index = returned.firstIndex(where: { $0.device == device && $0.length == length }) else { return }
        returned[index].isBroken = true
        if !upcalls.contains(where: { $0.device == device && $0.length == length }) { endGroup(index) }
    }

    /// The recording is over, or a hole begins.
    mutating func breakAllGroups() {
        while !returned.isEmpty {
            returned[0].isBroken = true
            endGroup(0)
        }
    }

    /// The freed skb of a packet whose copy is with ovs-vswitchd is no end of the packet; dropped, it has found no room
    /// there.
    mutating func isWithVswitchd(_ id: FlightID, isDropped: Bool) -> Bool {
        guard let index = upcalls.firstIndex(where: { $0.flight == id }) else { return false }
        if isDropped { upcalls.remove(at: index) }
        return !isDropped
    }

    private mutating func forgetUpcalls(before time: Nanoseconds) {
        while let oldest = upcalls.first, time &- oldest.time > Self.patienceNS {
            upcalls.removeFirst()
            neverGivenBack(oldest, .notRecorded)
        }
    }

    /// In a hole any of them may have been given back.
    mutating func loseUpcalls() {
        let waiting = upcalls
        upcalls.removeAll()
        for upcall in waiting { neverGivenBack(upcall, .lostEvents) }
        breakAllGroups()
    }

    private mutating func neverGivenBack(_ upcall: Upcall, _ outcome: Outcome) {
        breakGroups(upcall.device, upcall.length)
        let id = upcall.flight
        guard flights.contains(id), !flights[id].times.has(.hostEgress) else { return }
        if flights[id].flags.contains(.seen) { end(id, outcome) } else { flights.discard(id) }
    }
}
