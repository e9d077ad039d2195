// Threads and vCPUs: who runs, who was woken, what the guest's CPUs were doing when an interrupt came.

import TraceData

extension Tracker {
    @inline(__always)
    mutating func hostSwitch(_ mark: Mark) {
        switchTasks(mark, .host)
        guard mark.threadID != .idle else { return }
        let previous = thread(of: mark)
        let queue = machines[.host].threads[previous].queue
        // A vhost worker sleeps so when it has nothing left to do, unless it was woken again on its way to sleep.
        if !queue.isNone, mark.sleepsInterruptibly, !machines[.host].threads[previous].wasWokenAwake {
            queues[queue].lastPublished = mark.time
            // Frames it redirected are long on their way.
            redirects.forgetFrames(on: LaneID(of: mark))
            proveTransmitRingEmpty(queue)
        }
        let vcpu = machines[.host].threads[previous].vcpu
        if !vcpu.isNone { vcpus[vcpu].isInGuest = false }
    }

    mutating func hostWaking(_ mark: Mark, _ lane: LaneID) {
        let target = machines[.host].threads.index(mark.wokenThread)
        machines[.host].threads[target].push(.waking, mark.time, by: mark.threadID)
        if mark.inHardIRQ, !machines[.host].threads[target].vcpu.isNone { deviceWakes(mark, lane) }
        if !mark.inHardIRQ, let handover = lanes[lane].handover, flights.contains(handover.flight) {
            let id = handover.flight
            if flights[id].direction == .receive, !flights[id].times.has(.vhostCopy),
                !flights[id].times.has(.vhostWake) || !machines[.host].threads[target].queue.isNone
            {
                flights.stamp(id, .vhostWake, mark)
                flights[id].wokenThread = mark.wokenThread
            }
        } else if mark.inSoftIRQ, workers.contains(mark.wokenThread) {
            let frames = redirects.frames(on: lane)
            if !frames.isEmpty {
                wokenForFrames(frames, mark, lane)
            } else if flights.contains(lanes[lane].receiving) {
                wokenInReceipt(lanes[lane].receiving, mark)
            }
        }
        guard mark.inThread, mark.threadID != .idle else { return }
        let waker = thread(of: mark)
        let vcpu = machines[.host].threads[waker].vcpu
        if !vcpu.isNone {
            // A vCPU thread that wakes somebody while it handles a notification wakes the queue's worker.
            let id = vcpus[vcpu].doorbell
            guard flights.contains(id), !flights[id].times.has(.hostIngress) else { return }
            flights.stamp(id, .vhostWake, mark)
            flights[id].wokenThread = mark.wokenThread
            machines[.host].threads[target].guest = vcpus[vcpu].guest
            joinByNotification(target, port: vcpus[vcpu].doorbellPort)
        } else if !machines[.host].threads[target].vcpu.isNone, !machines[.host].threads[waker].queue.isNone {
            machines[.host].threads[waker].guest = vcpus[machines[.host].threads[target].vcpu].guest
            mayInject(mark.threadID, at: mark.time)
        }
    }

    /// The vCPU whose thread made the mark, made known if it was not.
    mutating func vcpu(of mark: Mark, number: Int32) -> (vcpu: VCPUID, thread: ThreadIndex) {
        let thread = thread(of: mark)
        if machines[.host].threads[thread].vcpu.isNone, vcpus.count < VCPUID.most {
            addVCPU(thread: thread, guest: .none, number: number)
        }
        return (machines[.host].threads[thread].vcpu, thread)
    }

    mutating func vmEntry(_ mark: Mark) {
        let (vcpu, thread) = vcpu(of: mark, number: mark.vcpuNumber)
        guard !vcpu.isNone else { return }
        vcpus[vcpu].isInGuest = true
        vcpus[vcpu].isKnown = true
        vcpus[vcpu].doorbell = .none
        machines[.host].threads[thread].push(.entry, mark.time, by: vcpus[vcpu].injected)
        vcpus[vcpu].injected = 0
    }

    mutating func vmExit(_ mark: Mark) {
        let (vcpu, thread) = vcpu(of: mark, number: -1)
        guard !vcpu.isNone else { return }
        vcpus[vcpu].isInGuest = false
        vcpus[vcpu].lastExit = mark.time
        vcpus[vcpu].doorbell = .none
        machines[.host].threads[thread].push(.exit, mark.time, by: mark.exitReason.code)
    }

    mutating func injected(_ mark: Mark) {
        seesInjections = true
        let vcpu = machines[.host].threads[thread(of: mark)].vcpu
        if !vcpu.isNone { vcpus[vcpu].injected = mark.injectedVector }
    }

    /// The guest wrote to a device's notification address: the exit belongs to the packet its driver is sending.
    mutating func doorbell(_ mark: Mark) {
        let vcpu = machines[.host].threads[thread(of: mark)].vcpu
        guard !vcpu.isNone, !vcpus[vcpu].lane.isNone, let handover = lanes[vcpus[vcpu].lane].handover,
            flights.contains(handover.flight)
        else { return }
        let id = handover.flight
        guard flights[id].direction == .transmit, ports[handover.port].passage == .none,
            flights[id].times.has(.guestEgress), !flights[id].times.has(.hostIngress),
            vcpus[vcpu].lastExit >= flights[id].times[.guestEgress]
        else { return }
        flights.stamp(id, .kick, at: vcpus[vcpu].lastExit, by: mark.threadID)
        vcpus[vcpu].doorbell = id
        vcpus[vcpu].doorbellPort = handover.port
    }

    /// Counts whether a guest event lies where its vCPU was in the guest.
    @inline(__always)
    mutating func checkContainment(_ lane: LaneID, _ machine: MachineID) {
        let vcpu = lanes[lane].vcpu
        guard !vcpu.isNone else {
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
}
