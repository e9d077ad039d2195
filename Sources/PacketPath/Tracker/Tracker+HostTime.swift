// Time stolen from the guest's stages: what its vCPU did on the host meanwhile.

import ClockSync

/// What is measured is the time outside the guest as KVM tells it, from kvm_exit to kvm_entry, and it is a lower bound: on SVM and arm64 the
/// host handles the interrupt that ended the guest's run, softirqs included, before kvm_exit.
///
/// A stage is held against the vCPU whose CPU makes the event it ends with. A reader on another vCPU than the one that polled the packet is
/// woken by an IPI: until that vCPU is in the guest its wake-up can't go on, so what it spends halted or on its way is the host's share.
extension Tracker {
    /// The stage up to the guest's first sight of a packet: it may begin in the host, and on which point depends on the path.
    mutating func measureArrival(_ id: FlightID, _ path: PathKind) {
        let times = flights[id].times
        var begin = PointTimes.absent
        for waypoint in paths[path, .receive] {
            if waypoint.point == .guestIngress { break }
            if times.has(waypoint.point), begin == PointTimes.absent || waypoint.endsStage { begin = times[waypoint.point] }
        }
        measure(id, .guestIngress, from: begin, Int(flights[id].guestLane))
    }

    /// The stages from there to the reader, which reads on `lane`.
    mutating func measureReading(_ id: FlightID, _ lane: Int) {
        let times = flights[id].times
        var begin = times[.guestIngress]
        for (point, lane) in [(Point.guestWake, Int(flights[id].guestLane)), (.guestRun, lane), (.guestRead, lane)] where times.has(point) {
            measure(id, point, from: begin, lane)
            begin = times[point]
        }
    }

    /// The stage from the call that sends to the driver.
    mutating func measureSending(_ id: FlightID, _ lane: Int) {
        measure(id, .guestEgress, from: flights[id].times[.guestSend], lane)
    }

    /// All of it lies in the past, and is read out of the vCPU thread's history; where that does not reach back, nothing is known.
    private mutating func measure(_ id: FlightID, _ point: Point, from begin: Nanoseconds, _ lane: Int) {
        let end = flights[id].times[point]
        let vcpu = Int(lanes[lane].vcpu)
        guard vcpu >= 0, begin != PointTimes.absent, begin <= end, begin >= machines[0].validFrom, machines[0].openHoles == 0, !hostEnded
        else { return }
        var host = flights[id].host
        var until = end
        // Time on the host whose exit is further back.
        var open: Nanoseconds = 0
        var nextExit = HostReason.unknown
        var isSettled = false
        _ = machines[0].threads[vcpus[vcpu].thread].newestFirst { event in
            if event.time >= end {
                if event.what == .exit { nextExit = HostReason(code: event.by) }
                return true
            }
            guard event.time >= machines[0].validFrom else { return false }
            let since = max(event.time, begin)
            switch event.what {
            case .waking: return true
            case .preempted: host.add(point, .preempted, until - since)
            case .sleep, .switchIn: open += until - since
            case .exit:
                nextExit = HostReason(code: event.by)
                host.add(point, nextExit, open + until - since)
                open = 0
            case .entry:
                // It lost its CPU before the kvm_exit came, which then was the next one.
                host.add(point, nextExit, open)
                open = 0
            }
            until = since
            isSettled = event.time <= begin && open == 0
            return !isSettled
        }
        guard isSettled else { return }
        host.know(point)
        flights[id].host = host
    }
}
