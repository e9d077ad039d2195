// XDP on the host: programs that send a NIC's frames to a tap, and a tap's to a NIC, past the stack.
//
// Generic XDP sees skbs, so a packet keeps its address. Native XDP sees frames before there are any: the events name
// interfaces and nothing else, and a frame is its place in the order in which frames were redirected. They go out in
// bulks, at the end of a poll.

import TraceData

extension Tracker {
    mutating func redirected(_ mark: Mark, _ lane: LaneID) {
        let id = lanes[lane].fresh
        lanes[lane].fresh = .none
        guard isPossible(.xdp) else { return }
        let isInPollOfFrames = mark.inSoftIRQ && !redirects.frames(on: lane).isEmpty
        let isGeneric = flights.contains(id) && !isInPollOfFrames && !redirects.native.contains(mark.interface)
        if mark.inSoftIRQ {
            if isGeneric { redirectReceived(id, mark) } else { redirectBare(mark, lane) }
        } else if mark.inThread {
            if isGeneric { redirectTransmitted(id, mark) } else { takeBare(mark, lane) }
        }
    }

    private mutating func redirectReceived(_ id: FlightID, _ mark: Mark) {
        guard flights[id].direction == .receive, !flights[id].flags.contains(.seen) else { return }
        flights.stamp(id, .hostEgress, mark)
        flights[id].interface = mark.targetInterface
        flights[id].flags.insert(.seen)
        redirects.names[mark.interface] = flights[id].nic
        if let queue = queues.firstID(where: { $0.interface == mark.targetInterface }) { flights[id].queue = queue }
    }

    private mutating func redirectTransmitted(_ id: FlightID, _ mark: Mark) {
        let queue = flights[id].queue
        guard flights[id].direction == .transmit, !queue.isNone, !flights[id].times.has(.hostEgress) else { return }
        becomeXDP(queue, mark.interface)
        flights.stamp(id, .hostEgress, mark)
        flights[id].interface = mark.targetInterface
        flights[id].nic = redirects.names[mark.targetInterface] ?? 0
    }

    /// netif_receive_skb has returned to the worker: with generic XDP the NIC's driver was called inside of it.
    mutating func stackReturned(_ lane: LaneID, _ mark: Mark) {
        guard mark.inThread else { return }
        let id = lanes[lane].written
        lanes[lane].written = .none
        guard flights.contains(id), flights[id].interface != 0, flights[id].direction == .transmit else { return }
        flights.stamp(id, .nicXmit, mark)
        flights.unname(id)
        end(id, .complete)
    }
}
