// Threads and vCPUs: who runs, who was woken, what the guest's CPUs were doing when an interrupt came.

import ClockSync
import TraceData

extension Tracker {
    @inline(__always)
    mutating func switchTasks(_ mark: Mark, _ machine: Int) {
        // Thread 0 is every CPU's idle thread: it is nobody.
        if mark.thread != 0 {
            let previous = thread(of: mark)
            // The low byte holds the task's state; 0 is runnable, TASK_REPORT_MAX and above say "preempted".
            let sleeps = mark.b & 0xff != 0
            machines[machine].threads[previous].push(sleeps ? .sleep : .preempted, mark.time, by: mark.otherThread)
            if sleeps, !machines[machine].threadedInterrupts.isEmpty { machines[machine].threadedInterrupts.sleep(mark.thread) }
            // Few sending calls sleep; from here on its calls are seen to begin.
            if sleeps, machines[machine].threads[previous].sendingSince == ThreadState.sendingUnknown {
                if !machines[machine].callsUnknown.isEmpty { settleCalls(of: previous, machine, isInCall: false) }
                machines[machine].threads[previous].sendingSince = PointTimes.absent
            }
        }
        if mark.otherThread != 0 {
            let next = machines[machine].threads.index(mark.otherThread)
            machines[machine].threads[next].push(.switchIn, mark.time)
        }
    }

    @inline(__always)
    mutating func hostSwitch(_ mark: Mark) {
        switchTasks(mark, 0)
        guard mark.thread != 0 else { return }
        let previous = thread(of: mark)
        let queue = machines[0].threads[previous].queue
        // TASK_INTERRUPTIBLE: a vhost worker sleeps so when it has nothing left to do, unless it was woken again on its way to sleep.
        if queue >= 0, mark.b & 0xff == 1, !machines[0].threads[previous].wasWokenAwake {
            queues[Int(queue)].lastSettled = mark.time
            // Frames it redirected are long on their way.
            lanes[Int(mark.lane)].forgetBulk()
            proveTransmitRingEmpty(Int(queue))
        }
        let vcpu = machines[0].threads[previous].vcpu
        if vcpu >= 0 { vcpus[Int(vcpu)].isInGuest = false }
    }

    mutating func hostWaking(_ mark: Mark, _ lane: Int) {
        let target = machines[0].threads.index(mark.otherThread)
        machines[0].threads[target].push(.waking, mark.time, by: mark.thread)
        if mark.inHardIRQ, machines[0].threads[target].vcpu >= 0 { deviceWakes(mark, lane) }
        if !mark.inHardIRQ, let handover = lanes[lane].handover, flights.contains(handover.flight) {
            let id = handover.flight
            if flights[id].direction == .receive, !flights[id].times.has(.vhostCopy),
                !flights[id].times.has(.vhostWake) || machines[0].threads[target].queue >= 0
            {
                flights[id].times[.vhostWake] = mark.time
                flights[id].wokenThread = mark.otherThread
            }
        } else if mark.inSoftIRQ, workers.contains(mark.otherThread) {
            if !lanes[lane].bulk.isEmpty {
                wokenForBulk(mark, lane)
            } else if flights.contains(lanes[lane].receiving) {
                wokenInReceipt(lanes[lane].receiving, mark)
            }
        }
        guard mark.inThread, mark.thread != 0 else { return }
        let waker = thread(of: mark)
        let vcpu = Int(machines[0].threads[waker].vcpu)
        if vcpu >= 0 {
            // A vCPU thread that wakes somebody while it handles a notification wakes the queue's worker.
            let id = vcpus[vcpu].doorbell
            guard flights.contains(id), !flights[id].times.has(.hostIngress) else { return }
            flights[id].times[.vhostWake] = mark.time
            flights[id].wokenThread = mark.otherThread
            machines[0].threads[target].guest = vcpus[vcpu].guest
            joinByNotification(target, port: vcpus[vcpu].doorbellPort)
        } else if machines[0].threads[target].vcpu >= 0, machines[0].threads[waker].queue >= 0 {
            machines[0].threads[waker].guest = vcpus[Int(machines[0].threads[target].vcpu)].guest
            mayInject(mark.thread, at: mark.time)
        }
    }

    // MARK: vCPUs

    mutating func addVCPU(thread: Int32, guest: Int16, number: Int32) {
        machines[0].threads[thread].vcpu = Int16(vcpus.count)
        machines[0].threads[thread].keepLongHistory()
        vcpus.append(VCPU(thread: thread, guest: guest, number: number))
    }

    /// Index of the vCPU whose thread made the mark, made known if it was not.
    private mutating func vcpuIndex(_ mark: Mark, number: Int32) -> (vcpu: Int, thread: Int32) {
        let thread = thread(of: mark)
        if machines[0].threads[thread].vcpu < 0, vcpus.count < Int(Int16.max) {
            addVCPU(thread: thread, guest: -1, number: number)
        }
        return (Int(machines[0].threads[thread].vcpu), thread)
    }

    mutating func vmEntry(_ mark: Mark) {
        let (index, thread) = vcpuIndex(mark, number: mark.otherThread)
        guard index >= 0 else { return }
        vcpus[index].isInGuest = true
        vcpus[index].isKnown = true
        vcpus[index].doorbell = .none
        machines[0].threads[thread].push(.entry, mark.time, by: vcpus[index].injected)
        vcpus[index].injected = 0
    }

    mutating func vmExit(_ mark: Mark) {
        let (index, thread) = vcpuIndex(mark, number: -1)
        guard index >= 0 else { return }
        vcpus[index].isInGuest = false
        vcpus[index].lastExit = mark.time
        vcpus[index].doorbell = .none
        machines[0].threads[thread].push(.exit, mark.time, by: mark.exitReason.code)
    }

    mutating func injected(_ mark: Mark) {
        seesInjections = true
        let vcpu = Int(machines[0].threads[thread(of: mark)].vcpu)
        if vcpu >= 0 { vcpus[vcpu].injected = mark.otherThread }
    }

    /// The guest wrote to a device's notification address: the exit belongs to the packet its driver is sending.
    mutating func doorbell(_ mark: Mark) {
        let index = Int(machines[0].threads[thread(of: mark)].vcpu)
        guard index >= 0, vcpus[index].lane >= 0, let handover = lanes[Int(vcpus[index].lane)].handover,
            flights.contains(handover.flight)
        else { return }
        let id = handover.flight
        guard flights[id].direction == .transmit, ports[Int(handover.port)].passage == .none,
            flights[id].times.has(.guestEgress), !flights[id].times.has(.hostIngress),
            vcpus[index].lastExit >= flights[id].times[.guestEgress]
        else { return }
        flights[id].times[.kick] = vcpus[index].lastExit
        vcpus[index].doorbell = id
        vcpus[index].doorbellPort = handover.port
    }

    // MARK: Guest CPUs

    /// Counts whether a guest event lies where its vCPU was in the guest.
    @inline(__always)
    mutating func checkContainment(_ lane: Int, _ machine: Int) {
        let vcpu = Int(lanes[lane].vcpu)
        guard vcpu >= 0 else {
            assignVCPU(lane, machine)
            return
        }
        guard vcpus[vcpu].isKnown, !hostEnded else { return }
        if vcpus[vcpu].isInGuest {
            machines[machine].containment.inside &+= 1
        } else {
            machines[machine].containment.outside &+= 1
        }
    }

    /// How an rx packet's interrupt reached the vCPU that took it: the points between signal and guest.irq.
    ///
    /// All of it lies in the past when this is called; it is read out of the vCPU thread's history.
    mutating func traceDelivery(_ id: FlightID) {
        if !flights[id].flags.isDisjoint(with: [.bare, .uncopied]) { traceBareDelivery(id) }
        defer { measureArrival(id, flights[id].queue >= 0 ? queues[Int(flights[id].queue)].path : .tap) }
        // Without a copy to be seen, the packet was put where it was redirected to.
        let put: Point = flights[id].flags.contains(.uncopied) ? .hostEgress : .hostIngress
        let copied = flights[id].times.has(.vhostCopy) ? flights[id].times[.vhostCopy] : flights[id].times[put]
        let irq = flights[id].times[.guestIRQ]
        guard irq != PointTimes.absent, irq >= copied else {
            flights[id].times[.guestIRQ] = PointTimes.absent
            flights[id].times[.irqInject] = PointTimes.absent
            flights[id].delivery = .suppressed
            return
        }
        if flights[id].times.has(.irqInject), flights[id].times[.irqInject] > irq {
            flights[id].times[.irqInject] = PointTimes.absent
        }
        let isShared = flights[id].flags.contains(.sharedInterrupt)
        if isShared { flights[id].delivery = .coalesced }
        let vcpu = Int(lanes[Int(flights[id].guestLane)].vcpu)
        guard vcpu >= 0 else { return }
        let anchor = flights[id].times.has(.irqInject) ? flights[id].times[.irqInject] : copied
        let worker = flights[id].worker
        let workerID = worker >= 0 ? machines[0].threads[worker].id : -1
        let delivery = deliver(vcpus[vcpu].thread, vector: Int32(flights[id].vector), from: anchor, to: irq) { $0.by == workerID }
        flights[id].times[.vcpuWake] = delivery.wake
        flights[id].times[.vcpuRun] = delivery.run
        flights[id].times[.vcpuEntry] = delivery.entry
        if !isShared {
            flights[id].delivery = delivery.kind
            flights[id].vcpuState = delivery.state
        }
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
        _ thread: Int32, vector: Int32, from anchor: Nanoseconds, to irq: Nanoseconds, waking isOwn: (ThreadEvent) -> Bool
    ) -> DeliveryPoints {
        var points = DeliveryPoints()
        var carrying = PointTimes.absent
        var lastEntry = PointTimes.absent
        var firstRun = PointTimes.absent
        var before: ThreadEvent?
        var exitBefore = HostReason.unknown
        var wakingBefore = false
        var history = machines[0].threads[thread].newestFirst
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
        guard let before, before.time >= machines[0].validFrom else { return points }
        switch before.what {
        case .sleep:
            points.run = firstRun
            points.kind = wakingBefore ? .preempted : .woken
            if wakingBefore { points.state = VCPUState(kind: .preempted, by: 0) }
        case .preempted:
            points.run = firstRun
            points.kind = .preempted
            points.state = VCPUState(kind: .preempted, by: before.by)
        case .exit:
            points.kind = HostReason(code: before.by).isHalt ? .haltPoll : .kick
            points.state = VCPUState(kind: .inHost, by: before.by)
        case .entry:
            points.kind = lastEntry == PointTimes.absent ? .posted : .kick
            points.state = VCPUState(kind: .inGuest, by: 0)
        default:
            points.kind = .kick
            points.state = VCPUState(kind: .inHost, by: exitBefore.code)
        }
        // Woken on the way to sleep: the thread was still running when the interrupt came.
        if points.wake != PointTimes.absent, points.run == PointTimes.absent, firstRun != PointTimes.absent, points.wake <= firstRun {
            points.run = firstRun
            points.kind = .woken
        }
        // It was on a CPU by itself before, and then on its way to sleep again.
        if points.run != PointTimes.absent, points.wake > points.run { points.wake = PointTimes.absent }
        if points.entry != PointTimes.absent, points.run != PointTimes.absent, points.run > points.entry {
            points.run = PointTimes.absent
        }
        return points
    }
}
