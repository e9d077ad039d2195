// After the measurement: tracing off everywhere, the traces fetched, and the files written with what is known by then.

import ClockSync
import LinuxSystem
import Sessions
import Synchronization
import TraceData

extension Recorder {
    /// - Throws: when not even the host's part can be kept.
    func finish(_ session: inout RecordingSession, host: MachineTrace, spool: Spool, watch: Guard) async throws {
        // The host first: a guest that hangs keeps nothing on here.
        host.stop()
        if let text = host.interference { add(fault: "host: \(text)") }
        await stopGuests(&session)
        var isKept = true
        do throws(SystemError) { try host.finish() } catch {
            // The drain's own fault has been told already, and what it left out may be the end's mark.
            isKept = false
        }
        let during = host.disturbance
        let threads = ProcessEntry.threads(of: processID()) + [watch.process]
        let sections = try host.sections(kernelSymbols: plan.wantsKernelSymbols)
        let description = session.manifest.hostDescription(sections)
        let size = spool.cpus.reduce(0) { $0 + spool.size(cpu: $1) }
        try HostFile.write(folder: plan.folder, spool: spool, pageSize: host.pageSize, description: description)
        var scan = TraceScan()
        do {
            scan = try TraceScan(
                plan.folder + "/" + HostFile.name, events: session.manifest.machines[0].events, threads: Set(threads))
        } catch {
            add(fault: "host: what was recorded can't be read back: \(FaultText.of(error))")
        }
        session.manifest.takeWindow(scan)
        if isKept, scan.lost == 0, host.interference == nil, scan.markers[.begin] == nil || scan.markers[.end] == nil {
            add(
                fault:
                    "host: the recording has no mark of the measurement's \(scan.markers[.begin] == nil ? "begin" : "end"): it is not whole"
            )
        }
        session.manifest.machines[0].take(
            scan,
            Disturbance(usage: during.usage, during: during.bytesDuring, after: max(0, size - during.bytesDuring)))
        for index in session.guests.indices { await fetch(&session, index, hostScan: scan) }
        session.manifest.clocks = session.guests.map { guest in
            var clock = guest.clock
            clock.hostReadings = session.hostReadings
            return clock
        }
        session.manifest.faults = faults.withLock { $0 }
        session.manifest.outcome = session.manifest.faults.isEmpty ? .complete : .cutOff
        try session.manifest.write(folder: plan.folder)
    }

    private func stopGuests(_ session: inout RecordingSession) async {
        let outcomes = await withTaskGroup(of: (Int, Message.Stopped?).self) { tasks in
            for (index, guest) in session.guests.enumerated() where guest.health.isWell {
                tasks.addTask {
                    do { return (index, try await guest.connection.stop()) } catch {
                        self.report(error, guest)
                        return (index, nil)
                    }
                }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        for (index, stopped) in outcomes {
            session.guests[index].stopped = stopped
            guard let stopped else { continue }
            if !stopped.fault.isEmpty { add(fault: "\(session.guests[index].name): \(stopped.fault)") }
            session.guests[index].clock.crossTimestamps = stopped.crossTimestamps.map {
                CrossTimestamp(
                    host: $0.host, realtime: $0.realtime, monotonicRaw: $0.monotonicRaw, monotonic: $0.monotonic,
                    before: $0.before,
                    after: $0.after)
            }
        }
    }

    /// A connection that is lost has been reported by whoever reads it.
    private func report(_ error: any Error, _ guest: RecordedGuest) {
        guard guest.health.isWell else { return }
        add(fault: "\(guest.name): \((error as? GuestFault)?.reason ?? FaultText.of(error))")
    }

    /// One guest's trace, as much of it as comes.
    private func fetch(_ session: inout RecordingSession, _ index: Int, hostScan: TraceScan) async {
        let guest = session.guests[index]
        guard let file = guest.file,
            let place = session.manifest.machines.firstIndex(where: { $0.role == .guest && $0.name == guest.name })
        else { return }
        let early = guest.health.sections.withLock { $0 }
        var pieces = early
        if guest.health.isWell {
            var collected: [TraceSection] = []
            // Whoever asks twice does not want to wait for it.
            let impatience = Task { [stopRequest] in
                while !stopRequest.isInsistent { try await Task.sleep(for: .milliseconds(200)) }
                await guest.connection.abandon()
            }
            defer { impatience.cancel() }
            if plan.transfer == .after { allowData(guest) }
            do {
                let missing = try await guest.connection.collect(kernelSymbols: plan.wantsKernelSymbols) {
                    collected.append($0)
                }
                pieces = collected
                if !missing.isEmpty, missing != guest.stopped?.fault { add(fault: "\(guest.name): \(missing)") }
            } catch {
                if early.isEmpty { pieces = collected }
                report(error, guest)
            }
            await guest.connection.close()
        }
        let sections = TraceSection.joined(pieces)
        guard sections.contains(where: { $0.kind == .headerPage }), sections.contains(where: { $0.kind == .format })
        else {
            session.manifest.machines[place].file = nil
            file.discard()
            return
        }
        do {
            try write(&session, index, place, file, sections, hostScan)
        } catch {
            session.manifest.machines[place].file = nil
            file.discard()
            add(fault: "\(guest.name): \(guest.fileName) can't be written: \(FaultText.of(error))")
        }
    }

    private func write(
        _ session: inout RecordingSession, _ index: Int, _ place: Int, _ file: GuestFile, _ sections: [TraceSection],
        _ hostScan: TraceScan
    ) throws {
        let guest = session.guests[index]
        var machine = session.manifest.machines[place]
        var description = TraceDescription(
            sections, machine: machine, uname: guest.connection.welcome.uname, traceClock: session.clock,
            // Its cycles become the host's first, as in trace-cmd's files.
            conversion: session.conversion)
        // Its own stamps are read from the file, and then go into it again as its time shift.
        try file.finish(description)
        let scan = try ConfinedScan.read(
            file.path,
            .init(
                markers: RecordingPlan.probes(ofGuest: index), threads: guest.stopped?.threads ?? [],
                events: machine.events.map(\.event)),
            by: plan.program)
        // A TSC that KVM does not scale runs at the host's rate, whatever the guest has calibrated.
        let isScaled = guest.clock.kvm.contains { $0.isScaled }
        let guestClock = isScaled ? guest.conversion : session.conversion
        // A guest that does not know its own rate can't tell ns from cycles that are not the host's.
        if session.clock != "x86-tsc" || guestClock != nil {
            session.guests[index].clock.take(
                Exchange.pair(
                    host: hostScan, hostClock: session.conversion, guest: scan, guestClock: guestClock,
                    numbers: RecordingPlan.probes(ofGuest: index)))
        }
        description.peerTraceID = session.manifest.machines[0].traceID
        description.timeShifts = timeShifts(session, index)
        if description.timeShifts.isEmpty, !guest.health.isWell {
            // What came of it has none of the exchanges: events that have no place in time would only keep the host's
            // from being read.
            session.manifest.machines[place].file = nil
            return file.discard()
        }
        if description.timeShifts.isEmpty {
            // Without that the analysis would refuse the host's file too.
            machine.file = nil
            add(
                fault:
                    "\(guest.name): nothing tells how its clock relates to the host's, so \(guest.fileName) is left out of the session"
            )
        }
        try file.finish(description)
        let during = Int(clamping: guest.stopped?.bytesDuring ?? 0)
        machine.take(
            scan,
            Disturbance(
                usage: guest.stopped.map {
                    Usage(processorTime: Int64(clamping: $0.processorTime), wakeUps: Int(clamping: $0.wakeUps))
                }, during: during, after: max(0, file.bytes - during)))
        session.manifest.machines[place] = machine
    }

    private func timeShifts(_ session: RecordingSession, _ index: Int) -> [TimeShift] {
        let guest = session.guests[index]
        if session.clock == "x86-tsc" {
            let readings = guest.clock.kvm
            let changed = readings.filter { last in
                last.moment == .end
                    && readings.contains { $0.moment == .begin && $0.vcpu == last.vcpu && $0.offset != last.offset }
            }
            for reading in changed {
                add(fault: "\(guest.name): the TSC offset of vCPU \(reading.vcpu) was changed while it was recorded")
            }
            let shifts = TimeShift.kvm(
                readings, endTime: session.endTime &+ UInt64(bitPattern: readings.last?.offset ?? 0))
            if !shifts.isEmpty { return shifts }
            // Cycles on both sides and nothing exact: the exchanges would have to be converted back to cycles.
            return []
        }
        return TimeShift.exchanges(guest.clock.exchanges, cpus: Int(guest.connection.welcome.cpus))
    }
}

extension Manifest {
    /// host.dat's description.
    func hostDescription(_ sections: [TraceSection]) -> TraceDescription {
        var description = TraceDescription(
            sections, machine: machines[0], uname: SystemName.own.text, traceClock: traceClock, conversion: conversion)
        description.guests = guestOptions
        return description
    }

    /// The measured time, from the host's own markers.
    mutating func takeWindow(_ scan: TraceScan) {
        let clock = conversion ?? .nanoseconds
        guard let begin = scan.markers[.begin]?[0] else { return }
        measured = Window(begin: clock.nanoseconds(begin), end: scan.markers[.end]?[0].map { clock.nanoseconds($0) })
    }
}

extension RecordedMachine {
    mutating func take(_ scan: TraceScan, _ disturbance: Disturbance) {
        lostEvents = scan.lost
        self.disturbance = disturbance
        self.disturbance.ownEvents = scan.ownEvents
        self.disturbance.allEvents = scan.allEvents
    }
}

extension Disturbance {
    init(usage: Usage?, during: Int, after: Int) {
        self.init()
        cpuTime = usage?.processorTime
        wakeUps = usage?.wakeUps
        bytesDuring = during
        bytesAfter = after
    }
}
