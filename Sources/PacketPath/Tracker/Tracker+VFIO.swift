// A NIC that is the guest's own: no queue on the host, only its interrupts, and with posted interrupts not even these.

import ClockSync
import TraceData

extension Tracker {
    // MARK: Interrupts

    /// An interrupt comes, on any machine.
    @inline(__always)
    mutating func noteInterrupt(_ mark: Mark, _ lane: Int) {
        let machine = Int(lanes[lane].machine)
        let irq = mark.otherThread
        let sort = passThrough.note(irq, named: mark.name, on: machine)
        guard machine != 0, sort == .other, let index = passThrough.interrupt(irq, on: machine) else { return }
        passThrough.came(index, at: mark.time, isMerged: lanes[lane].isPending(irq))
    }

    /// The handler of a vfio vector injects it into a guest.
    mutating func deviceInjects(_ mark: Mark, _ lane: Int) {
        guard passThrough.sort(of: lanes[lane].irq, on: 0) == .vfio else { return }
        passThrough.handle(lanes[lane].irq, enteredAt: lanes[lane].irqTime) { interrupt in
            guard interrupt.inject == PointTimes.absent else { return }
            interrupt.inject = mark.time
            interrupt.vector = UInt8(truncatingIfNeeded: mark.a)
        }
    }

    /// The handler of a vfio vector wakes a vCPU.
    mutating func deviceWakes(_ mark: Mark, _ lane: Int) {
        guard passThrough.sort(of: lanes[lane].irq, on: 0) == .vfio else { return }
        passThrough.handle(lanes[lane].irq, enteredAt: lanes[lane].irqTime) { interrupt in
            if interrupt.wake == PointTimes.absent { interrupt.wake = mark.time }
        }
    }

    /// A handler of a guest asks for a poll: is its interrupt one of a vector that the host has just injected?
    mutating func learnPassThrough(_ lane: Int) {
        let machine = Int(lanes[lane].machine)
        let irq = lanes[lane].irq
        guard machine != 0, !passThrough.vectors.isEmpty, passThrough.sort(of: irq, on: machine) == .other, lanes[lane].vcpu >= 0 else {
            return
        }
        let time = lanes[lane].irqTime
        let thread = vcpus[Int(lanes[lane].vcpu)].thread
        if let index = passThrough.interrupt(irq, on: machine), passThrough.interrupts[index].time == time,
            let current = passThrough.interrupts[index].current
        {
            if fits(current, thread, time) { passThrough.vote(passThrough.interrupts[index].vector, for: irq, on: machine, at: time) }
            return
        }
        let fitting = passThrough.vectors.indices.filter { index in
            passThrough.vectors[index].waiting.map { fits($0, thread, time, lastWake: passThrough.vectors[index].lastWake) } ?? false
        }
        if fitting.count == 1 { passThrough.vote(fitting[0], for: irq, on: machine, at: time) }
    }

    /// Whether this was the interrupt that the vCPU took into the guest last before `time`: by its vector, else by whom it woke.
    private func fits(
        _ interrupt: DeviceInterrupt, _ thread: Int32, _ time: Nanoseconds, lastWake: Nanoseconds = PointTimes.absent
    ) -> Bool {
        for event in machines[0].threads[thread].newestFirst where event.time <= time {
            if seesInjections, interrupt.inject != PointTimes.absent {
                guard event.what == .entry, event.by != 0 else { continue }
                return event.by == Int32(interrupt.vector) && event.time >= interrupt.inject
            }
            guard event.what == .waking else { continue }
            return event.time == interrupt.wake || lastWake != PointTimes.absent && event.time == lastWake
        }
        return false
    }

    // MARK: Receive

    /// A packet that no ring leads to: its way on the host, as far as its interrupt tells.
    /// - Parameter pending: its interrupt in the guest; nil when the guest was polling.
    mutating func tracePassThrough(_ id: FlightID, _ port: Int, _ lane: Int, _ pending: PendingInterrupt?) {
        let machine = Int(lanes[lane].machine)
        guard let pending, passThrough.sort(of: pending.irq, on: machine) == .other, !flights[id].flags.contains(.sharedInterrupt) else {
            if ports[port].passage != .none { settleDelivery(id, port) }
            return
        }
        guard let index = passThrough.interrupt(pending.irq, on: machine), passThrough.interrupts[index].time == pending.time else {
            if ports[port].passage != .none { settleDelivery(id, port) }
            return
        }
        // Another interrupt may have come first, in a hole on either side: then this one's packet is not the one that it announced.
        let interrupt = passThrough.interrupts[index]
        let doubtful = max(machines[0].validFrom, machines[machine].validFrom)
        if machines[0].openHoles > 0 || doubtful != PointTimes.absent && interrupt.previous < doubtful {
            flights[id].flags.insert(.lost)
        }
        if let current = interrupt.current {
            setHostPoints(id, current, lane)
            let isFollowed = current.isMerged || passThrough.vectors[interrupt.vector].waiting != nil
            if isDoubtful(id, port, isFollowed) { coalesce(id) }
        } else if hostEnded {
            flights[id].flags.insert(.cut)
        }
        if ports[port].queue < 0, interrupt.votes >= PassThrough.enough { become(port, .visible) }
    }

    /// Whether the interrupt that brought a packet may have been raised for others.
    ///
    /// A device interrupts once more for what was taken by polling already, when its driver enables its interrupts after the poll. A
    /// guest that halted in between had none of these left. One that did not may have found a packet that came later than its
    /// interrupt, so that is believed only where nothing came in between, and the packet was found sooner than the poll had been over.
    private func isDoubtful(_ id: FlightID, _ port: Int, _ isFollowed: Bool) -> Bool {
        let (interrupt, polled) = (flights[id].times[.nicIRQ], ports[port].lastEmptied)
        guard interrupt != PointTimes.absent, flights[id].delivery != .woken else { return false }
        guard !isFollowed, polled != PointTimes.absent else { return isFollowed }
        return flights[id].times[.guestIngress] &- interrupt > interrupt &- polled
    }

    /// How a packet came whose interrupt was not found on the host.
    private mutating func settleDelivery(_ id: FlightID, _ port: Int) {
        guard flights[id].delivery == .unknown else { return }
        if flights[id].flags.contains(.sharedInterrupt) {
            coalesce(id)
        } else if !flights[id].times.has(.guestIRQ) {
            flights[id].delivery = .suppressed
        } else if ports[port].passage == .posted, flights[id].times[.guestIRQ] >= machines[0].startTime {
            flights[id].delivery = .posted
        }
    }

    /// The packet's interrupt was raised for another one, or may have been: it is seen from its ingress on.
    private mutating func coalesce(_ id: FlightID) {
        for point in [Point.nicIRQ, .irqInject, .vcpuWake, .vcpuRun, .vcpuEntry, .guestIRQ] { flights[id].times[point] = PointTimes.absent }
        flights[id].delivery = .coalesced
        flights[id].vcpuState = .unknown
    }

    private mutating func setHostPoints(_ id: FlightID, _ interrupt: DeviceInterrupt, _ lane: Int) {
        let vcpu = Int(lanes[lane].vcpu)
        guard vcpu >= 0, interrupt.irq <= flights[id].times[.guestIRQ] else { return }
        flights[id].times[.nicIRQ] = interrupt.irq
        flights[id].times[.irqInject] = interrupt.inject
        let anchor = max(interrupt.inject, interrupt.irq)
        let delivery = deliver(
            vcpus[vcpu].thread, vector: Int32(interrupt.vector), from: anchor, to: flights[id].times[.guestIRQ]
        ) { $0.time == interrupt.wake }
        flights[id].times[.vcpuWake] = delivery.wake
        flights[id].times[.vcpuRun] = delivery.run
        flights[id].times[.vcpuEntry] = delivery.entry
        flights[id].delivery = delivery.kind
        flights[id].vcpuState = delivery.state
    }

    /// A packet of a device that is known to be the guest's own.
    mutating func receiveDirectly(_ port: Int, length: Int32) -> FlightID {
        let id = newFlight(.receive, on: Int(ports[port].machine))
        flights[id].flags.insert(.seen)
        flights[id].length = length
        flights[id].port = Int16(port)
        return id
    }

    // MARK: Transmit

    /// The guest's driver has a packet: the device's own descriptor ring is the end of what can be seen.
    mutating func sentDirectly(_ id: FlightID, at time: Nanoseconds) {
        flights[id].handedOver = time
        let port = Int(flights[id].port)
        guard port >= 0, ports[port].passage != .none else { return }
        flights[id].times[.nicXmit] = time
        end(id, .complete)
    }

    // MARK: Whose device it is

    /// Whether a queue of the host can be this device's. One whose receive interrupt is not a virtio one has no vhost worker, but it
    /// may be an emulated NIC, which a thread of QEMU serves.
    func canHaveQueue(_ port: Int) -> Bool {
        if forcedPath == .vfio { return false }
        guard hasOwnInterrupt(port) else { return true }
        let machine = Int16(ports[port].machine)
        return queues.indices.contains { queue in
            guard queues[queue].port < 0, queues[queue].worker >= 0, !workers.contains(workerThread(of: queue)) else { return false }
            let guest = machines[0].threads[queues[queue].worker].guest
            return guest == machine || guest < 0
        }
    }

    private func hasOwnInterrupt(_ port: Int) -> Bool {
        let machine = Int(ports[port].machine)
        return passThrough.interrupts(of: machine).contains { irq in
            passThrough.sort(of: irq, on: machine) == .other
                && machines[machine].napi.role(of: irq, ports[port].device, Int16(port)) == .receives
        }
    }

    /// Takes a device for the guest's own when nothing else is left: it interrupts by itself, and no queue of the host is or can be its.
    mutating func becomeByElimination(_ port: Int) {
        // Before the host's recording nothing of it is known.
        guard ports[port].queue < 0, ports[port].passage == .none, machines[0].startTime != PointTimes.absent, !canHaveQueue(port)
        else { return }
        // Where the host's own interrupts were not recorded, that there is none of the device's says nothing.
        let isPosted = passThrough.vectors.isEmpty && count(of: .irqEntry, on: 0) > 0
        become(port, isPosted ? .posted : .visible)
    }

    /// It is known now whose the device is: what it has received and sent so far are journeys too.
    private mutating func become(_ port: Int, _ passage: GuestPort.Passage) {
        guard ports[port].passage == .none, isPossible(.vfio) else { return }
        ports[port].passage = passage
        while let id = ports[port].takens.popFirst() {
            guard flights.contains(id) else { continue }
            flights[id].flags.remove(.half)
            let irq = flights[id].times[.guestIRQ]
            if passage == .visible, irq != PointTimes.absent, irq < machines[0].startTime { flights[id].flags.insert(.cut) }
            settleDelivery(id, port)
            if flights[id].flags.contains(.ended) { emit(id) }
        }
        while let id = ports[port].puts.popFirst() {
            guard flights.contains(id), flights[id].handedOver != PointTimes.absent else { continue }
            sentDirectly(id, at: flights[id].handedOver)
        }
    }
}
