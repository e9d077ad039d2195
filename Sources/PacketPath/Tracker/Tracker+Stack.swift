// A kernel's own stack, of a guest or of a host that is followed for itself: from the device to the thread that reads,
// and from the thread that sends to the device.

import ClockSync
import TraceData

/// What the points between a device and its application are called on one machine.
struct StackPoints {
    var ingress: Point
    var wake: Point
    var run: Point
    var read: Point
    var send: Point

    static func of(machine: Int) -> StackPoints {
        machine == 0
            ? StackPoints(ingress: .hostIngress, wake: .appWake, run: .appRun, read: .appRead, send: .appSend)
            : StackPoints(ingress: .guestIngress, wake: .guestWake, run: .guestRun, read: .guestRead, send: .guestSend)
    }
}

extension Tracker {
    /// What threads, the stack and interrupts do is the same on every machine whose applications are followed.
    mutating func followStack(_ kind: MarkKind, _ mark: Mark, _ lane: Int, _ machine: Int) {
        switch kind {
        case .taskSwitch:
            lanes[lane].leaveRecorder()
            switchTasks(mark, machine)
        case .waking:
            // What is woken while the stack receives a packet is woken on that packet's behalf.
            let cause = !mark.inHardIRQ && (mark.inSoftIRQ || mark.isWithoutSoftIRQs) ? cause(lane) : .none
            let target = machines[machine].threads.index(mark.otherThread)
            machines[machine].threads[target].push(.waking, mark.time, by: mark.thread, flight: cause)
            if !cause.isNone { socketWoke(target, lane, machine) }
        case .groMerged:
            // No event tells which frame this one was merged into: it is read with that one, if it can be told at all.
            let id = lanes[lane].polled
            if flights.contains(id) {
                unname(id)
                flights[id].flags.insert(.unsettled)
                awaitReader(id, machine)
            }
        case .tcpReceive: receivedTCP(mark, lane, machine)
        case .socketReady: socketReady(mark, lane, machine)
        case .socketRead: socketRead(mark, machine)
        case .copy: if mark.inThread { read(mark, machine) }
        case .consume: consumed(mark, lane, machine)
        case .sendEnter:
            let thread = thread(of: mark)
            loseHandovers(mark, lane)
            settleCalls(of: thread, machine, isInCall: false)
            machines[machine].threads[thread].sendingSince = mark.time
            machines[machine].threads[thread].lastCall = mark.time
        case .sendExit, .filteredExit:
            let thread = thread(of: mark)
            loseHandovers(mark, lane)
            settleCalls(of: thread, machine, isInCall: kind == .sendExit)
            machines[machine].threads[thread].sendingSince = PointTimes.absent
            machines[machine].threads[thread].lastCall = mark.time
        case .submit: submitted(mark, lane, machine)
        default: followInterrupts(kind, mark, lane, machine)
        }
    }

    // MARK: Receive

    /// The packet on whose behalf somebody is woken while the stack receives: of several at once the one that it is known to deliver, else the first that
    /// has no end yet, since whom it wakes has been asleep before.
    private func cause(_ lane: Int) -> FlightID {
        guard lanes[lane].isBatched else { return lanes[lane].receiving }
        if !lanes[lane].delivering.isNone { return lanes[lane].delivering }
        let first = lanes[lane].batched.first { mayBePutOnSocket($0) }
        return first ?? lanes[lane].receiving
    }

    /// The packet's data is copied to a thread: that thread is its reader.
    private mutating func read(_ mark: Mark, _ machine: Int) {
        let bytes = mark.kind == MarkKind.copy.rawValue ? Int32(truncatingIfNeeded: mark.b) : 0
        let id = flight(mark.a, on: machine)
        guard !id.isNone, flights[id].direction == .receive else {
            continueStream(mark.a, mark.time, bytes: bytes, thread: mark.thread, machine)
            return
        }
        if !mayBeRead(id, bytes, machine) {
            unname(id)
            end(id, .kernelConsumed)
            return
        }
        if bytes > 0 {
            beginStream(id, mark.time, bytes: bytes, thread: mark.thread, machine)
            if isBareHead(id, copied: bytes) {
                unname(id)
                end(id, .kernelConsumed)
                return
            }
        }
        completeRead(id, at: mark.time, by: thread(of: mark), machine, lane: Int(mark.lane))
    }

    /// Whether a copy can be a packet's that no socket and no tcp_probe told of. TCP frees what it needs for itself (a connection's first packets and last
    /// ones) without an event, and the address may be a Unix socket's by now.
    private func mayBeRead(_ id: FlightID, _ bytes: Int32, _ machine: Int) -> Bool {
        guard flights[id].socket == 0, !flights[id].flags.contains(.tcp), knowsReaders(machine), count(of: .tcpReceive, on: machine) > 0
        else { return true }
        return bytes > 0 && bytes <= flights[id].length - Self.leastTCP && !isBareTCP(flights[id].length)
    }

    /// A packet that the stack has, as long as one of TCP's without data, and on no socket where those tell.
    func isForTCPItself(_ id: FlightID) -> Bool {
        let machine = Int(flights[id].machine)
        return flights[id].direction == .receive && flights[id].delivered != 0 && flights[id].socket == 0 && knowsReaders(machine)
            && flights[id].flags.isDisjoint(with: [.half, .unsettled, .fragment]) && isBareTCP(flights[id].length)
    }

    /// Ethernet, IPv4 and TCP.
    private static let leastTCP: Int32 = 14 + 20 + 20

    /// No datagram is read without its socket's telling.
    private func knowsReaders(_ machine: Int) -> Bool { kernels[machine].readsSilently == true }

    /// The packet has reached its reader: when that was woken for it, and when it ran.
    /// - Parameter lane: where it reads; nil where that is long past.
    mutating func completeRead(_ id: FlightID, at time: Nanoseconds, by reader: Int32, _ machine: Int, lane: Int? = nil) {
        let points = StackPoints.of(machine: machine)
        flights[id].times[points.read] = time
        let ingress = flights[id].times[points.ingress]
        var wake = PointTimes.absent
        for event in machines[machine].threads[reader].newestFirst {
            if event.time < ingress { break }
            if event.what == .waking, event.flight == id { wake = event.time }
        }
        flights[id].times[points.wake] = wake
        if let run = machines[machine].threads[reader].switchIn(
            after: max(wake, ingress), until: time, validFrom: machines[machine].validFrom)
        {
            flights[id].times[points.run] = run
        }
        if machine != 0, let lane { measureReading(id, lane) }
        unname(id)
        if !machines[machine].reassembled.isEmpty, !flights[id].flags.contains(.unproven) {
            readFragments(of: id, at: time, by: reader, machine, lane: lane)
        }
        end(id, .complete)
    }

    /// TCP takes a packet of an established connection. One without data is for TCP itself, which frees it without an event.
    private mutating func receivedTCP(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let isRecorders = mark.localPort == machines[machine].agentPort
        lanes[lane].takeUpTCP(ofRecorder: isRecorders, mark)
        var id = FlightID.none
        if mark.a != 0 {
            id = flight(mark.a, on: machine)
        } else if mark.inSoftIRQ {
            // Where the event does not say which packet it is about, only one of the batch may fit.
            id = lanes[lane].received { id in
                flights.contains(id) && !flights[id].flags.contains(.tcp) && mark.lengthsOfTCP.contains(flights[id].length)
            }
        }
        guard flights.contains(id), flights[id].direction == .receive else { return }
        flights[id].flags.formUnion(isRecorders ? [.tcp, .recorders] : .tcp)
        lanes[lane].delivering = id
        flights[id].ports = mark.ports
        if mark.dataLength == 0 || isRecorders {
            unname(id)
            end(id, .kernelConsumed)
        }
    }

    private mutating func consumed(_ mark: Mark, _ lane: Int, _ machine: Int) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        if flights[id].direction == .transmit {
            // The buffer of a packet that has been sent, or one that was cut into segments before.
            unname(id)
            if flights[id].flags.contains(.queued) {
                cutQueued(id, lane, machine)
                discard(id)
            }
        } else if !machines[machine].reassembled.isEmpty, isPart(id, machine) {
            // It is read with the datagram that it is a fragment of.
            unname(id)
        } else if mark.inThread, !mark.isWithoutSoftIRQs, !flights[id].flags.contains(.tcp), !queueWorkers[machine].contains(mark.thread),
            flights[id].socket != 0 || !knowsReaders(machine)
        {
            read(mark, machine)
        } else if flights[id].socket != 0 {
            // Its reader has it, or has a copy of it: sock_recv_length tells. What is freed in its own receipt is the copy's original.
            unname(id)
            if lanes[lane].receiving != id { socketReleased(id, machine) }
        } else if !mark.inThread, kernels[machine].tellsSockets, !flights[id].flags.contains(.tcp),
            lanes[lane].receiving == id || lanes[lane].batchContains(id)
        {
            unname(id)
            // It is nobody's, unless its parts are put on a socket now, or it is a part itself.
            if lanes[lane].receiving == id || !isReassembled(id, lane, machine) {
                flights[id].flags.insert(.split)
                lanes[lane].split = id
            }
        } else if !mark.inThread, isReassembled(id, lane, machine) {
            unname(id)
        } else if lanes[lane].receiving != id, isReadSilently(id) {
            // Its reader left it for the CPU it came from to free.
            unname(id)
            end(id, .notRecorded)
        } else {
            // What a thread reads of TCP, it copies; and what a work queue frees, nobody reads.
            unname(id)
            // … and what TCP has had, had data: it was taken without a copy, by a splice into a pipe for example.
            let isStream = flights[id].flags.contains(.tcp)
            if isStream { machines[machine].hasSilentStreams = true }
            end(id, isStream ? .notRecorded : flights[id].flags.contains(.unsettled) ? .ambiguous : .kernelConsumed)
        }
    }

    /// Sockets tell what they are given and what is taken from them.
    func seesSockets(_ machine: Int) -> Bool { count(of: .socketReady, on: machine) > 0 && count(of: .socketRead, on: machine) > 0 }

    /// Whether a packet that the stack has may have been read without an event that says so: the kernel's readers are silent, and its sockets' events are
    /// not recorded.
    mutating func isReadSilently(_ id: FlightID) -> Bool {
        let machine = Int(flights[id].machine)
        let isSilent =
            kernels[machine].readsSilently == true && flights[id].direction == .receive && flights[id].delivered != 0
            && flights[id].socket == 0
            && flights[id].flags.isDisjoint(with: [.tcp, .split]) && !seesSockets(machine)
        if isSilent { machines[machine].missesSockets = true }
        return isSilent
    }

    /// Whether a mark may belong to the receipt of one packet by the stack.
    func isOfReceipt(_ kind: MarkKind, _ mark: Mark) -> Bool {
        switch kind {
        case .stackReceive, .napiReceive, .napiPoll, .taskSwitch: false
        default: true
        }
    }

    /// The receipt of a packet that was freed in it is over: nothing was put on a socket in its place.
    mutating func settleSplit(_ lane: Int) {
        let id = lanes[lane].split
        lanes[lane].split = .none
        if flights.contains(id), flights[id].socket == 0, !flights[id].flags.contains(.ended) { end(id, .kernelConsumed) }
    }

    // MARK: Transmit

    /// A thread enters or leaves a system call although a driver has its packet: events were lost that nothing counts (trace-cmd over UDP).
    private mutating func loseHandovers(_ mark: Mark, _ lane: Int) {
        guard lanes[lane].handoverCount > 0 else { return }
        var lost: [FlightID] = []
        lanes[lane].forgetHandovers(by: mark.thread) { lost.append($0) }
        for id in lost where flights.contains(id) && flights[id].flags.isDisjoint(with: .ended) { flights[id].flags.insert(.lost) }
    }

    /// A packet is queued on a device, perhaps by a thread that is in a sending system call.
    mutating func queued(_ mark: Mark, _ lane: Int, _ machine: Int) {
        guard !isQueued(flight(mark.a, on: machine)) else { return }
        let id = newFlight(.transmit, on: machine)
        name(id, mark.a, on: machine)
        flights[id].flags.insert(.queued)
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        guard mark.inThread else { return }
        let thread = thread(of: mark)
        let since = machines[machine].threads[thread].sendingSince
        if since != ThreadState.sendingUnknown {
            flights[id].times[StackPoints.of(machine: machine).send] = since
        } else if kernels[machine].tellsCalls {
            flights[id].sender = thread
            awaitCall(id, machine)
        }
    }

    /// io_uring takes up a request in this thread, which does it at once or not at all; or the call that asked for that returns.
    private mutating func submitted(_ mark: Mark, _ lane: Int, _ machine: Int) {
        guard mark.inThread else { return }
        let thread = thread(of: mark)
        settleCalls(of: thread, machine, isInCall: false)
        machines[machine].threads[thread].sendingSince = mark.isSendRequest ? mark.time : PointTimes.absent
        machines[machine].threads[thread].lastCall = mark.time
    }

    // MARK: Calls that may have begun before the recording

    /// So many packets wait at the most until it is known whether their thread was in a call.
    private static let mostCallsUnknown = 1024

    /// The packet's thread may be in a call since before the recording: its next call's begin or end tells.
    mutating func awaitCall(_ id: FlightID, _ machine: Int) {
        flights[id].flags.insert(.callUnknown)
        machines[machine].callsUnknown.append(id)
        while machines[machine].callsUnknown.count > Self.mostCallsUnknown, let oldest = machines[machine].callsUnknown.popFirst() {
            settleCall(oldest, on: machine, isInCall: false)
        }
    }

    /// It is known whether a thread was in a call since before the recording, or since a hole in it: only then does its call's end come first. A thread
    /// that is never seen in a call (io_uring's, a kernel's) has none.
    mutating func settleCalls(of thread: Int32, _ machine: Int, isInCall: Bool) {
        guard machines[machine].threads[thread].sendingSince == ThreadState.sendingUnknown else { return }
        for _ in 0..<machines[machine].callsUnknown.count {
            guard let id = machines[machine].callsUnknown.popFirst() else { return }
            if flights.contains(id), flights[id].sender != thread {
                machines[machine].callsUnknown.append(id)
            } else {
                settleCall(id, on: machine, isInCall: isInCall)
            }
        }
    }

    /// Nothing more will be known of them.
    mutating func settleAllCalls(_ machine: Int) {
        while let id = machines[machine].callsUnknown.popFirst() { settleCall(id, on: machine, isInCall: false) }
    }

    private mutating func settleCall(_ id: FlightID, on machine: Int, isInCall: Bool) {
        guard flights.contains(id) else { return }
        flights[id].flags.remove(.callUnknown)
        if isInCall { flights[id].flags.insert(doubt(on: machine)) }
        emitIfSettled(id)
    }

    /// The packet at `mark`'s address that a driver begins to send, made known if it was not queued before.
    mutating func sending(_ mark: Mark, _ machine: Int) -> FlightID {
        var id = flight(mark.a, on: machine)
        if !isQueued(id) {
            id = newFlight(.transmit, on: machine)
            name(id, mark.a, on: machine)
            if inheritCall(id, Int(mark.lane), machine) { return id }
            // Queued before the recording or in a hole, if queueing is recorded at all.
            if count(of: .netQueue, on: machine) > 0 || count(of: .startXmit, on: machine) == 1 && mark.inThread {
                flights[id].flags.insert(doubt(on: machine))
            }
        } else {
            settleSegments(Int(mark.lane))
        }
        return id
    }

    func isQueued(_ id: FlightID) -> Bool {
        !id.isNone && flights[id].direction == .transmit && flights[id].flags.contains(.queued)
    }
}
