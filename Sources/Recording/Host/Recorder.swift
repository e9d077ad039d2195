// Recording a session: connect, prepare, record, fetch, write. Each step leaves things so that what comes after a
// failure can undo them.

import ClockSync
import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
package import Sessions
import Synchronization

/// One recording on the host it runs on.
package final class Recorder: Sendable {
    let plan: RecordingPlan
    let news: @Sendable (RecordingNews) -> Void
    let stopRequest: StopRequest
    /// What is missing, in the order in which it was found.
    let faults = Mutex<[String]>([])

    /// - Parameters:
    ///   - stop: asked for by a signal, any number of times.
    package init(_ plan: RecordingPlan, stop: StopRequest, news: @escaping @Sendable (RecordingNews) -> Void) {
        self.plan = plan
        stopRequest = stop
        self.news = news
    }

    /// - Returns: the manifest that is in the folder now.
    /// - Throws: when nothing was recorded, `RecordingFault` or `TracingFault`; what was made until then is gone.
    package func run() async throws -> Manifest {
        let group = try NetworkThread.start()
        do {
            let manifest = try await run(on: group)
            try await group.shutdownGracefully()
            return manifest
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func run(on group: MultiThreadedEventLoopGroup) async throws -> Manifest {
        let connections = try await connect(on: group)
        do {
            let manifest = try await record(connections)
            for connection in connections { await connection.end() }
            return manifest
        } catch {
            for connection in connections {
                await connection.close()
                await connection.end()
            }
            throw error
        }
    }

    func add(fault: String) {
        faults.withLock { $0.append(fault) }
        news(.warning(fault))
    }

    // MARK: Before

    /// All guests at once; if one can't be reached, none is recorded.
    private func connect(on group: MultiThreadedEventLoopGroup) async throws -> [GuestConnection] {
        let (key, patience) = (plan.key, TimeAmount.nanoseconds(plan.guestBudget.patience))
        let results = await withTaskGroup(of: (Int, Result<GuestConnection, any Error>).self) { tasks in
            for (index, target) in plan.guests.enumerated() {
                tasks.addTask {
                    do {
                        return (
                            index,
                            .success(try await GuestConnection.open(target, key: key, patience: patience, on: group))
                        )
                    } catch { return (index, .failure(error)) }
                }
            }
            return await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
        let connections = results.compactMap { try? $0.get() }
        guard connections.count == results.count else {
            for connection in connections { await connection.close() }
            throw RecordingFault.guests(
                zip(plan.guests, results).compactMap { target, result in
                    guard case .failure(let error) = result else { return nil }
                    return error as? GuestFault ?? GuestFault(guest: target.name, reason: FaultText.of(error))
                })
        }
        return connections
    }

    private func makeFolder() throws {
        try SessionPlace.make(plan.folder)
        guard (try? Folder.names(in: plan.folder).isEmpty) ?? false else {
            throw RecordingFault.folderInUse(plan.folder)
        }
    }

    private func chooseClock(_ guests: [RecordedGuest]) throws -> String {
        let own = try TraceFS.clocks()
        guard let wanted = plan.traceClock else {
            return ClockChoice.best(
                host: own, guests: guests.map(\.connection.welcome.clocks),
                hasConversion: CycleConversion.ofThisMachine != nil,
                kvmReadings: guests.map { $0.vm?.kvmReadings(.begin) ?? [] })
        }
        for (machine, clocks) in [("the host", own)] + guests.map({ ($0.name, $0.connection.welcome.clocks) })
        where !clocks.contains(wanted) {
            throw RecordingFault.clock(wanted, machine: machine, available: clocks)
        }
        // Cycles without a rate are no time, and nobody could say later what a stage took.
        if TraceClockUnit(of: wanted) == .tsc, CycleConversion.ofThisMachine == nil {
            throw RecordingFault.noRate(clock: wanted)
        }
        return wanted
    }

    // MARK: The recording

    private func record(_ connections: [GuestConnection]) async throws -> Manifest {
        let topology = Topology.ofThisHost()
        let guests = connections.map { RecordedGuest($0, vm: topology.vm(of: $0.target, $0.welcome)) }
        for guest in guests where guest.vm == nil {
            news(
                .warning(
                    "\(guest.name): which VM of this host it is was not found, so KVM's word on its clock and its threads is missing"
                ))
        }
        let clock = try chooseClock(guests)
        let watch = try Guard(folder: plan.folder, program: plan.program)
        defer { watch.dismiss() }
        let host = try MachineTrace(
            clock: clock, bufferKiB: plan.bufferKiB, events: EventSet.host(topology, vms: guests.compactMap(\.vm)))
        defer {
            try? host.finish()
            watch.release()
            host.instance.remove()
        }
        try makeFolder()
        var session = RecordingSession(
            guests: guests,
            manifest: Manifest(plan, clock: clock, topology: topology, host: host, guests: guests))
        var hasRecorded = false
        do {
            try session.manifest.write(folder: plan.folder)
            HostFile.reserve(folder: plan.folder)
            defer { unbind() }
            try await bind(&session)
            let spool = try Spool(cpus: host.cpus, folder: plan.folder, prefix: HostFile.spoolPrefix)
            try await prepare(&session)
            guard !stopRequest.isMade else { throw RecordingFault.interrupted }
            try watch.hold(host.instance)
            try host.start(into: spool) { [self] error in
                host.stop()
                add(
                    fault:
                        "host: the trace could not be kept (\(error.call): \(error.text)); what was recorded until then is there"
                )
                stopRequest.make()
            }
            try await start(&session)
            hasRecorded = true
            await measure(&session, host: host)
            unbind()
            try await finish(&session, host: host, spool: spool, watch: watch)
            return session.manifest
        } catch {
            // What was recorded is never thrown away: it can be made a session of when there is space again, for
            // example.
            if hasRecorded { throw CutOffSession.Fault.unfinished(folder: plan.folder, reason: FaultText.of(error)) }
            for guest in session.guests { guest.file?.discard() }
            discardFolder(host.cpus)
            throw error
        }
    }

    private func prepare(_ session: inout RecordingSession) async throws {
        for index in session.guests.indices {
            let guest = session.guests[index]
            let file = try makeFile(guest)
            session.guests[index].file = file
            let health = guest.health
            guest.connection.read(
                sections: plan.guestBudget.sections + (plan.wantsKernelSymbols ? GuestBudget.kernelSymbols : 0),
                data: { [plan, news] bytes in
                    try file.take(bytes)
                    if plan.transfer == .after { news(.transferring(guest: guest.name, bytes: file.bytes)) }
                },
                lost: { [self] fault in
                    health.lost.withLock { $0 = fault.reason }
                    add(fault: fault.text)
                })
        }
        let request = Message.Preparation(
            clock: session.clock, bufferKiB: UInt32(clamping: plan.bufferKiB ?? 0), isLive: plan.transfer == .live,
            events: EventSet.guest.map {
                Message.Preparation.Event(name: $0.event.description, filter: $0.filter ?? "")
            },
            crossTimestampMilliseconds: RecordingPlan.crossTimestampMilliseconds)
        try await withThrowingTaskGroup(of: (Int, Message.Prepared).self) { tasks in
            for (index, guest) in session.guests.enumerated() {
                tasks.addTask { (index, try await guest.connection.prepare(request)) }
            }
            for try await (index, prepared) in tasks {
                session.prepared(index, prepared)
                if plan.transfer == .live { allowData(session.guests[index]) }
            }
        }
    }

    private func makeFile(_ guest: RecordedGuest) throws -> GuestFile {
        let welcome = guest.connection.welcome
        do throws(TracingFault) {
            return try GuestFile(
                folder: plan.folder, name: guest.fileName, cpus: Int(welcome.cpus), pageSize: Int(welcome.pageSize),
                isLive: plan.transfer == .live)
        } catch {
            guard case .spool(_, let cause) = error, cause.errno == EMFILE else { throw error }
            throw RecordingFault.guests([
                GuestFault(
                    guest: guest.name,
                    reason:
                        "live transfer opens a file for each of the \(welcome.cpus) CPUs that it says it has: \(cause.text)",
                    remedy: "Use --transfer after, or raise the limit (ulimit -n)")
            ])
        }
    }

    /// From now on a guest may send its trace, within its budget.
    func allowData(_ guest: RecordedGuest) {
        guest.file?.allow(plan.guestBudget.data(isLive: plan.transfer == .live, folder: plan.folder))
    }

    /// The guests start at once; then their clocks are compared with the host's, one after the other.
    private func start(_ session: inout RecordingSession) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for guest in session.guests {
                tasks.addTask {
                    try await guest.connection.start { piece in guest.health.sections.withLock { $0.append(piece) } }
                }
            }
            try await tasks.waitForAll()
        }
    }

    private func measure(_ session: inout RecordingSession, host: MachineTrace) async {
        session.readKVM(.begin)
        await exchange(session, host: host) { $0.prefix(Int(RecordingPlan.probesBefore)) }
        session.takeHostReading()
        host.beginMeasurement()
        host.markers.write(Marker(.begin))
        news(.recording)
        let (status, readings) = await wait(host, clock: TraceClock(session.clock))
        host.markers.write(Marker(.end))
        host.endMeasurement()
        session.hostReadings += readings
        session.takeHostReading()
        session.manifest.commandStatus = status
        // Far enough from the end that the last packet's way is recorded whole.
        try? await Task.sleep(for: .milliseconds(20))
        // A guest that does not answer any more keeps nothing on here.
        let limit = Task {
            try await Task.sleep(for: Self.longestExchange)
            host.stop()
        }
        await exchange(session, host: host) { $0.dropFirst(Int(RecordingPlan.probesBefore)) }
        limit.cancel()
        session.readKVM(.end)
    }

    /// The host records no longer than this after the measurement.
    private static let longestExchange = Swift.Duration.seconds(10)

    private func exchange(_ session: RecordingSession, host: MachineTrace, _ part: (Range<UInt32>) -> Range<UInt32>)
        async
    {
        for (index, guest) in session.guests.enumerated() where guest.health.isWell {
            // A guest that is lost has said so already.
            try? await guest.connection.exchange(part(RecordingPlan.probes(ofGuest: index)), markers: host.markers)
        }
    }

    /// Until the command ends, the time is over, or somebody stops it.
    private func wait(_ host: MachineTrace, clock: TraceClock?) async -> (status: Int32?, readings: [ClockReading]) {
        let begin = monotonicNanoseconds()
        let child: Child?
        do throws(SystemError) {
            child = try startCommand()
        } catch {
            add(fault: "\(plan.command[0]): \(error.text)")
            return (127, [])
        }
        let ended = child.map { child in
            let request = StopRequest()
            try? detachThread {
                request.status.withLock { $0 = child.wait() }
                request.make()
            }
            return request
        }
        var hasPassedOn = false
        var status = StatusLine(host, since: begin)
        var readings: [ClockReading] = []
        while true {
            let elapsed = monotonicNanoseconds() - begin
            let left = plan.duration.map { $0 - elapsed } ?? .max
            if left <= 0 || ended?.isMade == true { break }
            if stopRequest.isMade, !hasPassedOn, let child, !plan.isCommandLoad {
                hasPassedOn = true
                passOn(stopRequest.signal, to: child)
            }
            // With a command its end counts: it has heard the same signal as we.
            if stopRequest.isMade && (ended == nil || plan.isCommandLoad || stopRequest.isInsistent) { break }
            let most: Int64 =
                status.isWanted ? 1_000_000_000 : Int64(RecordingPlan.crossTimestampMilliseconds) * 1_000_000
            await StopRequest.any(
                ended == nil || !stopRequest.isMade ? [stopRequest, ended] : [ended], within: min(left, most))
            if let clock, readings.count < 50_000 { readings.append(.take(clock)) }
            let tenths = (monotonicNanoseconds() - begin) / 100_000_000
            host.look("\(tenths / 10).\(tenths % 10) s after the measurement's begin")
            if status.isWanted, let line = status.next() { news(line) }
        }
        // The time is over before the command is, or somebody insists: it is asked to end, and its status counts all
        // the same.
        if let child, let ended, !ended.isMade {
            child.signal(SIGTERM)
            await StopRequest.any([ended], within: 5_000_000_000)
            if !ended.isMade { child.signal(SIGKILL) }
            await StopRequest.any([ended], within: 5_000_000_000)
        }
        // What a load has started and not waited for.
        if plan.isCommandLoad { child?.signal(SIGTERM) }
        return (ended?.status.withLock { $0 }, readings)
    }

    /// What asks us to end asks the command too. Ctrl-C, and a terminal that goes, have been told to it by the terminal
    /// already.
    private func passOn(_ signal: Int32?, to child: Child) {
        let isTold = signal != SIGTERM && isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp()
        if let signal, !isTold { child.signal(signal) }
    }

    private func startCommand() throws(SystemError) -> Child? {
        guard !plan.command.isEmpty else { return nil }
        return try Child(plan.command, withoutInput: plan.isCommandLoad, ownSession: plan.isCommandLoad)
    }

    private func discardFolder(_ cpus: [Int]) {
        for cpu in cpus { TextFile.remove(Spool.path(folder: plan.folder, prefix: HostFile.spoolPrefix, cpu: cpu)) }
        for name in [Manifest.fileName, HostFile.reserveName] { TextFile.remove(plan.folder + "/" + name) }
        _ = Folder.remove(plan.folder)
    }
}
