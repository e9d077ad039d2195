// Puts every guest's clock on the host's: gathers the evidence there is, holds each against the events, and chooses.

package import ClockSync
import LinuxSystem
package import Sessions
import TraceData

/// No map for a guest.
package enum ClockFault: Error, Sendable {
    /// Nothing tells how the clocks relate; the reasons of all that was tried.
    case unknown(guest: String, host: String, guestClock: String?, hostClock: String?, [SilentEvidence])
    /// The chosen evidence is not there, or says nothing.
    case silent(guest: String, ClockMap.Method, reason: String?)
    /// All evidence that there is, is contradicted by the events.
    case contradicted(guest: String, ClockMap.Method, ContainmentCount)
    /// By all evidence that there is, the two were not recorded at the same time, so that nothing can check it; `gap`
    /// as in `RecordingOverlap`.
    case apart(guest: String, host: String, ClockMap.Method, gap: Nanoseconds, [SilentEvidence])
    /// The host's rate was to be the guest's, and its clock runs at another one.
    case otherRate(guest: String, host: String, hostClock: String?)
}

/// The clocks of one session.
package struct ClockResolution: Sendable {
    private let machines: Machines
    private let manifest: Manifest?
    private let servoLogs: [ServoEvidence]

    package init(_ machines: Machines, manifest: Manifest?, servoLogs: [ServoEvidence] = []) {
        self.machines = machines
        self.manifest = manifest
        self.servoLogs = servoLogs
    }

    private var hostClock: CycleConversion? { machines.hostClock }

    /// A clock for each guest: by evidence that needs no look at the events where that is exact or was asked for, else
    /// by all of it.
    /// - Parameter progress: called now and then with the share of the bytes read, 0 to 1, where events are looked at.
    package func resolve(_ selection: ClockSelection, progress: (Double) -> Void = { _ in }) throws -> [GuestClock] {
        let immediate = try immediate(selection)
        guard immediate.contains(where: { $0 == nil }) else {
            let clocks = immediate.compactMap { $0 }
            try checkRate(clocks)
            return clocks
        }
        return try thorough(selection, progress: progress)
    }

    /// A guest that tells the host's rate by its own must have the same.
    func checkRate(_ clocks: [GuestClock]) throws(ClockFault) {
        guard let index = machines.rateGuest,
            !clocks[index].candidate.maps.allSatisfy({ $0.segments.allSatisfy(\.toHost.isConstant) })
        else { return }
        let host = machines.host.file
        throw .otherRate(guest: machines.all[index + 1].file.path, host: host.path, hostClock: host.traceClock)
    }

    /// - Returns: nil for guests whose events have to be asked.
    private func immediate(_ selection: ClockSelection) throws(ClockFault) -> [GuestClock?] {
        var clocks: [GuestClock?] = []
        for guest in machines.guests {
            var clock = GuestClock()
            switch selection {
            case .automatic where servoLogs.isEmpty:
                if case .success(let exact)? = kvm(guest, changes: nil) {
                    clock.candidates = [exact]
                } else if case .success(let file)? = file(guest), file.error != nil {
                    clock.candidates = [file]
                }
            case .file:
                switch file(guest) {
                case .success(let file): clock.candidates = [file]
                case .failure(let reason): throw .silent(guest: guest.file.path, .timeShift, reason: reason.text)
                case nil: throw .silent(guest: guest.file.path, .timeShift, reason: nil)
                }
            case .none, .offset: clock.candidates = [given(selection)].compactMap { $0 }
            case .automatic, .method, .ptp: break
            }
            clocks.append(clock.candidates.isEmpty ? nil : clock)
        }
        return clocks
    }

    /// What the user says.
    private func given(_ selection: ClockSelection) -> ClockCandidate? {
        switch selection {
        case .none: .given(0, hostClock: hostClock, method: .none)
        case .offset(let offset): .given(offset, hostClock: hostClock, method: .given)
        case .automatic, .file, .method, .ptp: nil
        }
    }

    private func recorded(_ guest: Machine) -> RecordedClock? { manifest?.clocks.first { $0.machine == guest.name } }

    private func kvm(_ guest: Machine, changes: [TSCOffsetChange]?) -> Result<ClockCandidate, SilentReason>? {
        guard let hostClock, let readings = recorded(guest)?.kvm, !readings.isEmpty,
            guest.file.traceClock.map(Self.isTSC) ?? false
        else { return nil }
        return ClockCandidate.kvm(readings, changes ?? [], hostClock: hostClock)
    }

    /// trace-cmd calls it tsc2nsec where it can convert it.
    private static func isTSC(_ clock: String) -> Bool { clock == "x86-tsc" || clock == "tsc2nsec" }

    private func file(_ guest: Machine) -> Result<ClockCandidate, SilentReason>? {
        ClockCandidate.file(guest.file, hostClock: hostClock)
    }

    /// Asks the events too: all evidence of every guest, each held against the guest's events.
    package func thorough(_ selection: ClockSelection, progress: (Double) -> Void = { _ in }) throws -> [GuestClock] {
        let total = Double(max(1, machines.all.reduce(0) { $0 + $1.file.dataBytes }))
        var read = 0.0
        let entries = try ContainmentPass.entries(machines.host.file) { progress(Double($0) / total) }
        read += Double(machines.host.file.dataBytes)
        var clocks: [GuestClock] = []
        for guest in machines.guests {
            let activity = try ContainmentPass.activity(guest.file) { progress((read + Double($0)) / total) }
            read += Double(guest.file.dataBytes)
            var clock = examine(guest, entries, activity, selection)
            clock.chosen = try choose(guest, clock, selection)
            clocks.append(clock)
        }
        try checkRate(clocks)
        return clocks
    }

    /// All evidence there is of one guest.
    private func examine(
        _ guest: Machine, _ entries: HostEntries?, _ activity: [GuestActivity], _ selection: ClockSelection
    ) -> GuestClock {
        var clock = GuestClock()
        let first = activity.compactMap(\.times.first).min() ?? 0
        let all = first...(activity.compactMap(\.times.last).max() ?? first)
        func add(_ method: ClockMap.Method, _ result: Result<ClockCandidate, SilentReason>?) {
            switch result {
            case .success(let candidate)?: clock.candidates.append(candidate)
            case .failure(let reason)?: clock.silent.append(SilentEvidence(method: method, reason: reason.text))
            case nil: break
            }
        }
        add(.kvmTSCOffset, kvm(guest, changes: entries?.changes))
        // What virtlat itself wrote into the file follows from what the manifest says.
        if recorded(guest)?.exchanges.isEmpty ?? true, clock.candidates.isEmpty { add(.timeShift, file(guest)) }
        if let recorded = recorded(guest) {
            add(
                .crossTimestamps,
                ClockCandidate.crossTimestamps(
                    recorded.crossTimestamps, recorded.hostReadings, pair(guest), over: all))
            add(.exchanges, ClockCandidate.exchanges(recorded.exchanges, pair(guest), over: all))
        }
        if !servoLogs.isEmpty {
            switch servo(guest, over: all) {
            case .success(let (candidate, swings)):
                clock.candidates.append(candidate)
                clock.swings = swings
            case .failure(let reason): clock.silent.append(SilentEvidence(method: .servo, reason: reason.text))
            }
        }
        if let given = given(selection) { clock.candidates.append(given) }
        clock.recorded = all
        if let entries, !activity.isEmpty {
            for index in clock.candidates.indices {
                clock.candidates[index].overlap = clock.candidates[index].maps[0].overlap(
                    host: entries.recorded, guest: all)
            }
        }
        guard let entries, !entries.windows.isEmpty else {
            clock.silent.append(
                SilentEvidence(method: .containment, reason: "the host's recording has no kvm_entry and kvm_exit"))
            return clock
        }
        let evidence = ContainmentEvidence(host: entries.recorded, windows: entries.windows, activity: activity)
        var found: ContainmentFit?
        var containment: ClockCandidate?
        do throws(ContainmentFault) {
            let fit = try search(evidence, pair(guest))
            let times = common(all, entries.recorded, fit.fit)
            clock.threads = fit.threads
            clock.times = times
            containment = ClockCandidate.containment(fit, hostClock: hostClock, over: times)
            containment?.count = fit.count
            found = fit
        } catch {
            clock.silent.append(SilentEvidence(method: .containment, reason: error.text))
        }
        let threads = clock.threads.isEmpty ? guest.threadOfCPU : clock.threads
        for index in clock.candidates.indices {
            clock.candidates[index].count = count(clock.candidates[index], evidence, threads)
            clock.candidates[index].judge(containment, found, over: clock.times)
        }
        if let containment { clock.candidates.append(containment) }
        return clock
    }

    /// Clocks that linuxptp keeps together: one time, to within what the servos reported.
    /// - Returns: the map, and when it may be worse, in ns.
    private func servo(_ guest: Machine, over times: ClosedRange<RawTime>) -> Result<
        (ClockCandidate, [ClosedRange<Nanoseconds>]), SilentReason
    > {
        guard guest.file.traceClock == "tai", machines.host.file.traceClock == "tai" else {
            return .failure(
                "linuxptp keeps CLOCK_REALTIME and CLOCK_TAI, and the trace clock is \(guest.file.traceClock ?? "unknown"): record with --trace-clock tai"
            )
        }
        let during = Nanoseconds(clamping: times.lowerBound)...Nanoseconds(clamping: times.upperBound)
        var judgement: ServoLog.Judgement?
        for evidence in servoLogs where evidence.machine == guest.name || evidence.machine == machines.host.name {
            let readings =
                evidence.machine == guest.name
                ? recorded(guest)?.crossTimestamps.map { (monotonic: $0.monotonic, before: $0.before, after: $0.after) }
                : recorded(guest)?.hostReadings.map { (monotonic: $0.monotonic, before: $0.before, after: $0.after) }
            let one = evidence.judgement(during: during, readings ?? [])
            judgement = judgement?.chained(with: one) ?? one
        }
        guard let judgement else { return .failure("no log of this guest or its host was given") }
        guard let error = judgement.error else {
            return .failure("the logs hold no report of a locked servo while this was recorded")
        }
        var candidate = ClockCandidate.given(0, hostClock: nil, method: .servo)
        candidate.maps[0].segments[0].errorBound = max(1, error)
        let doubtful = judgement.swings + judgement.gaps
        candidate.summary =
            "\(judgement.reports) report\(judgement.reports == 1 ? "" : "s") of linuxptp"
            + (doubtful.isEmpty ? "" : ", swings: \(judgement.swings.count), gaps: \(judgement.gaps.count)")
        return .success((candidate, doubtful))
    }

    private func pair(_ guest: Machine) -> ClockPair {
        ClockPair(hostClock: hostClock, areTSC: hostClock != nil && guest.file.traceClock.map(Self.isTSC) ?? false)
    }

    private func search(_ evidence: ContainmentEvidence, _ pair: ClockPair) throws(ContainmentFault) -> ContainmentFit {
        for drift in pair.drifts.dropLast() {
            if let found = try? evidence.search(ticks: ticksPerMillisecond, drift: drift) { return found }
        }
        return try evidence.search(ticks: ticksPerMillisecond)
    }

    /// The guest times that the host recorded too: a packet's way lies in both recordings, and beyond its bounds a line
    /// grows uncertain.
    private func common(_ guest: ClosedRange<RawTime>, _ host: ClosedRange<RawTime>, _ fit: OffsetFit) -> ClosedRange<
        RawTime
    > {
        let offset = RawTime(bitPattern: fit.pieces[0].band.offset(at: guest.lowerBound))
        let (first, last) = (host.lowerBound &- offset, host.upperBound &- offset)
        return first <= last ? guest.clamped(to: first...last) : guest
    }

    private var ticksPerMillisecond: Double {
        guard let hostClock, hostClock.multiplier > 0 else { return 1e6 }
        return 1e6 * Double(sign: .plus, exponent: Int(hostClock.shift), significand: 1) / Double(hostClock.multiplier)
    }

    private func count(_ candidate: ClockCandidate, _ evidence: ContainmentEvidence, _ threads: [Int: Int32])
        -> ContainmentCount?
    {
        func offset(_ cpu: Int, _ time: RawTime) -> Int64 {
            let map = candidate.maps[min(cpu, candidate.maps.count - 1)]
            return Int64(bitPattern: map.segment(at: time).toHost.hostRaw(time) &- time)
        }
        var total = ContainmentCount()
        let assigned = threads.isEmpty ? evidence.assignment { offset(0, $0) } : [:]
        for (index, activity) in evidence.activity.enumerated() {
            let windows: EntryWindows?
            if let thread = threads[activity.cpu] {
                windows = evidence.windows.first { $0.thread == thread }
            } else {
                windows = assigned[index].map { evidence.windows[$0] }
            }
            guard let windows else { continue }
            total = total + evidence.count(activity, windows) { offset(activity.cpu, $0) }
        }
        return total.total > 0 ? total : nil
    }

    /// Index of the candidate that is used.
    private func choose(_ guest: Machine, _ clock: GuestClock, _ selection: ClockSelection) throws(ClockFault) -> Int {
        switch selection {
        case .ptp:
            return try choose(
                guest, clock, .method(clock.candidates.contains { $0.method == .servo } ? .servo : .crossTimestamps))
        case .method(let method):
            guard let index = clock.candidates.firstIndex(where: { $0.method == method }) else {
                throw .silent(
                    guest: guest.file.path, method, reason: clock.silent.first { $0.method == method }?.reason)
            }
            return index
        case .file:
            guard
                let index = clock.candidates.firstIndex(where: { $0.method == .timeShift || $0.method == .kvmTSCOffset }
                )
            else {
                throw .silent(
                    guest: guest.file.path, .timeShift, reason: clock.silent.first { $0.method == .timeShift }?.reason)
            }
            return index
        case .none, .offset:
            return clock.candidates.firstIndex { $0.method == .none || $0.method == .given } ?? 0
        case .automatic:
            let believed = clock.candidates.indices.filter { !clock.candidates[$0].isContradicted }
            let usable = believed.filter { clock.candidates[$0].overlap?.isNone != true }
            // Without a bound it is a guess, to be used when there is nothing else.
            if let best = usable.min(by: { (clock.candidates[$0].error ?? .max) < (clock.candidates[$1].error ?? .max) }
            ) {
                return best
            }
            if let apart = believed.first.map({ clock.candidates[$0] }), let overlap = apart.overlap {
                throw .apart(
                    guest: guest.file.path, host: machines.host.file.path, apart.method, gap: overlap.gap, clock.silent)
            }
            guard let contradicted = clock.candidates.first, let count = contradicted.count else {
                throw .unknown(
                    guest: guest.file.path, host: machines.host.file.path, guestClock: guest.file.traceClock,
                    hostClock: machines.host.file.traceClock, clock.silent)
            }
            throw .contradicted(guest: guest.file.path, contradicted.method, count)
        }
    }
}

extension ContainmentFault {
    /// For people.
    package var text: String {
        switch self {
        case .nothingToCompare:
            "there are no kvm_entry and kvm_exit of the host, or too few events of the guest, to compare"
        case .noMatch(let best):
            "no offset puts the guest's events where a vCPU was in the guest (the best one \(Int(best * 100)) %, \(Int(ContainmentEvidence.enough * 100)) % are "
                + "needed): the two were not recorded at the same time, or it is no guest of this host"
        case .ambiguous(let offsets):
            "\(offsets.count) offsets fit equally well: the recording is too short or too regular"
        case .scattered:
            "its few events lie hours apart, as corrupt timestamps do: there is nothing to find an offset by"
        }
    }
}
