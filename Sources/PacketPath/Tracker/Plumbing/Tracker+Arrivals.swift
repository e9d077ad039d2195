// Packets that come in on a host's NIC, and whether what leaves with their address is still them.

import TraceData

extension Tracker {
    /// A packet comes in on a NIC.
    @discardableResult
    mutating func arrive(_ mark: Mark, _ lane: LaneID, polled: Bool) -> FlightID {
        if !nics.contains(mark.name) { nics.append(mark.name) }
        let id = newFlight(.receive, on: .host)
        name(id, mark.a, on: .host)
        flights.stamp(id, .hostIngress, mark)
        flights[id].nic = mark.name
        flights[id].length = mark.length
        if let index = lanes[lane].pollCause(receiving: mark.name, machines[.host].napi).index {
            stampInterrupt(id, lanes[lane].pending[index], lane)
        }
        if polled { lanes[lane].polled = id }
        return id
    }

    /// The stack is given a packet by the device that gave it one with this address before: the first one was freed
    /// without an event.
    func isAgain(_ id: FlightID, _ mark: Mark) -> Bool {
        flights[id].direction == .receive && flights[id].nic == mark.name && flights[id].delivered != 0
    }

    /// Whether a packet on its way to a device is the one that came in with this address. What the host's own stack has
    /// taken is freed without an event, and its address may be another packet's by now.
    func goesOn(_ id: FlightID, _ mark: Mark, _ lane: LaneID) -> Bool {
        !isAnswer(id, mark) && isUnderWay(id, mark, lane)
    }

    /// Whether a packet has been seen to wait for a device, is with another one that stands on it, or is what the stack
    /// is at work on.
    func isUnderWay(_ id: FlightID, _ mark: Mark, _ lane: LaneID) -> Bool {
        if flights[id].flags.contains(.queued) { return true }
        if lanes[lane].isHandingOver(id) { return true }
        return lanes[lane].isCarrying(id, mark)
    }

    /// A bridge or a router sends nothing back to where it came from, and takes no data off: that is an answer, whose
    /// address is a coincidence.
    func isAnswer(_ id: FlightID, _ mark: Mark) -> Bool {
        comesFrom(id) == mark.name || flights[id].deliverer == mark.name
            || mark.length &+ Self.mostTakenOff < flights[id].delivered
    }

    /// An IPv4 header and a VLAN's tag: a router may send a packet on without them.
    private static let mostTakenOff: Int32 = 24

    /// The device it came in by.
    private func comesFrom(_ id: FlightID) -> UInt16 {
        flights[id].direction == .transmit ? flights[id].device : flights[id].nic
    }
}
