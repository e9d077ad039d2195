// What a packet leaves untold between its redirect and the guest, where no event shows the worker's copy.

import ClockSync

extension Tracker {
    /// What a packet without an skb leaves untold between redirect and guest: read out of its worker's history, once it
    /// has arrived.
    mutating func traceBareDelivery(_ id: FlightID) {
        let queue = flights[id].queue
        guard !queue.isNone, !queues[queue].worker.isNone else { return }
        let worker = queues[queue].worker
        let irq = flights[id].times[.guestIRQ]
        let redirect = flights[id].times[flights[id].flags.contains(.uncopied) ? .hostEgress : .hostIngress]
        flights[id].worker = worker
        if flights[id].wokenThread != machines[.host].threads[worker].id { flights.clear(id, .vhostWake) }
        if irq != PointTimes.absent,
            let signal = signal(of: queue, from: redirect, to: irq, lane: flights[id].guestLane)
        {
            flights.stamp(id, .irqInject, at: signal.time, by: machines[.host].threads[worker].id)
            flights[id].vector = signal.vector
        }
        let until = flights[id].times.has(.irqInject) ? flights[id].times[.irqInject] : flights[id].times[.guestIngress]
        if let run = machines[.host].threads[worker].switchIn(
            after: max(flights[id].times[.vhostWake], redirect), until: until, validFrom: machines[.host].validFrom)
        {
            flights.stamp(id, .vhostRun, at: run, by: machines[.host].threads[worker].id)
        }
    }

    /// The worker's signal that made the interrupt at `irq`: the last one whose vector was carried in before it.
    ///
    /// It also signals that it has sent packets, with another vector: which one the receive interrupt's is, is learned
    /// where only one came.
    mutating func signal(of queue: QueueID, from redirect: Nanoseconds, to irq: Nanoseconds, lane: LaneID)
        -> WorkerSignal?
    {
        let vcpu = assignedVCPU(of: lane)
        guard !vcpu.isNone else { return nil }
        var carried: [Int32] = []
        for event in machines[.host].threads[vcpus[vcpu].thread].newestFirst {
            if event.time < redirect { break }
            if event.what == .entry, event.by != 0, event.time <= irq { carried.append(event.by) }
        }
        let signals = queues[queue].signals.filter { signal in
            signal.time > redirect && signal.time <= irq && carried.contains(Int32(signal.vector))
        }
        guard let last = signals.last else { return nil }
        if signals.allSatisfy({ $0.vector == last.vector }) {
            if queues[queue].vector == 0 || queues[queue].soleVector == last.vector {
                queues[queue].vector = Int32(last.vector)
            }
            queues[queue].soleVector = last.vector
        }
        return signals.last { Int32($0.vector) == queues[queue].vector }
    }
}
