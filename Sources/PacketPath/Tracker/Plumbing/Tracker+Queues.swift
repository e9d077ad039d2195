// The queue of a tap that a worker serves, made known if it was not.

extension Tracker {
    /// The queue of a tap that `worker` serves, made known if it was not.
    ///
    /// vhost-net has one worker for each queue pair, so a further worker is a further pair. A VMM's threads share what
    /// they serve: then events do not say whose packet is whose.
    mutating func tapQueue(_ device: UInt16, worker: ThreadIndex) -> QueueID {
        var queue = queues.firstID { $0.device == device && $0.worker == worker } ?? .none
        if queue.isNone, !workers.contains(machines[.host].threads[worker].id) { queue = knownQueue(device) ?? .none }
        if queue.isNone {
            queue = unnamedRedirect(device, worker: worker) ?? unmaskedMacvtap(device, worker: worker) ?? .none
        }
        if queue.isNone && queues.count == Self.mostDevices { queue = queues.last }
        if queue.isNone {
            queue = queues.append(GuestQueue(device: device, worker: worker))
            queues[queue].path = forcedPath ?? (isServedByVMM(worker) ? .qemu : .tap)
            queues[queue].isPathCertain = forcedPath != nil
            queues[queue].isFiltered = isServedByVMM(worker)
            if machines[.host].validFrom != PointTimes.absent { oweReceived(queue) }
        }
        if queues[queue].worker != worker { severalOrders(queue) }
        if machines[.host].threads[worker].queue != queue {
            machines[.host].threads[worker].queue = queue
            let port = machines[.host].threads[worker].port
            if !port.isNone { join(queue: queue, port: port) }
        }
        return queue
    }

    /// The queue that XDP's redirects were put on, if its worker turns out to serve this tap.
    private mutating func unnamedRedirect(_ device: UInt16, worker: ThreadIndex) -> QueueID? {
        let queue = machines[.host].threads[worker].queue
        guard !queue.isNone, queues[queue].path == .xdp, queues[queue].interface != 0, queues[queue].device == 0 else {
            return nil
        }
        queues[queue].device = device
        return queue
    }
}
