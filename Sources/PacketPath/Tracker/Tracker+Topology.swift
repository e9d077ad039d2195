// Who belongs to whom: worker and tap, tap and guest device, vCPU thread and guest CPU, all told by the events.

import ClockSync

/// How well guest CPUs fit vCPU threads, where nothing in the files says which is which.
struct VCPUAssignment {
    private var outside: [[Int]] = []
    private var asked: [Int] = []

    /// So many guest events decide.
    static let sample = 256

    enum Verdict {
        /// Not enough events yet, or several vCPUs fit.
        case open
        case found(Int)
        /// No vCPU fits; the best one missed so many of the sample.
        case none(missed: Int, of: Int)
    }

    /// Counts one guest event against the vCPUs it can't have happened on: those that were not in the guest.
    mutating func count(lane: Int, candidates: [Int], inside: [Bool]) -> Verdict {
        while outside.count <= lane {
            outside.append([])
            asked.append(0)
        }
        for (candidate, isInside) in zip(candidates, inside) {
            while outside[lane].count <= candidate { outside[lane].append(0) }
            if !isInside { outside[lane][candidate] += 1 }
        }
        asked[lane] += 1
        guard asked[lane] >= Self.sample else { return .open }
        // One in a hundred may lie outside; a vCPU of another guest misses far more, if not in the first sample then in a later one.
        let missed = candidates.map { outside[lane][$0] }
        let fitting = candidates.indices.filter { missed[$0] * 100 <= asked[lane] }
        if fitting.count == 1 { return .found(candidates[fitting[0]]) }
        guard fitting.isEmpty else { return .open }
        let count = asked[lane]
        asked[lane] = 0
        outside[lane] = outside[lane].map { _ in 0 }
        return .none(missed: missed.min() ?? 0, of: count)
    }
}

extension Tracker {
    /// Finds the vCPU a guest CPU is by elimination: its events can't lie where that vCPU was not in the guest.
    mutating func assignVCPU(_ lane: Int, _ machine: Int) {
        let cpu = Int32(lanes[lane].cpu)
        // A kernel whose kvm_entry has no vcpu_id makes all of them 0.
        let areNumbered = vcpus.firstIndex { $0.number > 0 } != nil
        let candidates = vcpus.indices.filter {
            vcpus[$0].isKnown && vcpus[$0].lane < 0 && (!areNumbered || vcpus[$0].number < 0 || vcpus[$0].number == cpu)
                && (vcpus[$0].guest < 0 || Int(vcpus[$0].guest) == machine)
        }
        guard !candidates.isEmpty, !hostEnded else { return }
        switch assignment.count(lane: lane, candidates: candidates, inside: candidates.map { vcpus[$0].isInGuest }) {
        case .open: break
        case .found(let vcpu):
            vcpus[vcpu].guest = Int16(machine)
            vcpus[vcpu].lane = Int32(lane)
            lanes[lane].vcpu = Int16(vcpu)
        case .none(let missed, let count):
            machines[machine].containment.outside += missed
            machines[machine].containment.inside += count - missed
        }
    }

    /// A guest device has received: which queue's worker caused the interrupt at `irq`?
    mutating func joinByInterrupt(_ port: Int, _ lane: Int, _ irq: Nanoseconds) {
        let machine = Int16(ports[port].machine)
        let candidates = queues.indices.filter {
            guard queues[$0].port < 0, queues[$0].lastCopy != PointTimes.absent else { return false }
            let guest = queues[$0].worker < 0 ? -1 : machines[0].threads[queues[$0].worker].guest
            return guest == machine || guest < 0 && machineCount == 2
        }
        // The vector that was injected before the interrupt tells whose it is, else who woke the vCPU for it.
        let vcpu = Int(lanes[lane].vcpu)
        if vcpu >= 0 {
            var vector: Int32 = 0
            var waker: Int32 = -1
            for event in machines[0].threads[vcpus[vcpu].thread].newestFirst where event.time <= irq {
                if event.what == .entry, vector == 0 { vector = event.by }
                if event.what == .waking, waker < 0 { waker = event.by }
                if vector != 0, waker >= 0 { break }
            }
            // Vectors are each CPU's own, so two devices may share one; and a worker also wakes for what it has sent.
            let wakers = candidates.filter { waker >= 0 && workerThread(of: $0) == waker }
            let fitting = vector == 0 ? wakers : candidates.filter { queues[$0].vector == vector || queues[$0].hasSignalled(vector) }
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

    /// A queue pair that carried too little to be known by itself goes with its device: a tap's queues are in the order of the guest's, as
    /// QEMU attaches them.
    mutating func joinSiblings() {
        for port in ports.indices where ports[port].queue < 0 && ports[port].passage == .none {
            for sibling in ports.indices where ports[sibling].machine == ports[port].machine && ports[sibling].device == ports[port].device
            {
                let known = Int(ports[sibling].queue)
                guard known >= 0, queues[known].device != 0, queues[known].pair == ports[sibling].pair else { continue }
                let device = queues[known].device
                guard
                    let queue = queues.firstIndex(where: { $0.port < 0 && $0.device == device && $0.pair == ports[port].pair })
                else { continue }
                join(queue: queue, port: port)
                if ports[port].lastEmptied >= ports[port].lastIngress { proveReceiveRingEmpty(port) }
                break
            }
        }
    }

    /// At the end no further evidence can come: the only device goes with the only queue.
    mutating func joinRemaining() {
        guard machineCount == 2, queues.count == 1, queues[0].port < 0, queues[0].lastCopy != PointTimes.absent else { return }
        let receivers = ports.indices.filter { ports[$0].lastIngress != PointTimes.absent && ports[$0].passage == .none }
        guard receivers.count == 1, ports[receivers[0]].queue < 0 else { return }
        join(queue: 0, port: receivers[0])
        if ports[receivers[0]].lastEmptied >= ports[receivers[0]].lastIngress { proveReceiveRingEmpty(receivers[0]) }
    }

    /// So many packets a device may receive before the only queue there is becomes its own without further evidence.
    private static let patience = 32

    /// A notification of the guest device woke this host thread: it is the device's worker.
    mutating func joinByNotification(_ thread: Int32, port: Int16) {
        guard port >= 0 else { return }
        machines[0].threads[thread].port = port
        let queue = Int(machines[0].threads[thread].queue)
        if queue >= 0 { join(queue: queue, port: Int(port)) }
    }

    /// The two sides of one virtio-net device have found each other.
    mutating func join(queue: Int, port: Int) {
        guard queues[queue].port < 0, ports[port].queue < 0, ports[port].passage == .none, forcedPath != .vfio else { return }
        queues[queue].port = Int16(port)
        ports[port].queue = Int16(queue)
        queues[queue].rings[Direction.receive.index].takens = ports[port].takens
        queues[queue].rings[Direction.transmit.index].puts = ports[port].puts
        ports[port].takens.removeAll()
        ports[port].puts.removeAll()
        for index in 0..<queues[queue].rings[Direction.receive.index].takens.count {
            let id = queues[queue].rings[Direction.receive.index].takens[index]
            if flights.contains(id) { flights[id].queue = Int16(queue) }
        }
        for index in 0..<queues[queue].rings[Direction.transmit.index].puts.count {
            let id = queues[queue].rings[Direction.transmit.index].puts[index]
            if flights.contains(id) { flights[id].queue = Int16(queue) }
        }
    }
}
