// A kernel's own stack, of a guest or of a host that is followed for itself: from the device to the thread that reads,
// and from the thread that sends to the device.

import TraceData

extension Tracker {
    /// What threads, the stack and interrupts do is the same on every machine whose applications are followed.
    mutating func followStack(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        switch kind {
        case .taskSwitch:
            lanes[lane].isSoftIRQKnown = true
            lanes[lane].leaveRecorder()
            switchTasks(mark, machine)
        case .waking:
            // What is woken while the stack receives a packet is woken on that packet's behalf.
            let cause = !mark.inHardIRQ && (mark.inSoftIRQ || mark.isWithoutSoftIRQs) ? cause(lane) : .none
            let target = machines[machine].threads.index(mark.wokenThread)
            machines[machine].threads[target].push(.waking, mark.time, by: mark.threadID, flight: cause)
            if !cause.isNone { socketWoke(target, lane, machine) }
        case .groMerged:
            // No event tells which frame this one was merged into: it is read with that one, if it can be told at all.
            let id = lanes[lane].polled
            if flights.contains(id) {
                flights.unname(id)
                flights[id].flags.insert(.perhapsRead)
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
            decideCalls(of: thread, machine, isInCall: false)
            noteOtherCall(of: thread, machine)
            machines[machine].threads[thread].sendingSince = mark.time
            machines[machine].threads[thread].lastCall = mark.time
        case .sendExit, .filteredExit:
            let thread = thread(of: mark)
            loseHandovers(mark, lane)
            decideCalls(of: thread, machine, isInCall: kind == .sendExit)
            machines[machine].threads[thread].sendingSince = PointTimes.absent
            machines[machine].threads[thread].lastCall = mark.time
        case .submit: submitted(mark, lane, machine)
        default: followInterrupts(kind, mark, lane, machine)
        }
    }

    /// The packet on whose behalf somebody is woken while the stack receives: of several at once the one that it is
    /// known to deliver, else the first that has no end yet, since whom it wakes has been asleep before.
    private func cause(_ lane: LaneID) -> FlightID {
        guard lanes[lane].isBatched else { return lanes[lane].receiving }
        if !lanes[lane].delivering.isNone { return lanes[lane].delivering }
        let first = lanes[lane].batched.first { mayBePutOnSocket($0) }
        return first ?? lanes[lane].receiving
    }

    /// The packet's data is copied to a thread: that thread is its reader.
    mutating func read(_ mark: Mark, _ machine: MachineID) {
        let bytes = mark.kind == MarkKind.copy.rawValue ? mark.copied : 0
        let id = flight(mark.a, on: machine)
        guard !id.isNone, flights[id].direction == .receive else {
            continueStream(mark.a, mark.time, bytes: bytes, thread: mark.threadID, machine)
            return
        }
        if !mayBeRead(id, bytes, machine) {
            flights.unname(id)
            end(id, .kernelConsumed)
            return
        }
        if bytes > 0 {
            beginStream(id, mark.time, bytes: bytes, thread: mark.threadID, machine)
            if isBareHead(id, copied: bytes) {
                flights.unname(id)
                end(id, .kernelConsumed)
                return
            }
        }
        awaitSocket(id, mark, machine)
        completeRead(id, at: mark.time, by: thread(of: mark), machine, lane: LaneID(of: mark))
    }

    /// TCP takes a packet of an established connection. One without data is for TCP itself, which frees it without an
    /// event.
    private mutating func receivedTCP(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let isRecorders = mark.localPort == machines[machine].agentPort
        lanes[lane].takeUpTCP(ofRecorder: isRecorders, mark)
        var id = FlightID.none
        if mark.tellsSKB {
            id = flight(mark.a, on: machine)
        } else if mark.inSoftIRQ {
            // Where the event does not say which packet it is about, only one of the batch may fit.
            id = lanes[lane].received { id in
                flights.contains(id) && !flights[id].flags.contains(.tcp)
                    && mark.lengthsOfTCP.contains(flights[id].length)
            }
        }
        guard flights.contains(id), flights[id].direction == .receive else { return }
        flights[id].flags.formUnion(isRecorders ? [.tcp, .recorders] : .tcp)
        lanes[lane].delivering = id
        flights[id].connection = mark.connection
        if mark.tellsSKB { machines[machine].tellsConnections = true }
        if mark.dataLength == 0 || isRecorders {
            flights.unname(id)
            end(id, .kernelConsumed)
        }
    }

    private mutating func consumed(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        let id = flight(mark.a, on: machine)
        guard !id.isNone else { return }
        if flights[id].direction == .transmit {
            // The buffer of a packet that has been sent, or one that was cut into segments before.
            flights.unname(id)
            if flights[id].flags.contains(.queued) {
                cutQueued(id, lane, machine)
                flights.discard(id)
            }
        } else if !machines[machine].reassembled.isEmpty, isPart(id, machine) {
            // It is read with the datagram that it is a fragment of.
            flights.unname(id)
        } else if mark.inThread, !mark.isWithoutSoftIRQs, flights[id].flags.contains(.tcp) {
            // TCP frees what a thread has read without an event, or in a softirq: this is somebody else's.
            flights.unname(id)
            reborn(id)
        } else if mark.inThread, !mark.isWithoutSoftIRQs, !queueWorkers[machine].contains(mark.threadID),
            !knowsReaders(machine) || flights[id].socket != 0 && !isOnDatagramQueue(id, machine)
        {
            read(mark, machine)
        } else if flights[id].socket != 0 {
            // Its reader has it, or has a copy of it: sock_recv_length tells. What is freed in its own receipt is the
            // copy's original.
            flights.unname(id)
            if lanes[lane].receiving != id { socketReleased(id, machine) }
        } else if !mark.inThread, kernels[machine].tellsSockets, !flights[id].flags.contains(.tcp),
            lanes[lane].receiving == id || lanes[lane].batchContains(id)
        {
            flights.unname(id)
            // It is nobody's, unless its parts are put on a socket now, or it is a part itself.
            if lanes[lane].receiving == id || !isReassembled(id, lane, machine) {
                flights[id].flags.insert(.split)
                lanes[lane].split = id
            }
        } else if !mark.inThread, isReassembled(id, lane, machine) {
            flights.unname(id)
        } else if lanes[lane].receiving != id, isReadSilently(id) {
            // Its reader left it for the CPU it came from to free.
            flights.unname(id)
            end(id, .notRecorded)
        } else {
            // What a thread reads of TCP, it copies; and what a work queue frees, nobody reads.
            flights.unname(id)
            // … and what TCP has had, had data: it was taken without a copy, by a splice into a pipe for example.
            let isStream = flights[id].flags.contains(.tcp)
            if isStream { machines[machine].hasSilentStreams = true }
            end(id, isStream ? .notRecorded : flights[id].flags.contains(.perhapsRead) ? .ambiguous : .kernelConsumed)
        }
    }

    /// Whether a mark may belong to the receipt of one packet by the stack.
    func isOfReceipt(_ kind: MarkKind, _ mark: Mark) -> Bool {
        switch kind {
        case .stackReceive, .napiReceive, .napiPoll, .taskSwitch: false
        default: true
        }
    }

    /// The receipt of a packet that was freed in it is over: nothing was put on a socket in its place.
    mutating func endSplit(_ lane: LaneID) {
        let id = lanes[lane].split
        lanes[lane].split = .none
        if flights.contains(id), flights[id].socket == 0, !flights[id].flags.contains(.ended) {
            end(id, .kernelConsumed)
        }
    }

    /// A packet is queued on a device, perhaps by a thread that is in a sending system call.
    mutating func queued(_ mark: Mark, _ lane: LaneID, _ machine: MachineID) {
        guard !isQueued(flight(mark.a, on: machine)) else { return }
        let id = newFlight(.transmit, on: machine)
        name(id, mark.a, on: machine)
        flights[id].flags.insert(.queued)
        if lanes[lane].isOnRecorders(mark) { flights[id].flags.insert(.recorders) }
        guard mark.inThread else { return }
        let thread = thread(of: mark)
        let since = machines[machine].threads[thread].sendingSince
        if since != ThreadState.sendingUnknown {
            flights.stamp(id, StackPoints.of(machine: machine).send, at: since, by: mark.threadID)
        } else if kernels[machine].tellsCalls {
            flights[id].sender = thread
            awaitCall(id, machine)
        }
    }

    /// The packet at `mark`'s address that a driver begins to send, made known if it was not queued before.
    mutating func sending(_ mark: Mark, _ machine: MachineID) -> FlightID {
        var id = flight(mark.a, on: machine)
        if !isQueued(id) {
            id = newFlight(.transmit, on: machine)
            name(id, mark.a, on: machine)
            if inheritCall(id, LaneID(of: mark), machine) { return id }
            // Queued before the recording or in a hole, if queueing is recorded at all.
            if count(of: .netQueue, on: machine) > 0 || count(of: .startXmit, on: machine) == 1 && mark.inThread {
                flights[id].flags.insert(doubt(on: machine))
            }
        } else {
            endSegments(LaneID(of: mark))
        }
        return id
    }
}
