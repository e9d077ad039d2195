// Interrupts of devices that may be a guest's own: which of the host's leads to which of the guest.

import ClockSync
import TraceData

extension Tracker {
    /// An interrupt comes, on any machine.
    @inline(__always)
    mutating func noteInterrupt(_ mark: Mark, _ lane: LaneID) {
        let machine = lanes[lane].machine
        let irq = mark.irq
        let sort = passThrough.note(irq, named: mark.name, on: machine)
        guard !machine.isHost, sort == .other, let index = passThrough.interrupt(irq, on: machine) else { return }
        passThrough.came(index, at: mark.time, isMerged: lanes[lane].isPending(irq))
    }

    /// The handler of a vfio vector injects it into a guest.
    mutating func deviceInjects(_ mark: Mark, _ lane: LaneID) {
        guard passThrough.sort(of: lanes[lane].irq, on: .host) == .vfio else { return }
        passThrough.handle(lanes[lane].irq, enteredAt: lanes[lane].irqTime) { interrupt in
            guard interrupt.inject == PointTimes.absent else { return }
            interrupt.inject = mark.time
            interrupt.vector = mark.signalledVector
        }
    }

    /// The handler of a vfio vector wakes a vCPU.
    mutating func deviceWakes(_ mark: Mark, _ lane: LaneID) {
        guard passThrough.sort(of: lanes[lane].irq, on: .host) == .vfio else { return }
        passThrough.handle(lanes[lane].irq, enteredAt: lanes[lane].irqTime) { interrupt in
            if interrupt.wake == PointTimes.absent { interrupt.wake = mark.time }
        }
    }

    /// A handler of a guest asks for a poll: is its interrupt one of a vector that the host has just injected?
    mutating func learnPassThrough(_ lane: LaneID) {
        let machine = lanes[lane].machine
        let irq = lanes[lane].irq
        guard !machine.isHost, !passThrough.vectors.isEmpty, passThrough.sort(of: irq, on: machine) == .other,
            !lanes[lane].vcpu.isNone
        else {
            return
        }
        let time = lanes[lane].irqTime
        let thread = vcpus[lanes[lane].vcpu].thread
        if let index = passThrough.interrupt(irq, on: machine), passThrough.interrupts[index].time == time,
            let current = passThrough.interrupts[index].current
        {
            if fits(current, thread, time) {
                passThrough.vote(passThrough.interrupts[index].vector, for: irq, on: machine, at: time)
            }
            return
        }
        let fitting = passThrough.vectors.indices.filter { index in
            passThrough.vectors[index].waiting.map {
                fits($0, thread, time, lastWake: passThrough.vectors[index].lastWake)
            } ?? false
        }
        if fitting.count == 1 { passThrough.vote(fitting[0], for: irq, on: machine, at: time) }
    }

    /// Whether this was the interrupt that the vCPU took into the guest last before `time`: by its vector, else by whom
    /// it woke.
    private func fits(
        _ interrupt: DeviceInterrupt, _ thread: ThreadIndex, _ time: Nanoseconds,
        lastWake: Nanoseconds = PointTimes.absent
    ) -> Bool {
        for event in machines[.host].threads[thread].newestFirst where event.time <= time {
            if seesInjections, interrupt.inject != PointTimes.absent {
                guard event.what == .entry, event.by != 0 else { continue }
                return event.by == Int32(interrupt.vector) && event.time >= interrupt.inject
            }
            guard event.what == .waking else { continue }
            return event.time == interrupt.wake || lastWake != PointTimes.absent && event.time == lastWake
        }
        return false
    }
}
