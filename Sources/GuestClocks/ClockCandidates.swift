// What each kind of evidence makes of a guest's clock, side by side, and which of them is used.

package import ClockSync
import Sessions
import TraceData

/// What one kind of evidence says of a guest's clock.
package struct ClockCandidate: Sendable {
    /// By guest CPU, at least one; the last one holds for all further CPUs.
    package var maps: [ClockMap]
    /// How far the map can be from the truth, in ns; nil when the evidence does not tell.
    package var error: Nanoseconds? {
        let errors = maps.map(\.largestErrorBound)
        return errors.contains(nil) ? nil : errors.compactMap(\.self).max()
    }
    /// Guest events in and out of their vCPU's windows; nil when that was not looked at.
    package var count: ContainmentCount?
    /// How long both recorded, as the map has it; nil when that was not looked at, or one of them has no events.
    package var overlap: RecordingOverlap?
    /// How far outside of what containment leaves the map lies, with its own error taken off, in ns; nil where
    /// containment says nothing.
    package var disagreement: Nanoseconds?
    /// The events say that it can't be true.
    package var isContradicted = false
    /// For people: what it is made of.
    package var summary: String

    package var method: ClockMap.Method { maps[0].method }

    package init(maps: [ClockMap], summary: String) {
        self.maps = maps
        self.summary = summary
    }

    /// Holds the map against the events.
    /// - Parameter containment: what they amount to by themselves; nil where they say nothing.
    mutating func judge(_ containment: ClockCandidate?, _ left: ContainmentFit?, over times: ClosedRange<RawTime>?) {
        guard let containment, let left, let times else {
            // An error that is told may be what puts events outside.
            guard let count else { return }
            isContradicted =
                (error ?? 0) <= Self.rounding && count.outside >= 10 && count.share < ContainmentEvidence.enough
            return
        }
        // All CPUs of a guest have one clock, but for the rarest of set-ups.
        let beyond = maps[0].distance(outside: left.fit, over: times)
        disagreement = beyond
        let count = count ?? ContainmentCount()
        let known = containment.count ?? ContainmentCount()
        // Where some line has all events inside, one that says nothing of its error and has not is wrong.
        let isOutside = count.outside > known.outside && (beyond > 0 || error == nil && count.outside >= Self.fewest)
        // And so is one that puts next to none of them into the host's recording: they can't contradict it, but for
        // that.
        let isElsewhere = count.inside < known.inside / 10 && beyond > 0
        isContradicted = isOutside || isElsewhere
    }

    /// So many events are no accident.
    private static let fewest = 3
}

/// Evidence that is there and says nothing, with the reason.
package struct SilentEvidence: Sendable, Equatable {
    package var method: ClockMap.Method
    package var reason: String
}

/// All that is known of a guest's clock.
package struct GuestClock: Sendable {
    package var candidates: [ClockCandidate] = []
    package var silent: [SilentEvidence] = []
    /// Index of the one that is used.
    package var chosen = 0
    /// Host threads by guest CPU, as containment found them; empty when it was not asked.
    package var threads: [Int: Int32] = [:]
    /// Raw guest times of its events; nil when they were not looked at.
    package var recorded: ClosedRange<RawTime>?
    /// Raw guest times of the events that the host recorded too; nil when the events were not looked at.
    package var times: ClosedRange<RawTime>?

    /// When servos were not what they usually are, in host time; told only of clocks they keep.
    package var swings: [ClosedRange<Nanoseconds>] = []

    package var candidate: ClockCandidate { candidates[chosen] }
}

extension ClockMap {
    /// Host time minus the guest's own, in ns, at a raw guest time.
    /// - Parameter own: what makes the guest's raw time ns.
    package func offset(at raw: RawTime, own: CycleConversion) -> Nanoseconds { hostTime(raw) &- own.nanoseconds(raw) }

    /// The greatest distance from what a fit leaves, over some raw times, each time less the map's own error, in ns;
    /// not below 0.
    func distance(outside fit: OffsetFit, over times: ClosedRange<RawTime>) -> Nanoseconds {
        let parts: UInt64 = 64
        let step = max(1, (times.upperBound - times.lowerBound) / parts)
        var distance: Nanoseconds = 0
        for part in 0...parts {
            let time =
                part == parts
                ? times.upperBound : times.lowerBound + min(times.upperBound - times.lowerBound, part * step)
            guard let piece = fit.pieces.last(where: { $0.times.lowerBound <= time }) ?? fit.pieces.first else {
                continue
            }
            let segment = segment(at: time)
            let offset = Int64(bitPattern: segment.toHost.hostRaw(time) &- time)
            let range = piece.band.range(at: time)
            let beyond = max(
                range.lowerBound.subtractingReportingOverflow(offset).partialValue,
                offset.subtractingReportingOverflow(range.upperBound).partialValue)
            distance = max(distance, segment.toNanoseconds.duration(beyond) &- (segment.errorBound ?? 0))
        }
        return distance
    }
}

/// A log of ptp4l or phc2sys.
package struct ServoEvidence: Sendable {
    /// Where it ran: the host's or a guest's name.
    package var machine: String
    package var log: ServoLog

    package init(machine: String, log: ServoLog) {
        self.machine = machine
        self.log = log
    }

    /// What it says of a stretch of trace time, ns of a clock that counts ns.
    /// - Parameter readings: CLOCK_MONOTONIC, in which the log is, between two readings of the trace clock. Without any
    ///   nothing tells when its reports were made: then all of it is judged, and what swung is said to have done so all
    ///   the time.
    func judgement(
        during time: ClosedRange<Nanoseconds>, _ readings: [(monotonic: Int64?, before: UInt64, after: UInt64)]
    ) -> ServoLog.Judgement {
        let placed = readings.compactMap { reading in
            reading.monotonic.map {
                (
                    offset: Nanoseconds(clamping: reading.before / 2 + reading.after / 2) &- $0,
                    width: reading.after &- reading.before
                )
            }
        }
        if let best = placed.min(by: { $0.width < $1.width }) {
            let (low, high) = (time.lowerBound &- best.offset, time.upperBound &- best.offset)
            return low <= high
                ? log.judgement(during: low...high).shifted(by: best.offset)
                : ServoLog.Judgement(error: nil, reports: 0)
        }
        guard let span = log.span else { return ServoLog.Judgement(error: nil, reports: 0) }
        var whole = log.judgement(during: span)
        if !whole.swings.isEmpty { whole.swings = [time] }
        if !whole.gaps.isEmpty { whole.gaps = [time] }
        return whole
    }
}

/// How a guest's clock is to be chosen.
package enum ClockSelection: Sendable, Equatable {
    /// The smallest error among those that the events don't contradict.
    case automatic
    /// TIME_SHIFT of the guest's file, whatever the events say.
    case file
    /// What keeps or reads PTP clocks: the servos' reports where there are some, else the KVM PTP clock.
    case ptp
    /// One kind of evidence.
    case method(ClockMap.Method)
    /// The guest's clock is the host's.
    case none
    /// Host minus guest, in ns.
    case offset(Nanoseconds)
}

extension ClockCandidate {
    /// KVM's own numbers, from the session's manifest: host = (guest - offset) · 2^fractionBits / ratio.
    ///
    /// Where an offset was changed while the recording ran, it holds until kvm_write_tsc_offset says so.
    /// - Parameter changes: what the host's recording says of changes, by vCPU thread.
    static func kvm(_ readings: [KVMReading], _ changes: [TSCOffsetChange], hostClock: CycleConversion) -> Result<
        ClockCandidate, SilentReason
    > {
        let begin = readings.filter { $0.moment == .begin }.sorted { $0.vcpu < $1.vcpu }
        guard !begin.isEmpty else { return .failure("KVM's debugfs did not tell the offset") }
        var maps: [ClockMap] = []
        for reading in begin {
            let isScaled = reading.isScaled
            let rounding = reading.rounding(hostClock)
            func conversion(_ offset: Int64) -> ClockMap.RawConversion {
                isScaled
                    ? .scaled(
                        offset: UInt64(bitPattern: 0 &- offset), ratio: reading.ratio ?? 1,
                        fractionBits: reading.fractionBits ?? 0)
                    : .offset(UInt64(bitPattern: 0 &- offset))
            }
            var segments = [
                ClockMap.Segment(toHost: conversion(reading.offset), toNanoseconds: hostClock, errorBound: rounding)
            ]
            var offset = reading.offset
            for change in changes where change.thread == reading.thread && change.next != change.previous {
                guard change.previous == offset else {
                    return .failure("KVM's TSC offset changed while nothing was recorded of it")
                }
                // The guest's clock as it was when it was set, and as it was right after.
                let before = conversion(change.previous).raw(hostRaw: change.time)
                let after = conversion(change.next).raw(hostRaw: change.time)
                guard after > before else { return .failure("KVM set the guest's TSC back during the recording") }
                segments[segments.count - 1].end = before
                segments.append(
                    ClockMap.Segment(
                        start: before + 1, toHost: conversion(change.next), toNanoseconds: hostClock,
                        errorBound: rounding))
                offset = change.next
            }
            let last = readings.last { $0.moment == .end && $0.vcpu == reading.vcpu }
            guard last == nil || last?.offset == offset else {
                return .failure("KVM's TSC offset changed while nothing was recorded of it")
            }
            maps.append(ClockMap(segments: segments, method: .kvmTSCOffset))
        }
        // A map by CPU is only needed where they differ.
        if maps.allSatisfy({ $0 == maps[0] }) { maps.removeLast(maps.count - 1) }
        return .success(
            ClockCandidate(
                maps: maps,
                summary: "TSC offset of \(maps.count == 1 ? "all vCPUs" : "each vCPU") from KVM's debugfs"
                    + (begin[0].isScaled ? ", scaled" : "")))
    }

    /// A cycle is rounded once, its product with the rate once.
    static let rounding: Nanoseconds = 1

    /// TIME_SHIFT of the guest's file: exact where trace-cmd's kvm protocol wrote it, else an estimate that says
    /// nothing of its error.
    static func file(_ guest: TraceFile, hostClock: CycleConversion?) -> Result<ClockCandidate, SilentReason>? {
        let shifts = guest.options.timeShifts
        guard shifts.contains(where: { !$0.samples.isEmpty }) else { return nil }
        var maps: [ClockMap] = []
        for shift in shifts {
            guard let map = ClockMap.timeShift(shift, hostClock: hostClock) else {
                return .failure("its TIME_SHIFT option is corrupt: no clock runs at the rate it gives")
            }
            maps.append(map)
        }
        let isExact = maps.allSatisfy { $0.method == .kvmTSCOffset }
        if isExact {
            for map in maps.indices {
                for segment in maps[map].segments.indices { maps[map].segments[segment].errorBound = rounding }
            }
        }
        let samples = shifts.reduce(0) { $0 + $1.samples.count }
        return .success(
            ClockCandidate(
                maps: maps,
                summary: "TIME_SHIFT of the file, \(samples) sample\(samples == 1 ? "" : "s")"
                    + (isExact ? ": KVM's TSC offset" : " of an exchange")))
    }

    /// Messages between recorder and agent: what was sent was not received before, and the answer not sent before it
    /// was received.
    static func exchanges(
        _ exchanges: [Exchange], _ pair: ClockPair, over times: ClosedRange<RawTime>
    ) -> Result<ClockCandidate, SilentReason> {
        guard !exchanges.isEmpty else { return .failure("no exchange was recorded") }
        let bounds = exchanges.flatMap { exchange in
            [
                OffsetBound(
                    time: exchange.guestReceived, low: Int64(bitPattern: exchange.hostSent &- exchange.guestReceived),
                    high: nil),
                OffsetBound(
                    time: exchange.guestSent, low: nil,
                    high: Int64(bitPattern: exchange.hostReceived &- exchange.guestSent)),
            ]
        }
        return fitted(
            bounds, .exchanges, pair, over: times, what: "\(exchanges.count) exchanges of messages")
    }

    /// ptp_kvm's cross-timestamps: the host's CLOCK_REALTIME at an instant of the guest, and the host's trace clock at
    /// a CLOCK_REALTIME.
    static func crossTimestamps(
        _ stamps: [CrossTimestamp], _ readings: [ClockReading], _ pair: ClockPair, over times: ClosedRange<RawTime>
    ) -> Result<ClockCandidate, SilentReason> {
        guard !stamps.isEmpty else {
            return .failure("the guest has no PTP clock of KVM's (ptp_kvm), or it does not answer")
        }
        let toNanoseconds = pair.hostClock ?? .nanoseconds
        // In the order in which they were taken, whatever became of the time of day.
        let host = readings.sorted { $0.before < $1.before }.map { reading in
            OffsetBound(
                time: RawTime(bitPattern: reading.realtime),
                low: toNanoseconds.nanoseconds(reading.before) &- reading.realtime,
                high: toNanoseconds.nanoseconds(reading.after) &- reading.realtime)
        }
        // CLOCK_REALTIME is slewed and stepped: within a recording that is a drift, or the end of this evidence.
        guard let band = OffsetFit(host), band.steps == 0, let line = band.pieces.first?.band else {
            return .failure("the host's CLOCK_REALTIME was set during the recording")
        }
        let axis = ClockMap.Segment(toNanoseconds: toNanoseconds)
        let bounds = stamps.flatMap { stamp in
            let range = line.range(at: RawTime(bitPattern: stamp.host))
            let low = axis.rawTime(of: stamp.host &+ range.lowerBound &- 1)
            let high = axis.rawTime(of: stamp.host &+ range.upperBound &+ 1)
            return [
                OffsetBound(time: stamp.before, low: nil, high: Int64(bitPattern: high &- stamp.before)),
                OffsetBound(time: stamp.after, low: Int64(bitPattern: low &- stamp.after), high: nil),
            ]
        }
        return fitted(
            bounds, .crossTimestamps, pair, over: times, what: "\(stamps.count) cross-timestamps of the KVM PTP clock")
    }

    private static func fitted(
        _ bounds: [OffsetBound], _ method: ClockMap.Method, _ pair: ClockPair, over times: ClosedRange<RawTime>,
        what: String
    ) -> Result<ClockCandidate, SilentReason> {
        let sorted = bounds.sorted { $0.time < $1.time }
        guard
            let fit = pair.drifts.lazy.compactMap({ OffsetFit(sorted, drift: $0) }).first(where: { $0.steps == 0 })
                ?? OffsetFit(sorted)
        else { return .failure("\(what) contradict each other") }
        let map = ClockMap.fitted(fit, over: times, hostClock: pair.hostClock, method: method)
        var summary = what
        if fit.wild > 0 { summary += ", \(fit.wild) set aside" }
        if fit.steps > 0 { summary += ", the clock was set \(fit.steps == 1 ? "once" : "\(fit.steps) times")" }
        return .success(ClockCandidate(maps: [map], summary: summary))
    }

    /// The trace itself.
    static func containment(_ found: ContainmentFit, hostClock: CycleConversion?, over times: ClosedRange<RawTime>)
        -> ClockCandidate
    {
        let map = ClockMap.fitted(found.fit, over: times, hostClock: hostClock, method: .containment)
        var summary = "\(found.count.total) guest events between entries and exits"
        if found.fit.wild > 0 { summary += ", \(found.fit.wild) set aside" }
        return ClockCandidate(maps: [map], summary: summary)
    }

    /// A fixed offset, ns.
    static func given(_ offset: Nanoseconds, hostClock: CycleConversion?, method: ClockMap.Method) -> ClockCandidate {
        // In the host's raw units: what is given is a number of its ns.
        let axis = ClockMap.Segment(toNanoseconds: hostClock ?? .nanoseconds)
        let raw: UInt64 =
            hostClock == nil
            ? UInt64(bitPattern: offset) : offset < 0 ? 0 &- axis.rawTime(of: -offset) : axis.rawTime(of: offset)
        return ClockCandidate(
            maps: [
                ClockMap(
                    segments: [ClockMap.Segment(toHost: .offset(raw), toNanoseconds: hostClock ?? .nanoseconds)],
                    method: method)
            ],
            summary: method == .none ? "taken for the host's own clock" : "as given")
    }
}

/// What is known of two clocks by their kind.
struct ClockPair {
    /// How the host's cycles become ns; nil where its clock counts ns.
    var hostClock: CycleConversion?
    /// Both are TSCs.
    var areTSC: Bool

    /// Drifts to try, the narrowest first.
    ///
    /// KVM leaves a guest's TSC unscaled unless it is asked for a rate that differs by 250 ppm or more (its parameter
    /// tsc_tolerance_ppm): TSCs that agree with one rate have one.
    var drifts: [ClosedRange<Double>] { areTSC ? [0...0, OffsetBand.anyDrift] : [OffsetBand.anyDrift] }
}

/// Why evidence says nothing.
struct SilentReason: Error, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    var text: String
    init(stringLiteral text: String) { self.text = text }
}

extension KVMReading {
    /// A guest's cycle in the host's ns, rounded up: what a scaled TSC does not tell apart.
    fileprivate func rounding(_ hostClock: CycleConversion) -> Nanoseconds {
        guard isScaled, let ratio, let fractionBits else { return ClockCandidate.rounding }
        return max(
            ClockCandidate.rounding,
            hostClock.duration(Int64(clamping: (UInt128(1) << UInt128(fractionBits)) / UInt128(ratio) + 1)))
    }
}
