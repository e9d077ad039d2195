// Frames that native XDP has redirected and that are not on their queue yet, as far as is known: their order among
// packets with skbs.

import TraceData

extension Tracker {
    /// Whether frames have been redirected to an interface that is not known to be any worker's or guest's.
    var hasUnclaimedFrames: Bool {
        queues.ids.contains { queues[$0].interface != 0 && queues[$0].worker.isNone && queues[$0].port.isNone }
    }

    /// Whether frames have been redirected of which no event has told yet that they are on the device's queue.
    func hasFramesOnTheWay(to queue: QueueID) -> Bool {
        let interface = queues[queue].interface
        return interface != 0 && redirects.lead(to: interface)
    }

    /// A packet with an skb is put on a device's queue while frames are on their way to it: before them or behind them,
    /// no event tells.
    mutating func meetsFrames(_ id: FlightID) {
        guard let queue = destination(of: id), hasFramesOnTheWay(to: queue) else { return }
        flights[id].flags.insert(.ambiguous)
    }

    /// A packet with an skb is on the same queue as frames without: it joins the ring's order when it is copied, they
    /// when they are redirected, and which of them was put first can't be told.
    mutating func overtakes(_ id: FlightID, _ queue: QueueID) {
        guard queues[queue].interface != 0 else { return }
        let puts = queues[queue].rings[Direction.receive.index].puts
        for index in 0..<puts.count where flights.contains(puts[index]) && flights[puts[index]].flags.contains(.bare) {
            flights[puts[index]].flags.insert(.ambiguous)
            flights[id].flags.insert(.ambiguous)
        }
    }
}
