// What a servo's reports say of a stretch of time: how far its clock was off, when it swung, and when nobody knows.

extension ServoLog {
    /// All about a stretch of time. Times are those the log is in, until they are `shifted`.
    package struct Judgement: Sendable, Equatable {
        /// The largest |offset| that a locked servo reported, summed over the links of a chain; nil when a link
        /// reported none. It is stated for the time outside `gaps` and the unlocked part of `swings`.
        package var error: Nanoseconds?
        /// When a servo was not locked, stepped its clock, lost its master, or reported more than it usually does.
        package var swings: [ClosedRange<Nanoseconds>]
        /// When nothing was reported for so long that nothing can be said.
        package var gaps: [ClosedRange<Nanoseconds>]
        /// How many reports lie in the stretch itself.
        package var reports: Int

        package init(
            error: Nanoseconds?, swings: [ClosedRange<Nanoseconds>] = [], gaps: [ClosedRange<Nanoseconds>] = [],
            reports: Int
        ) {
            self.error = error
            self.swings = swings
            self.gaps = gaps
            self.reports = reports
        }

        /// The same on another clock, which reads `offset` more.
        package func shifted(by offset: Nanoseconds) -> Judgement {
            func shift(_ range: ClosedRange<Nanoseconds>) -> ClosedRange<Nanoseconds> {
                saturated(range.lowerBound, offset)...saturated(range.upperBound, offset)
            }
            return Judgement(error: error, swings: swings.map(shift), gaps: gaps.map(shift), reports: reports)
        }

        /// A chain of two: the guest's servo follows what the host's keeps, and neither knows of the other's error.
        package func chained(with other: Judgement) -> Judgement {
            var sum: Nanoseconds?
            if let error, let otherError = other.error { sum = saturated(error, otherError) }
            return Judgement(
                error: sum, swings: merged(swings + other.swings), gaps: merged(gaps + other.gaps),
                reports: reports + other.reports)
        }
    }

    /// How long without a report is still normal, in usual intervals: a program that is held up reports late, and one
    /// that has lost its master or was stopped does not report at all.
    private static let patience: Int64 = 5
    /// What is a swing: an |offset| above this many times the usual one (the median over the log) and the floor. Of
    /// normally distributed offsets the median magnitude is 0.67 standard deviations, so 5 medians are 3.4 of them: 7
    /// in 10 000 reports of a quiet clock are beyond, where 3 medians would call every 23rd report a swing. The floor
    /// is for servos quieter than it matters: no stage of a packet's path is decided by 100 ns.
    private static let band: Int64 = 5
    private static let floor: Nanoseconds = 100

    /// From the first report to the last; nil for a log without any.
    package var span: ClosedRange<Nanoseconds>? {
        guard let first = reports.first, let last = reports.last else { return nil }
        return first.time...last.time
    }

    /// What the log says of a stretch of time, in its own clock. Of several sources in one log each is taken for a link
    /// of a chain, which is what ptp4l and phc2sys on one machine are: errors add up, and each link's swings and gaps
    /// are the chain's.
    package func judgement(during time: ClosedRange<Nanoseconds>) -> Judgement {
        guard !sources.isEmpty else { return Judgement(error: nil, gaps: [time], reports: 0) }
        var bySource = [[Report]](repeating: [], count: sources.count)
        for report in reports { bySource[report.source].append(report) }
        var chain = Judgement(error: 0, reports: 0)
        for (source, reports) in zip(sources, bySource) {
            chain = chain.chained(with: link(source.program, reports, during: time))
        }
        return chain
    }

    /// One source's part.
    private func link(_ program: String, _ reports: [Report], during time: ClosedRange<Nanoseconds>) -> Judgement {
        let away = (away[program] ?? []).filter { $0.overlaps(time) }
        let sure = reports.filter { $0.state?.isLocked ?? !isAway(program, at: $0.time) }
        // Both over the whole log: a stretch that is one long swing must not be its own measure.
        let limit = Self.band * min(median(sure.map { abs($0.offset) }) ?? 0, .max / 16) + Self.floor
        let silence = median(zip(reports, reports.dropFirst()).map { $1.time - $0.time }).map {
            Self.patience * min(max($0, 1_000_000), .max / 16)
        }

        // The reports in the stretch, and those next to it: each tells of the time since the one before, and until the
        // next.
        let first = reports.partitioningIndex { $0.time >= time.lowerBound }
        let end = reports.partitioningIndex { $0.time > time.upperBound }
        var gaps: [ClosedRange<Nanoseconds>] = []
        var swings: [ClosedRange<Nanoseconds>] = away.map { $0.clamped(to: time) }
        var error: Nanoseconds?
        /// Whether nothing was heard for too long between two reports, or a report and an end of the stretch.
        func isSilent(_ from: Nanoseconds, _ to: Nanoseconds) -> Bool { distance(from, to) > silence ?? 0 }

        for index in max(0, first - 1)..<max(max(0, first - 1), min(reports.count, end + 1)) {
            let report = reports[index]
            let previous = index > 0 ? reports[index - 1].time : nil
            let next = index + 1 < reports.count ? reports[index + 1].time : nil
            // Beside the stretch, and too far from what is in it to tell of it.
            if report.time < time.lowerBound, isSilent(report.time, next ?? time.upperBound) { continue }
            if report.time > time.upperBound, isSilent(previous ?? time.lowerBound, report.time) { continue }
            let isSure = report.state?.isLocked ?? !isAway(program, at: report.time)
            if isSure { error = max(error ?? 0, abs(report.offset)) }
            if !isSure || abs(report.offset) > limit {
                let stretch = (previous ?? report.time)...(next ?? report.time)
                if stretch.overlaps(time) { swings.append(stretch.clamped(to: time)) }
            }
        }
        for jump in jumps where jump.program == program {
            // The clock was moved some time before it was noticed.
            let after = reports.partitioningIndex { $0.time > jump.time }
            let previous = after > 0 ? reports[after - 1].time : jump.time
            let stretch = previous...(after < reports.count ? reports[after].time : jump.time)
            if stretch.overlaps(time) { swings.append(stretch.clamped(to: time)) }
        }

        // From each report, or the stretch's begin, to the next one, or its end.
        var from = first > 0 ? reports[first - 1].time : time.lowerBound
        for index in first...end {
            let to = index < reports.count ? reports[index].time : max(from, time.upperBound)
            let stretch = from...max(from, to)
            if isSilent(from, to), stretch.overlaps(time) { gaps.append(stretch.clamped(to: time)) }
            from = to
        }
        return Judgement(error: error, swings: merged(swings), gaps: merged(gaps), reports: end - first)
    }

    private func isAway(_ program: String, at time: Nanoseconds) -> Bool {
        guard let ranges = away[program] else { return false }
        let after = ranges.partitioningIndex { $0.lowerBound > time }
        return after > 0 && ranges[after - 1].contains(time)
    }
}

/// Ranges in order, those that touch as one.
func merged(_ ranges: [ClosedRange<Nanoseconds>]) -> [ClosedRange<Nanoseconds>] {
    var result: [ClosedRange<Nanoseconds>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
        if let last = result.last, range.lowerBound <= last.upperBound {
            result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
        } else {
            result.append(range)
        }
    }
    return result
}

private func median(_ values: [Int64]) -> Int64? {
    values.isEmpty ? nil : values.sorted()[values.count / 2]
}

private func saturated(_ a: Nanoseconds, _ b: Nanoseconds) -> Nanoseconds {
    let (sum, overflows) = a.addingReportingOverflow(b)
    return overflows ? (b > 0 ? .max : .min) : sum
}

/// From a time to a later one, at most what fits.
private func distance(_ from: Nanoseconds, _ to: Nanoseconds) -> Nanoseconds {
    let (difference, overflows) = to.subtractingReportingOverflow(from)
    return overflows ? (to > from ? .max : .min) : difference
}
