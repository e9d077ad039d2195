// Threads and the calls in which they send: who runs, and what was sent in a call that may have begun before the
// recording.

import TraceData

extension Tracker {
    @inline(__always)
    mutating func switchTasks(_ mark: Mark, _ machine: MachineID) {
        // Thread 0 is every CPU's idle thread: it is nobody.
        if mark.threadID != .idle {
            let previous = thread(of: mark)
            let sleeps = mark.fallsAsleep
            machines[machine].threads[previous].push(sleeps ? .sleep : .preempted, mark.time, by: mark.nextThread)
            if sleeps, !machines[machine].threadedInterrupts.isEmpty {
                machines[machine].threadedInterrupts.sleep(mark.threadID)
            }
            // Few sending calls sleep; from here on its calls are seen to begin.
            if sleeps, machines[machine].threads[previous].sendingSince == ThreadState.sendingUnknown {
                if !machines[machine].callsUnknown.isEmpty { decideCalls(of: previous, machine, isInCall: false) }
                machines[machine].threads[previous].sendingSince = PointTimes.absent
            }
        }
        if mark.nextThread != .idle {
            let next = machines[machine].threads.index(mark.nextThread)
            machines[machine].threads[next].push(.switchIn, mark.time)
        }
    }

    /// So many packets wait at the most until it is known whether their thread was in a call.
    private static let mostCallsUnknown = 1024

    /// The packet's thread may be in a call since before the recording: its next call's begin or end tells.
    mutating func awaitCall(_ id: FlightID, _ machine: MachineID) {
        flights[id].flags.insert(.callUnknown)
        machines[machine].callsUnknown.append(id)
        while machines[machine].callsUnknown.count > Self.mostCallsUnknown,
            let oldest = machines[machine].callsUnknown.popFirst()
        {
            decideCall(oldest, on: machine, isInCall: false)
        }
    }

    /// It is known whether a thread was in a call since before the recording, or since a hole in it: only then does its
    /// call's end come first. A thread that is never seen in a call (io_uring's, a kernel's) has none.
    mutating func decideCalls(of thread: ThreadIndex, _ machine: MachineID, isInCall: Bool) {
        guard machines[machine].threads[thread].sendingSince == ThreadState.sendingUnknown else { return }
        for _ in 0..<machines[machine].callsUnknown.count {
            guard let id = machines[machine].callsUnknown.popFirst() else { return }
            if flights.contains(id), flights[id].sender != thread {
                machines[machine].callsUnknown.append(id)
            } else {
                decideCall(id, on: machine, isInCall: isInCall)
            }
        }
    }

    /// Nothing more will be known of them.
    mutating func decideAllCalls(_ machine: MachineID) {
        while let id = machines[machine].callsUnknown.popFirst() { decideCall(id, on: machine, isInCall: false) }
    }

    private mutating func decideCall(_ id: FlightID, on machine: MachineID, isInCall: Bool) {
        guard flights.contains(id) else { return }
        flights[id].flags.remove(.callUnknown)
        if isInCall { flights[id].flags.insert(doubt(on: machine)) }
        emitIfSettled(id)
    }

    /// A thread enters or leaves a system call although a driver has its packet: events were lost that nothing counts
    /// (trace-cmd over UDP).
    mutating func loseHandovers(_ mark: Mark, _ lane: LaneID) {
        guard lanes[lane].handoverCount > 0 else { return }
        var lost: [FlightID] = []
        lanes[lane].forgetHandovers(by: mark.threadID) { lost.append($0) }
        for id in lost where flights.contains(id) && flights[id].flags.isDisjoint(with: .ended) {
            flights[id].flags.insert(.lost)
        }
    }

    func isQueued(_ id: FlightID) -> Bool {
        !id.isNone && flights[id].direction == .transmit && flights[id].flags.contains(.queued)
    }

    /// io_uring takes up a request in this thread, which does it at once or not at all; or the call that asked for that
    /// returns.
    mutating func submitted(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        guard mark.inThread else { return }
        let thread = thread(of: mark)
        decideCalls(of: thread, machine, isInCall: false)
        machines[machine].threads[thread].sendingSince = mark.isSendRequest ? mark.time : PointTimes.absent
        machines[machine].threads[thread].lastCall = mark.time
    }
}
