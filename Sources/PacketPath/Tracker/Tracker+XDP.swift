// XDP on the host: programs that send a NIC's frames to a tap, and a tap's to a NIC, past the stack.
//
// Generic XDP sees skbs, so a packet keeps its address. Native XDP sees frames before there are any: the events name interfaces and
// nothing else, and a frame is its place in the order in which frames were redirected. They go out in bulks, at the end of a poll.

import ClockSync
import TraceData

extension Tracker {
    mutating func redirected(_ mark: Mark, _ lane: Int) {
        let id = lanes[lane].fresh
        lanes[lane].fresh = .none
        guard isPossible(.xdp) else { return }
        let isInPollOfFrames = mark.inSoftIRQ && !lanes[lane].bulk.isEmpty
        let isGeneric = flights.contains(id) && !isInPollOfFrames && !nativeInterfaces.contains(mark.interface)
        if mark.inSoftIRQ {
            if isGeneric { redirectReceived(id, mark) } else { redirectBare(mark, lane) }
        } else if mark.inThread {
            if isGeneric { redirectTransmitted(id, mark) } else { takeBare(mark, lane) }
        }
    }

    // MARK: Generic

    private mutating func redirectReceived(_ id: FlightID, _ mark: Mark) {
        guard flights[id].direction == .receive, !flights[id].flags.contains(.seen) else { return }
        flights[id].times[.hostEgress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].flags.insert(.seen)
        interfaceNames[mark.interface] = flights[id].nic
        if let queue = queues.firstIndex(where: { $0.interface == mark.targetInterface }) { flights[id].queue = Int16(queue) }
    }

    private mutating func redirectTransmitted(_ id: FlightID, _ mark: Mark) {
        let queue = Int(flights[id].queue)
        guard flights[id].direction == .transmit, queue >= 0, !flights[id].times.has(.hostEgress) else { return }
        becomeXDP(queue, mark.interface)
        flights[id].times[.hostEgress] = mark.time
        flights[id].interface = mark.targetInterface
        flights[id].nic = interfaceNames[mark.targetInterface] ?? 0
    }

    /// netif_receive_skb has returned to the worker: with generic XDP the NIC's driver was called inside of it.
    mutating func stackReturned(_ lane: Int, _ mark: Mark) {
        guard mark.inThread else { return }
        let id = lanes[lane].written
        lanes[lane].written = .none
        guard flights.contains(id), flights[id].interface != 0, flights[id].direction == .transmit else { return }
        flights[id].times[.nicXmit] = mark.time
        unname(id)
        end(id, .complete)
    }

    // MARK: Queues

    /// The queue behind an interface, made known if it was not; nil when there are too many to be true.
    mutating func xdpQueue(_ interface: Int32) -> Int? {
        if let known = queues.firstIndex(where: { $0.interface == interface }) { return known }
        guard queues.count < Self.mostDevices else { return nil }
        queues.append(GuestQueue(device: 0, worker: -1))
        becomeXDP(queues.count - 1, interface)
        return queues.count - 1
    }

    /// The queue a redirected skb was put on: the worker that copies it serves the interface.
    mutating func xdpQueue(of id: FlightID, worker: Int32) -> Int {
        let interface = flights[id].interface
        let ofWorker = Int(machines[0].threads[worker].queue)
        if ofWorker >= 0, queues[ofWorker].interface == 0 || queues[ofWorker].interface == interface {
            becomeXDP(ofWorker, interface)
            return ofWorker
        }
        guard let queue = xdpQueue(interface) else { return queues.count - 1 }
        if queues[queue].worker != worker { serve(queue, worker) }
        return queue
    }

    mutating func becomeXDP(_ queue: Int, _ interface: Int32, isWoken: Bool = false) {
        guard queues[queue].interface != interface else { return }
        let other = queues.firstIndex { $0.interface == interface }
        queues[queue].interface = interface
        queues[queue].path = .xdp
        queues[queue].isPathCertain = true
        if let other { absorb(other, into: queue, isWoken: isWoken) }
    }

    /// The thread serves the interface; perhaps it is known as another queue's worker, which then is this one.
    mutating func serve(_ queue: Int, _ worker: Int32, isWoken: Bool = false) {
        let known = Int(machines[0].threads[worker].queue)
        if known >= 0, queues[known].interface != 0 { return }
        guard queues[queue].worker < 0 else {
            // A further worker: a further queue pair of the same interface, and no event tells which one a frame is put on.
            severalOrders(queue)
            return
        }
        if known >= 0 {
            becomeXDP(known, queues[queue].interface, isWoken: isWoken)
            return
        }
        queues[queue].worker = worker
        machines[0].threads[worker].queue = Int16(queue)
        machines[0].threads[worker].keepLongHistory()
        let port = machines[0].threads[worker].port
        if port >= 0 { join(queue: queue, port: Int(port)) }
    }

    /// Two queues turn out to be one: `queue` was known by its tap and worker, `other` by frames that were redirected to its interface.
    /// - Parameter isWoken: the worker has been asleep, so that what is on its way has not been taken.
    private mutating func absorb(_ other: Int, into queue: Int, isWoken: Bool) {
        guard queues[other].worker < 0, queues[other].port < 0 else {
            severalOrders(other)
            severalOrders(queue)
            return
        }
        queues[other].interface = 0
        queues[queue].hasFrames = queues[queue].hasFrames || queues[other].hasFrames
        var onTheWay: [FlightID] = []
        for lane in lanes.indices where isWoken {
            for frame in lanes[lane].bulk where flights.contains(frame.flight) && Int(flights[frame.flight].queue) == other {
                onTheWay.append(frame.flight)
            }
        }
        let device = queues[queue].device
        flights.forEachLive { id in
            if Int(flights[id].queue) == other { flights[id].queue = Int16(queue) }
            // On the queue already, before frames or behind them.
            if flights[id].direction == .receive, flights[id].device == device, device != 0, !flights[id].times.has(.vhostCopy) {
                flights[id].flags.insert(.ambiguous)
            }
        }
        // Only what is on its way at this moment has a place in the queue's order for certain.
        let puts = queues[other].rings[Direction.receive.index].puts
        queues[other].rings[Direction.receive.index].puts.removeAll()
        let isMixed = puts.count > onTheWay.count || !queues[queue].rings[Direction.receive.index].puts.isEmpty
        if isMixed { breakOrder(queue, .ambiguous, of: [.receive]) }
        for index in 0..<puts.count where flights.contains(puts[index]) {
            if onTheWay.contains(puts[index]) {
                if isMixed { flights[puts[index]].flags.insert(.ambiguous) }
                putReceived(puts[index], queue)
            } else if queues[queue].port >= 0 {
                // Counted when the guest takes it.
                discard(puts[index])
            } else {
                end(puts[index], .ambiguous)
                queues[queue].rings[Direction.receive.index].counted += 1
            }
        }
    }
}
