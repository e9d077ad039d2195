// Which queue, port or path something is on, as far as is known: what the tracker's state says, and nothing that
// changes it but the first look at a guest's device.

extension Tracker {
    /// The queue of a host device, if the device is known for a guest's.
    /// - Parameter pair: which of its queues; any where -1, and where it is not known yet which one a queue is.
    func knownQueue(_ device: UInt16, pair: Int16 = -1) -> QueueID? {
        guard device != 0 else { return nil }
        return queues.firstID { $0.device == device && (pair < 0 || $0.pair < 0 || $0.pair == pair) }
    }

    /// The queue that a packet for a guest is on its way to, if it is known.
    func destination(of id: FlightID) -> QueueID? {
        let interface = flights[id].interface
        return interface != 0
            ? queues.firstID { $0.interface == interface } : knownQueue(flights[id].device, pair: flights[id].pair)
    }

    /// The vCPU that a guest's CPU is; none while unknown, and where the CPU itself is.
    func assignedVCPU(of lane: LaneID) -> VCPUID { lane.isNone ? .none : lanes[lane].vcpu }

    /// The path a guest's device is on; nil while that is not known.
    func pathKind(of port: PortID) -> PathKind? {
        !ports[port].queue.isNone ? queues[ports[port].queue].path : ports[port].passage != .none ? .vfio : nil
    }

    /// The paths of all devices that were found on both sides.
    var pathsTaken: [PathKind] {
        var paths: [PathKind] = []
        for port in ports.ids {
            if let path = pathKind(of: port), !paths.contains(path) { paths.append(path) }
        }
        return paths
    }

    /// The thread that serves a queue; none while unknown.
    func workerThread(of queue: QueueID) -> ThreadID {
        let worker = queues[queue].worker
        return worker.isNone ? .none : machines[.host].threads[worker].id
    }

    /// Whether packets may take this path: not where they are told to take another one.
    func isPossible(_ path: PathKind) -> Bool { forcedPath == nil || forcedPath == path }

    /// A thread that has a name, and not that of a vhost worker: QEMU's, or another VMM's, without vhost-net.
    func isServedByVMM(_ worker: ThreadIndex) -> Bool {
        let thread = machines[.host].threads[worker].id
        return !workers.contains(thread) && otherThreads.contains(thread)
    }

    /// A packet is about to leave for the next device: what it has passed tells the queue's path for good.
    mutating func learnPath(_ queue: QueueID, of id: FlightID) {
        guard !queues[queue].isPathCertain, flights[id].times.has(.hostIngress),
            flights[id].flags.isDisjoint(with: [.lost, .cut])
        else { return }
        queues[queue].isPathCertain = true
        if queues[queue].path == .tap, flights[id].times.has(.ovsAction) || flights[id].times.has(.ovsReply) {
            queues[queue].path = .ovs
        }
    }

    /// Why something that should have been seen may not have been: a hole, or the beginning of the recording.
    func doubt(on machine: MachineID) -> Flight.Flags {
        machines[machine].validFrom == PointTimes.absent ? .cut : .lost
    }

    func knownPort(_ machine: MachineID, _ device: UInt16, pair: Int16) -> PortID? {
        ports.firstID { $0.device == device && $0.pair == pair && $0.machine == machine }
    }

    mutating func port(of machine: MachineID, _ device: UInt16, pair: Int16) -> PortID {
        if let known = knownPort(machine, device, pair: pair) { return known }
        // More devices than any guest has: what comes now shares the last one, and finds no queue.
        if ports.count == Self.mostDevices { return ports.last }
        return ports.append(GuestPort(machine: machine, device: device, pair: pair))
    }

    /// Whether a queue of the host can be this device's. One whose receive interrupt is not a virtio one has no vhost
    /// worker, but it may be an emulated NIC, which a thread of QEMU serves.
    func canHaveQueue(_ port: PortID) -> Bool {
        if forcedPath == .vfio { return false }
        guard hasOwnInterrupt(port) else { return true }
        let machine = ports[port].machine
        return queues.ids.contains { queue in
            guard queues[queue].port.isNone, !queues[queue].worker.isNone, !workers.contains(workerThread(of: queue))
            else { return false }
            let guest = machines[.host].threads[queues[queue].worker].guest
            return guest == machine || guest.isNone
        }
    }

    private func hasOwnInterrupt(_ port: PortID) -> Bool {
        let machine = ports[port].machine
        return passThrough.interrupts(of: machine).contains { irq in
            passThrough.sort(of: irq, on: machine) == .other
                && machines[machine].napi.role(of: irq, ports[port].device, port) == .receives
        }
    }
}
