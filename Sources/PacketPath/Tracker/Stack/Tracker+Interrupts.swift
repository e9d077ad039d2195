// What interrupts and polls do, the same on every machine.

import TraceData

extension Tracker {
    /// What interrupts do is the same on every machine.
    mutating func followInterrupts(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        switch kind {
        case .irqEntry:
            noteInterrupt(mark, lane)
            lanes[lane].enterIRQ(mark.irq, mark.time)
        case .irqExit: leaveIRQ(mark, lane, machine)
        case .netRxRaised:
            if mark.inHardIRQ {
                lanes[lane].raise()
                learnPassThrough(lane)
            } else if mark.inThread {
                raiseInThread(mark, lane, machine)
            }
        default: break
        }
    }

    /// A handler has ended.
    mutating func leaveIRQ(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        if mark.leavesToThread, lanes[lane].irq == mark.irq {
            machines[machine].threadedInterrupts.leave(mark.irq, lanes[lane].irqTime)
            lanes[lane].wakingFor = mark.irq
        }
        lanes[lane].irq = -1
    }

    /// The mark that comes next on a CPU whose interrupt is left to a thread: the thread's waking, unless it is awake.
    mutating func wakeInterruptThread(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        if kind == .waking, mark.inHardIRQ {
            machines[machine].threadedInterrupts.woke(
                lanes[lane].wakingFor, of: lanes[lane].irqTime, mark.wokenThread, mark.time)
        }
        lanes[lane].wakingFor = -1
    }

    /// NET_RX was raised in a thread: by the interrupt that thread serves, if it serves one. Its poll comes on this
    /// CPU.
    mutating func raiseInThread(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        guard !machines[machine].threadedInterrupts.isEmpty,
            let raise = machines[machine].threadedInterrupts.raise(by: mark.threadID)
        else { return }
        let thread = thread(of: mark)
        let run = machines[machine].threads[thread].switchIn(
            // A wake-up that is absent is earlier than any time.
            after: max(raise.time, raise.wake), until: mark.time, validFrom: machines[machine].validFrom)
        lanes[lane].raise(
            PendingInterrupt(irq: raise.irq, time: raise.time, wake: raise.wake, run: run ?? PointTimes.absent))
    }

    /// A packet came in by a pending interrupt of a NIC.
    mutating func stampInterrupt(_ id: FlightID, _ interrupt: PendingInterrupt, _ lane: LaneID) {
        flights.stamp(id, .nicIRQ, at: interrupt.time, on: lane)
        flights.stamp(id, .nicWake, at: interrupt.wake, on: lane)
        flights.stamp(id, .nicRun, at: interrupt.run, on: lane)
    }

    /// - Returns: the guest's queue pair that the instance polls, none while unknown and on the host.
    @discardableResult
    mutating func pollEnded(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) -> PortID {
        let port = machines[machine].napi.note(mark.a, device: mark.name, work: mark.work, port: lanes[lane].polledPort)
        lanes[lane].polledPort = .none
        lanes[lane].polled(mark.a, &machines[machine].napi)
        lanes[lane].stopReceiving()
        lanes[lane].polled = .none
        lanes[lane].isSoftIRQKnown = true
        return port
    }

    /// Some things are known only as long as nothing else has happened on the CPU: to be asked of every mark before it
    /// is followed.
    @inline(__always)
    mutating func endWhatIsBrief(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        if lanes[lane].isHolding { endHeld(kind, mark, lane, machine) }
    }

    private mutating func endHeld(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        if lanes[lane].wakingFor >= 0 { wakeInterruptThread(kind, mark, lane, machine) }
        if !lanes[lane].fresh.isNone, !kind.isOfInterrupt, kind != .redirect, kind != .ovsAction, !mark.inHardIRQ {
            lanes[lane].fresh = .none
        }
        if lanes[lane].segmented != nil, !isOfSegments(kind, mark, lane) { endSegments(lane) }
        if !lanes[lane].split.isNone, !isOfReceipt(kind, mark) { endSplit(lane) }
        lanes[lane].releaseHold()
    }
}
