// Queue pairs: which of them a packet is on, and who serves it.

import TraceData

extension Tracker {
    /// The queue of a host device, if the device is known for a guest's.
    /// - Parameter pair: which of its queues; any where -1, and where it is not known yet which one a queue is.
    func knownQueue(_ device: UInt16, pair: Int16 = -1) -> Int? {
        guard device != 0 else { return nil }
        return queues.firstIndex { $0.device == device && (pair < 0 || $0.pair < 0 || $0.pair == pair) }
    }

    /// The queue that a packet for a guest is on its way to, if it is known.
    func destination(of id: FlightID) -> Int? {
        let interface = flights[id].interface
        return interface != 0 ? queues.firstIndex { $0.interface == interface } : knownQueue(flights[id].device, pair: flights[id].pair)
    }

    /// The queue of a tap that `worker` serves, made known if it was not.
    ///
    /// vhost-net has one worker for each queue pair, so a further worker is a further pair. A VMM's threads share what they serve:
    /// then events do not say whose packet is whose.
    mutating func queueIndex(_ device: UInt16, worker: Int32) -> Int {
        var index = queues.firstIndex { $0.device == device && $0.worker == worker } ?? -1
        if index < 0, !workers.contains(machines[0].threads[worker].id) { index = knownQueue(device) ?? -1 }
        if index < 0 { index = unnamedRedirect(device, worker: worker) ?? unmaskedMacvtap(device, worker: worker) ?? -1 }
        if index < 0 && queues.count == Self.mostDevices { index = queues.count - 1 }
        if index < 0 {
            queues.append(GuestQueue(device: device, worker: worker))
            index = queues.count - 1
            queues[index].path = forcedPath ?? (isServedByVMM(worker) ? .qemu : .tap)
            queues[index].isPathCertain = forcedPath != nil
            queues[index].isFiltered = isServedByVMM(worker)
        }
        if queues[index].worker != worker { severalOrders(index) }
        if machines[0].threads[worker].queue != Int16(index) {
            machines[0].threads[worker].queue = Int16(index)
            let port = machines[0].threads[worker].port
            if port >= 0 { join(queue: index, port: Int(port)) }
        }
        return index
    }

    /// The queue that XDP's redirects were put on, if its worker turns out to serve this tap.
    private mutating func unnamedRedirect(_ device: UInt16, worker: Int32) -> Int? {
        let queue = Int(machines[0].threads[worker].queue)
        guard queue >= 0, queues[queue].path == .xdp, queues[queue].interface != 0, queues[queue].device == 0 else { return nil }
        queues[queue].device = device
        return queue
    }

    /// The paths of all devices that were found on both sides.
    var pathsTaken: [PathKind] {
        var paths: [PathKind] = []
        for port in ports.indices {
            if let path = pathKind(of: port), !paths.contains(path) { paths.append(path) }
        }
        return paths
    }

    /// The path a guest's device is on; nil while that is not known.
    func pathKind(of port: Int) -> PathKind? {
        ports[port].queue >= 0 ? queues[Int(ports[port].queue)].path : ports[port].passage != .none ? .vfio : nil
    }

    /// The thread that serves a queue; -1 while unknown.
    func workerThread(of queue: Int) -> Int32 {
        let worker = queues[queue].worker
        return worker < 0 ? -1 : machines[0].threads[worker].id
    }

    /// Whether packets may take this path: not where they are told to take another one.
    func isPossible(_ path: PathKind) -> Bool { forcedPath == nil || forcedPath == path }

    /// A thread that has a name, and not that of a vhost worker: QEMU's, or another VMM's, without vhost-net.
    private func isServedByVMM(_ worker: Int32) -> Bool {
        let thread = machines[0].threads[worker].id
        return !workers.contains(thread) && otherThreads.contains(thread)
    }

    /// Takes note of which of the device's queues this is.
    mutating func learnPair(_ queue: Int, of id: FlightID) {
        // XDP's events tell no queue.
        guard flights[id].times.has(.hostEgress), flights[id].interface == 0 else { return }
        if queues[queue].pair < 0 {
            queues[queue].pair = flights[id].pair
        } else if queues[queue].pair != flights[id].pair {
            severalOrders(queue)
        }
    }

    /// Each queue has an order of its own, and here several meet.
    mutating func severalOrders(_ queue: Int) {
        guard !queues[queue].hasSeveralOrders else { return }
        queues[queue].hasSeveralOrders = true
        breakOrder(queue, .ambiguous)
    }

    // MARK: Guest devices

    func knownPort(_ machine: Int, _ device: UInt16, pair: Int16) -> Int? {
        ports.firstIndex { $0.device == device && $0.pair == pair && Int($0.machine) == machine }
    }

    mutating func portIndex(_ machine: Int, _ device: UInt16, pair: Int16) -> Int {
        if let known = knownPort(machine, device, pair: pair) { return known }
        // More devices than any guest has: what comes now shares the last one, and finds no queue.
        if ports.count == Self.mostDevices { return ports.count - 1 }
        ports.append(GuestPort(machine: UInt8(machine), device: device, pair: pair))
        return ports.count - 1
    }
}
