// The whole way of the data: machines in, journeys out, and an account of what was read.

package import ClockSync
package import GuestClocks
package import LinuxSystem
package import TraceData

/// What was read of one machine.
package struct MachineAccount: Sendable {
    package var events = 0
    /// Events the kernel counted as lost.
    package var lostEvents = 0
    /// Places where events were lost, counted or not.
    package var holes = 0
    package var firstTime: Nanoseconds?
    package var lastTime: Nanoseconds?
    package var defects: [TraceDefect] = []
    package var containment = Containment()
    /// Packets between recorder and agent, which no journey tells of.
    package var recorderPackets = 0
    /// Events of the path that this machine's file has none of, by name.
    package var absentEvents: [String] = []
    /// Events whose format is not of a kernel's shape, so that none of them was read, by name.
    package var refusedFormats: [String] = []

    /// From its first to its last event.
    var recorded: ClosedRange<Nanoseconds>? {
        guard let firstTime, let lastTime, firstTime <= lastTime else { return nil }
        return firstTime...lastTime
    }
}

/// What a run found besides journeys.
package struct AnalysisAccount: Sendable {
    /// One for each machine, in the order of `Machines`.
    package var machines: [MachineAccount]
    package var unclaimed: [UnclaimedPackets]

    /// First event of the host, the zero of reports.
    package var start: Nanoseconds { machines[0].firstTime ?? 0 }
    /// From the host's first to its last event.
    package var duration: Nanoseconds { (machines[0].lastTime ?? start) &- start }

    /// How long the host and another machine recorded at the same time; nil where one has no events.
    package func overlap(_ machine: Int) -> RecordingOverlap? {
        guard let host = machines[0].recorded, let guest = machines[machine].recorded else { return nil }
        return RecordingOverlap(host: host, guest: guest)
    }
}

/// One pass over a session.
package final class Analysis {
    package let machines: Machines
    /// The host's own packets are followed, and not its guests'.
    package let followsHost: Bool
    private let pass: MarkPass

    private let path: PathKind?

    /// Events that are not looked at, as if they had not been recorded.
    private let leftOut: [MachineRole: Set<String>]

    /// - Parameters:
    ///   - path: the path that all packets take, whatever their events say; nil for what those say, which is the host's
    ///     own where there is no guest.
    ///   - leftOut: events that are not looked at on machines of a role, by name, as if they had not been recorded
    ///     there.
    /// - Throws: `SystemError` when the system gives no threads.
    package init(_ machines: Machines, path: PathKind? = nil, leavingOut leftOut: [MachineRole: Set<String>] = [:])
        throws(SystemError)
    {
        self.machines = machines
        self.leftOut = leftOut
        self.path = path ?? (machines.guests.isEmpty ? .host : nil)
        let followsHost = self.path == .host
        self.followsHost = followsHost
        let paths = followsHost ? [.host] : PathDescription.all
        pass = try MarkPass(
            machines.all.map {
                var selection = MarkKind.selection($0.role, for: paths, ofHost: followsHost)
                let leftOut = leftOut[$0.role] ?? []
                selection.queries.removeAll { leftOut.contains($0.event) }
                return StreamSource(file: $0.file, selection: selection, maps: $0.maps)
            })
        start = pass.stream.firstTime(of: 0) ?? 0
    }

    /// Names of devices in journeys.
    package var names: NameTable { pass.stream.names }

    /// The CPUs of all machines, as marks and evidence number them.
    package var lanes: [Lane] { pass.stream.lanes }

    /// Host time of the host's first event, the zero of a session; 0 for a host without events.
    package let start: Nanoseconds

    /// Reads everything, handing journeys to `sink` as they end.
    /// - Parameters:
    ///   - sink: called on one other thread until this returns.
    ///   - witness: keeps what shows the points of the packets that it is there for.
    ///   - readers: read the marks along, on the thread of the caller.
    ///   - progress: called now and then with the share of the bytes read, 0 to 1.
    /// - Throws: `SystemError` when the system gives no thread.
    package func run(
        into sink: any JourneySink, witness: Witness? = nil, alongside readers: [any MarkReader] = [],
        progress: (Double) -> Void = { _ in }
    ) throws(SystemError) -> AnalysisAccount {
        let relay = try JourneyQueue(to: sink)
        let follower = PacketFollower(tracker(into: relay, witness))
        let total = machines.all.reduce(0) { $0 + $1.file.dataBytes }
        try pass.run([follower] + readers) { bytes in
            if total > 0 { progress(Double(bytes) / Double(total)) }
        }
        let unclaimed = follower.tracker.finish()
        relay.finish()
        return AnalysisAccount(machines: account(follower), unclaimed: unclaimed)
    }

    private func tracker(into relay: JourneyQueue, _ witness: Witness?) -> Tracker {
        Tracker(
            threadsOfGuests: machines.guests.map(\.threadOfCPU), agentPorts: machines.guests.map(\.agentPort),
            workers: machines.host.file.vhostThreads, otherThreads: machines.host.file.otherThreads,
            queueWorkers: machines.all.map(\.file.queueWorkers),
            kernels: machines.all.map { KernelTraits($0.file, leavingOut: leftOut[$0.role] ?? []) }, path: path,
            loopback: names.id(of: "lo"), lanes: pass.stream.lanes, names: names, witness: witness, sink: relay)
    }

    /// What was read of each machine.
    private func account(_ follower: PacketFollower) -> [MachineAccount] {
        var accounts = machines.all.map { _ in MachineAccount() }
        for (lane, counts) in zip(pass.stream.lanes, pass.stream.counts) { accounts[lane.machine].add(counts) }
        for (index, machine) in machines.all.enumerated() {
            accounts[index].refusedFormats = pass.stream.refused[index]
            accounts[index].recorderPackets = follower.tracker.recorderPackets(of: index)
            accounts[index].containment = follower.tracker.containment(of: index)
            var present: Set<MarkKind> = []
            for kind in MarkKind.allCases where follower.tracker.count(of: kind, on: index) > 0 { present.insert(kind) }
            accounts[index].absentEvents =
                absentEvents(machine.role, present: present, taken: follower.tracker.pathsTaken)
                + (follower.tracker.missesSockets(index) ? ["sk_data_ready", "sock_recv_length"] : [])
            accounts[index].addStatistics(machine.file.options.statistics)
        }
        return accounts
    }

    /// The events do not bear the clock maps out: many contradict one, or next to none lie where they could.
    package func doubtsClocks(_ account: AnalysisAccount) -> Bool {
        guard !followsHost else { return false }
        return machines.all.indices.dropFirst().contains {
            account.machines[$0].containment.contradictsMap || account.overlap($0)?.isHardly == true
        }
    }

    /// Events that the paths that were taken need and a machine has none of.
    private func absentEvents(_ role: MachineRole, present: Set<MarkKind>, taken: [PathKind]) -> [String] {
        // Where nothing was found, something that all paths need may be why.
        let taken = followsHost ? [.host] : taken.isEmpty ? [.tap] : taken
        var absent: Set<MarkKind> = []
        for path in taken {
            let rules = (path.description.receive + path.description.transmit).filter { $0.role == role }
            for rule in rules {
                let missing = rule.mechanism.missing(of: rule.marks, isOptional: rule.isOptional) {
                    !present.contains($0)
                }
                absent.formUnion(missing)
            }
            if !rules.isEmpty, role == .guest || path != .vfio, !present.contains(.napiPoll) {
                absent.insert(.napiPoll)
            }
        }
        return MarkKind.allCases.filter(absent.contains).compactMap {
            $0.queries(role, ofHost: followsHost).first?.event
        }
    }
}

/// Follows the packets of a pass.
private final class PacketFollower: MarkReader {
    var tracker: Tracker

    init(_ tracker: consuming Tracker) { self.tracker = tracker }

    func take(_ marks: Span<Mark>) {
        // Touched once for all of them: a class's property is checked for exclusive access at every touch.
        unsafe marks.withUnsafeBufferPointer { unsafe tracker.follow($0) }
    }
}

extension MachineAccount {
    fileprivate mutating func add(_ counts: LaneCounts) {
        events += counts.events
        lostEvents = lostEvents &+ counts.lost
        holes += counts.holes
        defects += counts.defects
        if let first = counts.firstTime { firstTime = min(firstTime ?? first, first) }
        if let last = counts.lastTime { lastTime = max(lastTime ?? last, last) }
    }

    /// The kernel's own counters know of losses that no sub-buffer tells of, at the very end of a recording for
    /// example.
    fileprivate mutating func addStatistics(_ statistics: [BufferStatistics]) {
        lostEvents = max(lostEvents, statistics.reduce(0) { $0 &+ $1.overrun &+ $1.dropped })
    }
}
