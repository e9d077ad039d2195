// A NIC that is the guest's own: no queue on the host, only its interrupts, and with posted interrupts not even these.

extension Tracker {
    /// A packet that no ring leads to: its way on the host, as far as its interrupt tells.
    /// - Parameter pending: its interrupt in the guest; nil when the guest was polling.
    mutating func tracePassThrough(_ id: FlightID, _ port: PortID, _ lane: LaneID, _ pending: PendingInterrupt?) {
        let machine = lanes[lane].machine
        guard let pending, passThrough.sort(of: pending.irq, on: machine) == .other,
            !flights[id].flags.contains(.sharedInterrupt)
        else {
            if ports[port].passage != .none { classifyDelivery(id, port) }
            return
        }
        guard let index = passThrough.interrupt(pending.irq, on: machine),
            passThrough.interrupts[index].time == pending.time
        else {
            if ports[port].passage != .none { classifyDelivery(id, port) }
            return
        }
        // Another interrupt may have come first, in a hole on either side: then this one's packet is not the one that
        // it announced.
        let interrupt = passThrough.interrupts[index]
        let doubtful = max(machines[.host].validFrom, machines[machine].validFrom)
        if machines[.host].openHoles > 0 || doubtful != PointTimes.absent && interrupt.previous < doubtful {
            flights[id].flags.insert(.lost)
        }
        if let current = interrupt.current {
            setHostPoints(id, current, lane)
            let isFollowed = current.isMerged || passThrough.vectors[interrupt.vector].waiting != nil
            if isDoubtful(id, port, isFollowed) { coalesce(id) }
        } else if hostEnded {
            flights[id].flags.insert(.cut)
        }
        if ports[port].queue.isNone, interrupt.votes >= PassThrough.enough { become(port, .visible) }
    }

    /// Whether the interrupt that brought a packet may have been raised for others.
    ///
    /// A device interrupts once more for what was taken by polling already, when its driver enables its interrupts
    /// after the poll. A guest that halted in between had none of these left. One that did not may have found a packet
    /// that came later than its interrupt, so that is believed only where nothing came in between, and the packet was
    /// found sooner than the poll had been over.
    func isDoubtful(_ id: FlightID, _ port: PortID, _ isFollowed: Bool) -> Bool {
        let (interrupt, polled) = (flights[id].times[.nicIRQ], ports[port].lastEmptied)
        guard interrupt != PointTimes.absent, flights[id].delivery != .woken else { return false }
        guard !isFollowed, polled != PointTimes.absent else { return isFollowed }
        return flights[id].times[.guestIngress] &- interrupt > interrupt &- polled
    }

    private mutating func setHostPoints(_ id: FlightID, _ interrupt: DeviceInterrupt, _ lane: LaneID) {
        let vcpu = lanes[lane].vcpu
        guard !vcpu.isNone, interrupt.irq <= flights[id].times[.guestIRQ] else { return }
        flights.stamp(id, .nicIRQ, at: interrupt.irq)
        flights.stamp(id, .irqInject, at: interrupt.inject)
        let anchor = max(interrupt.inject, interrupt.irq)
        let delivery = deliver(
            vcpus[vcpu].thread, vector: Int32(interrupt.vector), from: anchor, to: flights[id].times[.guestIRQ]
        ) { $0.time == interrupt.wake }
        stampDelivery(id, delivery, vcpus[vcpu].thread)
        flights[id].delivery = delivery.kind
        flights[id].vcpuState = delivery.state
    }
}
