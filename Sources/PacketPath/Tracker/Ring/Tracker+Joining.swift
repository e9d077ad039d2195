// Who belongs to whom: worker and tap, tap and guest device, vCPU thread and guest CPU, all told by the events.

import ClockSync

extension Tracker {
    /// Finds the vCPU a guest CPU is by elimination: its events can't lie where that vCPU was not in the guest.
    mutating func assignVCPU(_ lane: LaneID, _ machine: MachineID) {
        let cpu = Int32(lanes[lane].cpu)
        // A kernel whose kvm_entry has no vcpu_id makes all of them 0.
        let areNumbered = vcpus.firstID { $0.number > 0 } != nil
        let candidates = vcpus.ids.filter {
            vcpus[$0].isKnown && vcpus[$0].lane.isNone
                && (!areNumbered || vcpus[$0].number < 0 || vcpus[$0].number == cpu)
                && (vcpus[$0].guest.isNone || vcpus[$0].guest == machine)
        }
        guard !candidates.isEmpty, !hostEnded else { return }
        switch assignment.count(lane: lane, candidates: candidates, inside: candidates.map { vcpus[$0].isInGuest }) {
        case .open: break
        case .found(let vcpu):
            vcpus[vcpu].guest = machine
            vcpus[vcpu].lane = lane
            lanes[lane].vcpu = vcpu
        case .none(let missed, let count):
            machines[machine].containment.outside += missed
            machines[machine].containment.inside += count - missed
        }
    }

    /// A guest device has received: which queue's worker caused the interrupt at `irq`?
    mutating func joinByInterrupt(_ port: PortID, _ lane: LaneID, _ irq: Nanoseconds) {
        let machine = ports[port].machine
        let candidates = queues.ids.filter {
            guard queues[$0].port.isNone, queues[$0].lastCopy != PointTimes.absent else { return false }
            let guest = queues[$0].worker.isNone ? .none : machines[.host].threads[queues[$0].worker].guest
            return guest == machine || guest.isNone && machines.count == 2
        }
        // The vector that was injected before the interrupt tells whose it is, else who woke the vCPU for it.
        let vcpu = lanes[lane].vcpu
        if !vcpu.isNone {
            var vector: Int32 = 0
            var waker = ThreadID.none
            for event in machines[.host].threads[vcpus[vcpu].thread].newestFirst where event.time <= irq {
                if event.what == .entry, vector == 0 { vector = event.by }
                if event.what == .waking, waker.isNone { waker = event.thread }
                if vector != 0, !waker.isNone { break }
            }
            // Vectors are each CPU's own, so two devices may share one; and a worker also wakes for what it has sent.
            let wakers = candidates.filter { !waker.isNone && workerThread(of: $0) == waker }
            let fitting =
                vector == 0
                ? wakers : candidates.filter { queues[$0].vector == vector || queues[$0].hasSignalled(vector) }
            let both = fitting.filter(wakers.contains)
            if let found = both.first ?? (fitting.count == 1 ? fitting[0] : nil) {
                join(queue: found, port: port)
                return
            }
        }
        // Nothing tells (posted interrupts leave no trace), but there is no other choice, and has not been for a while.
        if candidates.count == 1, queues.count == 1, ports[port].takens.count >= Self.patience {
            join(queue: candidates[0], port: port)
        }
    }

    /// A queue pair that carried too little to be known by itself goes with its device: a tap's queues are in the order
    /// of the guest's, as QEMU attaches them.
    mutating func joinSiblings() {
        for port in ports.ids where ports[port].queue.isNone && ports[port].passage == .none {
            for sibling in ports.ids
            where ports[sibling].machine == ports[port].machine && ports[sibling].device == ports[port].device {
                let known = ports[sibling].queue
                guard !known.isNone, queues[known].device != 0, queues[known].pair == ports[sibling].pair else {
                    continue
                }
                let device = queues[known].device
                guard
                    let queue = queues.firstID(where: {
                        $0.port.isNone && $0.device == device && $0.pair == ports[port].pair
                    })
                else { continue }
                join(queue: queue, port: port)
                if ports[port].lastEmptied >= ports[port].lastIngress { proveReceiveRingEmpty(port) }
                break
            }
        }
    }

    /// At the end no further evidence can come: the only device goes with the only queue.
    mutating func joinRemaining() {
        guard machines.count == 2, let queue = queues.only, queues[queue].port.isNone,
            queues[queue].lastCopy != PointTimes.absent
        else {
            return
        }
        let receivers = ports.ids.filter { ports[$0].lastIngress != PointTimes.absent && ports[$0].passage == .none }
        guard receivers.count == 1, ports[receivers[0]].queue.isNone else { return }
        join(queue: queue, port: receivers[0])
        if ports[receivers[0]].lastEmptied >= ports[receivers[0]].lastIngress { proveReceiveRingEmpty(receivers[0]) }
    }

    /// So many packets a device may receive before the only queue there is becomes its own without further evidence.
    private static let patience = 32

    /// A notification of the guest device woke this host thread: it is the device's worker.
    mutating func joinByNotification(_ thread: ThreadIndex, port: PortID) {
        guard !port.isNone else { return }
        machines[.host].threads[thread].port = port
        let queue = machines[.host].threads[thread].queue
        if !queue.isNone { join(queue: queue, port: port) }
    }

    /// The two sides of one virtio-net device have found each other.
    mutating func join(queue: QueueID, port: PortID) {
        guard queues[queue].port.isNone, ports[port].queue.isNone, ports[port].passage == .none, forcedPath != .vfio
        else { return }
        queues[queue].port = port
        ports[port].queue = queue
        queues[queue].rings[Direction.receive.index].adopt(takens: ports[port].takens)
        queues[queue].rings[Direction.transmit.index].adopt(puts: ports[port].puts)
        ports[port].takens.removeAll()
        ports[port].puts.removeAll()
        for index in 0..<queues[queue].rings[Direction.receive.index].takens.count {
            let id = queues[queue].rings[Direction.receive.index].takens[index]
            if flights.contains(id) { flights[id].queue = queue }
        }
        for index in 0..<queues[queue].rings[Direction.transmit.index].puts.count {
            let id = queues[queue].rings[Direction.transmit.index].puts[index]
            if flights.contains(id) { flights[id].queue = queue }
        }
    }

    /// Takes note of which of the device's queues this is.
    mutating func learnPair(_ queue: QueueID, of id: FlightID) {
        // XDP's events tell no queue.
        guard flights[id].times.has(.hostEgress), flights[id].interface == 0 else { return }
        if queues[queue].pair < 0 {
            queues[queue].pair = flights[id].pair
        } else if queues[queue].pair != flights[id].pair {
            severalOrders(queue)
        }
    }
}
