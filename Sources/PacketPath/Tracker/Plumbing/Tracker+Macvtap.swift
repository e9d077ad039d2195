// A macvtap on the host: no event tells when a packet is put on its queue, so the worker that takes it tells whose it
// is.

import TraceData

extension Tracker {
    /// A vhost worker was woken while the stack received a packet: macvlan's rx handler, or generic XDP, has put it on
    /// the worker's queue.
    ///
    /// Whether that is so, the worker says when it copies the packet.
    mutating func wokenInReceipt(_ id: FlightID, _ mark: Mark) {
        let isPut = flights[id].flags.contains(.seen) && flights[id].interface == 0
        guard flights[id].direction == .receive, !isPut, !flights[id].times.has(.vhostWake) else { return }
        flights.stamp(id, .vhostWake, mark)
        flights[id].wokenThread = mark.wokenThread
    }

    /// The signature of this path: a vhost worker that serves a macvtap, or nobody knows what.
    mutating func mayServeMacvtap(_ mark: Mark) -> Bool {
        guard isPossible(.macvtap), workers.contains(mark.threadID) else { return false }
        let queue = machines[.host].threads[thread(of: mark)].queue
        return queue.isNone || queues[queue].path == .macvtap
    }

    /// A worker of this signature copies a packet that was never put on a tap.
    /// - Returns: false when it is not known for a macvtap's.
    mutating func macvtapReceives(_ mark: Mark) -> Bool {
        let worker = thread(of: mark)
        var queue = machines[.host].threads[worker].queue
        var id = flight(mark.a, on: .host)
        if queue.isNone {
            // A packet from a NIC, all of whose way was seen, and nothing put it anywhere.
            guard !id.isNone, flights[id].direction == .receive, flights[id].nic != 0,
                flights[id].flags.isDisjoint(with: [.seen, .lost, .cut]), let made = macvtapQueue(worker)
            else { return false }
            queue = made
        } else if !id.isNone, flights[id].flags.contains(.seen), flights[id].direction == .receive {
            return false
        }
        if !id.isNone, flights[id].direction == .transmit {
            // From one macvtap to another: it never reaches the NIC.
            flights.unname(id)
            end(id, .notRecorded)
            id = .none
        }
        if id.isNone {
            // A copy of a broadcast, which no event links to the packet; or it came in a hole, or before the recording.
            id = newFlight(.receive, on: .host)
            let isKnown =
                machines[.host].validFrom == PointTimes.absent && queues[queue].rings[Direction.receive.index].isSynced
            if !isKnown { flights[id].flags.insert(doubt(on: .host)) }
        }
        flights[id].flags.insert(.seen)
        flights[id].device = queues[queue].device
        // The worker is given the frame as it was on the wire; GRO may have made one of several.
        flights[id].length = mark.copied
        copied(id, mark, queue: queue)
        return true
    }

    /// A worker of this signature gives a guest's packet to a macvtap, whose driver gives it to the NIC's in the same
    /// call.
    /// - Returns: false when it is another sort of packet, or this one on its way through further devices.
    mutating func macvtapTransmits(_ mark: Mark, _ lane: LaneID) -> Bool {
        let worker = thread(of: mark)
        let known = machines[.host].threads[worker].queue
        guard
            let queue = known.isNone
                ? unknownWorkersQueue(worker, mark, lane) : macvtap(known, named: mark.name, worker, lane)
        else { return false }
        takeTransmitted(mark, queue: queue, length: mark.length)
        lanes[lane].carry(flight(mark.a, on: .host), mark)
        // What it hands over to the macvtap is not the NIC's yet.
        lanes[lane].beginHandover(mark, .none, port: .none)
        return true
    }

    /// A worker that is nobody's sends a packet nothing is known of: had it come from a tap, that had been an event,
    /// if such events are recorded at all.
    private mutating func unknownWorkersQueue(_ worker: ThreadIndex, _ mark: Mark, _ lane: LaneID) -> QueueID? {
        guard flight(mark.a, on: .host).isNone, lanes[lane].isSoftIRQKnown, lanes[lane].handoverCount == 0,
            machines[.host].openHoles == 0,
            count(of: .stackReceive, on: .host) > 0, !nics.contains(mark.name),
            knownQueue(mark.name).map({ queues[$0].path == .macvtap }) ?? true, let queue = macvtapQueue(worker)
        else { return nil }
        return macvtap(queue, named: mark.name, worker, lane)
    }

    /// The worker's queue if it is the macvtap `device`, or may be it.
    mutating func macvtap(_ queue: QueueID, named device: UInt16, _ worker: ThreadIndex, _ lane: LaneID) -> QueueID? {
        if queues[queue].device == device { return queue }
        // The outermost device is the worker's own; what lies below it may be a bond or VLAN that never receives by
        // itself.
        guard queues[queue].device == 0, lanes[lane].handoverCount == 0, !nics.contains(device) else { return nil }
        if let first = knownQueue(device) {
            guard queues[first].path == .macvtap else { return nil }
            // A second queue pair of the same device.
            machines[.host].threads[worker].queue = first
            severalOrders(first)
            return first
        }
        queues[queue].device = device
        return queue
    }

    /// A new queue, known by its worker; nil when there are too many to be true.
    private mutating func macvtapQueue(_ worker: ThreadIndex) -> QueueID? {
        guard queues.count < Self.mostDevices else { return nil }
        let queue = queues.append(GuestQueue(macvtapOf: worker))
        machines[.host].threads[worker].queue = queue
        let port = machines[.host].threads[worker].port
        if !port.isNone { join(queue: queue, port: port) }
        return queue
    }

    /// The queue that was taken for a macvtap's, if its worker turns out to serve this tap: packets reached it without
    /// net_dev events, as XDP sends them.
    mutating func unmaskedMacvtap(_ device: UInt16, worker: ThreadIndex) -> QueueID? {
        let queue = machines[.host].threads[worker].queue
        guard !queue.isNone, queues[queue].path == .macvtap, queues[queue].device == 0 else { return nil }
        queues[queue].path = .tap
        queues[queue].device = device
        breakOrder(queue, .traceEdge, of: [.receive])
        return queue
    }
}
