// Time stolen from the guest's stages: what its vCPU did on the host meanwhile.

import ClockSync

extension Tracker {
    /// The stage up to the guest's first sight of a packet: it may begin in the host, and on which point depends on the
    /// path.
    mutating func measureArrival(_ id: FlightID, _ path: PathKind) {
        let waypoints = paths[path, .receive]
        var first = PointTimes.absent
        for index in waypoints.indices.reversed() where waypoints[index].point.rawValue < Point.guestIngress.rawValue {
            let time = flights[id].times[waypoints[index].point]
            guard time != PointTimes.absent else { continue }
            first = time
            if waypoints[index].endsStage { break }
        }
        measure(id, Stages(.guestIngress, from: first), flights[id].guestLane)
    }

    /// The stages from there to the reader, which reads on `lane`.
    mutating func measureReading(_ id: FlightID, _ lane: LaneID) {
        let (wake, run) = (flights[id].times[.guestWake], flights[id].times[.guestRun])
        var stages = Stages(.guestRead, from: flights[id].times[.guestIngress])
        if run != PointTimes.absent { stages.split(.guestRun, at: run) }
        if wake != PointTimes.absent {
            let polling = flights[id].guestLane
            if assignedVCPU(of: polling) == assignedVCPU(of: lane) {
                stages.split(.guestWake, at: wake)
            } else {
                measure(id, Stages(.guestWake, from: flights[id].times[.guestIngress]), polling)
                stages.begin(at: wake)
            }
        }
        measure(id, stages, lane)
    }

    /// The stage from the call that sends to the driver.
    mutating func measureSending(_ id: FlightID, _ lane: LaneID) {
        measure(id, Stages(.guestEgress, from: flights[id].times[.guestSend]), lane)
    }

    /// Stages of one vCPU that follow each other, the latest first.
    private struct Stages {
        var ends = InlineArray<3, Point>(repeating: .guestRead)
        var begins = InlineArray<3, Nanoseconds>(repeating: PointTimes.absent)
        var count = 1

        init(_ point: Point, from begin: Nanoseconds) {
            ends[0] = point
            begins[0] = begin
        }

        /// Another stage before these, from their beginning on.
        mutating func split(_ point: Point, at time: Nanoseconds) {
            ends[count] = point
            begins[count] = begins[count - 1]
            begins[count - 1] = time
            count += 1
        }

        mutating func begin(at time: Nanoseconds) { begins[count - 1] = time }
    }

    /// All of it lies in the past, and is read out of the vCPU thread's history; where that does not reach back,
    /// nothing is known.
    private mutating func measure(_ id: FlightID, _ stages: Stages, _ lane: LaneID) {
        let end = flights[id].times[stages.ends[0]]
        let vcpu = assignedVCPU(of: lane)
        guard !vcpu.isNone, stages.begins[stages.count - 1] != PointTimes.absent, stages.begins[0] <= end,
            machines[.host].openHoles == 0,
            !hostEnded
        else { return }
        let validFrom = machines[.host].validFrom
        // The stage that is being looked at; earlier ones come later.
        var stage = 0
        var known = 0
        var until = end
        // Time on the host whose exit is further back, by stage.
        var open = InlineArray<3, Nanoseconds>(repeating: 0)
        var nextExit = HostReason.unknown
        for event in machines[.host].threads[vcpus[vcpu].thread].newestFirst where event.what != .waking {
            if event.what == .exit { nextExit = HostReason(code: event.by) }
            if event.time >= end { continue }
            if event.time < validFrom { break }
            while stage < stages.count {
                let begin = stages.begins[stage]
                let since = max(event.time, begin)
                switch event.what {
                case .preempted: flights[id].host.add(stages.ends[stage], .preempted, until &- since)
                case .entry: break
                default: open[stage] &+= until &- since
                }
                until = since
                guard event.time <= begin else { break }
                stage += 1
            }
            // An entry before any exit: the vCPU lost its CPU before the kvm_exit came, which then was the next one.
            if event.what == .exit || event.what == .entry {
                for index in known..<min(stage + 1, stages.count) {
                    flights[id].host.add(stages.ends[index], nextExit, open[index])
                    open[index] = 0
                }
            }
            while known < stage, open[known] == 0 {
                flights[id].host.know(stages.ends[known])
                known += 1
            }
            // What is not known by then stays unknown, whatever has been found of it.
            if known == stages.count { break }
        }
    }
}
