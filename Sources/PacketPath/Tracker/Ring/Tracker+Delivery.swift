// The way from the worker's signal into the guest, read out of the histories of the worker's thread and the vCPU's.

import ClockSync

extension Tracker {
    /// How an rx packet's interrupt reached the vCPU that took it: the points between signal and guest.irq.
    ///
    /// All of it lies in the past when this is called; it is read out of the vCPU thread's history.
    mutating func traceDelivery(_ id: FlightID) {
        if !flights[id].flags.isDisjoint(with: [.bare, .uncopied]) { traceBareDelivery(id) }
        defer { measureArrival(id, !flights[id].queue.isNone ? queues[flights[id].queue].path : .tap) }
        // Without a copy to be seen, the packet was put where it was redirected to.
        let put: Point = flights[id].flags.contains(.uncopied) ? .hostEgress : .hostIngress
        let copied = flights[id].times.has(.vhostCopy) ? flights[id].times[.vhostCopy] : flights[id].times[put]
        let irq = flights[id].times[.guestIRQ]
        guard irq != PointTimes.absent, irq >= copied else {
            flights.clear(id, .guestIRQ)
            flights.clear(id, .irqInject)
            flights[id].delivery = flights[id].deliveryWithoutInterrupt
            return
        }
        if flights[id].times.has(.irqInject), flights[id].times[.irqInject] > irq {
            flights.clear(id, .irqInject)
        }
        let isShared = flights[id].flags.contains(.sharedInterrupt)
        if isShared { flights[id].delivery = .coalesced }
        let vcpu = assignedVCPU(of: flights[id].guestLane)
        guard !vcpu.isNone else { return }
        let anchor = flights[id].times.has(.irqInject) ? flights[id].times[.irqInject] : copied
        let worker = flights[id].worker
        let workerID = !worker.isNone ? machines[.host].threads[worker].id : .none
        let delivery = deliver(vcpus[vcpu].thread, vector: Int32(flights[id].vector), from: anchor, to: irq) {
            $0.thread == workerID
        }
        stampDelivery(id, delivery, vcpus[vcpu].thread)
        if !isShared {
            flights[id].delivery = delivery.kind
            flights[id].vcpuState = delivery.state
        }
    }

    /// What was read out of the history of a vCPU's thread.
    mutating func stampDelivery(_ id: FlightID, _ delivery: DeliveryPoints, _ thread: ThreadIndex) {
        let vcpu = machines[.host].threads[thread].id
        flights.stamp(id, .vcpuWake, at: delivery.wake, by: vcpu)
        flights.stamp(id, .vcpuRun, at: delivery.run, by: vcpu)
        flights.stamp(id, .vcpuEntry, at: delivery.entry, by: vcpu)
    }

    struct DeliveryPoints {
        var wake = PointTimes.absent
        var run = PointTimes.absent
        var entry = PointTimes.absent
        var kind = Delivery.unknown
        /// When the interrupt was signalled.
        var state = VCPUState.unknown
    }

    /// Reads an interrupt's way through a vCPU thread out of its history.
    /// - Parameter isOwn: tells the wake-up that belongs to this interrupt from others.
    func deliver(
        _ thread: ThreadIndex, vector: Int32, from anchor: Nanoseconds, to irq: Nanoseconds,
        waking isOwn: (ThreadEvent) -> Bool
    ) -> DeliveryPoints {
        var points = DeliveryPoints()
        var carrying = PointTimes.absent
        var lastEntry = PointTimes.absent
        var firstRun = PointTimes.absent
        var before: ThreadEvent?
        var exitBefore = HostReason.unknown
        var wakingBefore = false
        var history = machines[.host].threads[thread].newestFirst
        while let event = history.next() {
            if event.time > irq { continue }
            if event.time < anchor {
                if before != nil {
                    // A thread that has been off its CPU is still in the exit it had before.
                    if event.what == .exit { exitBefore = HostReason(code: event.by) }
                    if event.what == .exit || event.what == .entry { break }
                } else if event.what == .waking {
                    wakingBefore = true
                } else {
                    before = event
                    if event.what != .switchIn { break }
                }
                continue
            }
            switch event.what {
            case .entry:
                if lastEntry == PointTimes.absent { lastEntry = event.time }
                if event.by == vector, carrying == PointTimes.absent { carrying = event.time }
            case .switchIn: firstRun = event.time
            case .waking: if isOwn(event) { points.wake = event.time }
            default: break
            }
        }
        guard before != nil || history.isWhole else { return points }
        points.entry = vector != 0 && seesInjections ? carrying : lastEntry
        guard let before, before.time >= machines[.host].validFrom else { return points }
        points.classify(
            before, exitBefore: exitBefore, isWakingBefore: wakingBefore, firstRun: firstRun,
            hasEntered: lastEntry != PointTimes.absent)
        return points
    }

    /// Both halves of a tx packet are known: was it its own notification that woke the worker, and when did that run?
    mutating func traceNotification(_ id: FlightID) {
        let ingress = flights[id].times[.hostIngress]
        let worker = flights[id].worker
        if flights[id].times[.kick] > ingress { flights.clear(id, .kick) }
        if flights[id].times[.vhostWake] > ingress || flights[id].wokenThread != machines[.host].threads[worker].id {
            flights.clear(id, .vhostWake)
        }
        let anchor = max(flights[id].times[.vhostWake], flights[id].times[.kick], flights[id].times[.guestEgress])
        guard anchor != PointTimes.absent,
            let run = machines[.host].threads[worker].switchIn(
                after: anchor, until: ingress, validFrom: machines[.host].validFrom)
        else { return }
        flights.stamp(id, .vhostRun, at: run, by: machines[.host].threads[worker].id)
    }
}

extension Tracker.DeliveryPoints {
    /// Tells from what the vCPU's thread did before the signal how the interrupt reached it.
    /// - Parameters:
    ///   - before: what it did last.
    ///   - exitBefore: the exit it was in, where that was not the last thing.
    ///   - isWakingBefore: somebody had woken it and it had not run yet.
    ///   - firstRun: when it first got a CPU after the signal.
    ///   - hasEntered: it entered the guest after the signal.
    fileprivate mutating func classify(
        _ before: ThreadEvent, exitBefore: HostReason, isWakingBefore: Bool, firstRun: Nanoseconds, hasEntered: Bool
    ) {
        switch before.what {
        case .sleep:
            run = firstRun
            kind = isWakingBefore ? .preempted : .woken
            if isWakingBefore { state = VCPUState(kind: .preempted, by: 0) }
        case .preempted:
            run = firstRun
            kind = .preempted
            state = VCPUState(kind: .preempted, by: before.by)
        case .exit:
            kind = HostReason(code: before.by).isHalt ? .haltPoll : .kick
            state = VCPUState(kind: .inHost, by: before.by)
        case .entry:
            kind = hasEntered ? .kick : .posted
            state = VCPUState(kind: .inGuest, by: 0)
        default:
            kind = .kick
            state = VCPUState(kind: .inHost, by: exitBefore.code)
        }
        // Woken on the way to sleep: the thread was still running when the interrupt came.
        if wake != PointTimes.absent, run == PointTimes.absent, firstRun != PointTimes.absent, wake <= firstRun {
            run = firstRun
            kind = .woken
        }
        // It was on a CPU by itself before, and then on its way to sleep again.
        if run != PointTimes.absent, wake > run { wake = PointTimes.absent }
        if entry != PointTimes.absent, run != PointTimes.absent, run > entry { run = PointTimes.absent }
    }
}
