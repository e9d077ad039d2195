// Two clocks of which nothing is known: the pattern of the guest's activity is found in the pattern of the host's
// entries, and then made exact.

/// What containment says of a guest's clock.
package struct ContainmentFit: Sendable {
    package var fit: OffsetFit
    /// For each guest CPU with events, the host thread that runs it.
    package var threads: [Int: Int32]
    package var count: ContainmentCount
}

/// Why containment says nothing.
package enum ContainmentFault: Error, Sendable, Equatable {
    /// No kvm_entry and kvm_exit, or no event of the guest: there is nothing to compare.
    case nothingToCompare
    /// No offset puts the guest's events where a vCPU was in the guest: it was not recorded at the same time, or is no
    /// guest of this host.
    case noMatch(best: Double)
    /// Several offsets do, told in raw units: the recording is too short or too regular.
    case ambiguous([Int64])
    /// So few events lie so far apart that looking through the time between them costs more than they are worth:
    /// timestamps are corrupt.
    case scattered
}

extension ContainmentEvidence {
    /// Finds the offset with no hint, and the error that remains.
    ///
    /// Activity is put into bins; a stretch of the guest's is correlated with each thread's windows (a coarse offset,
    /// to a bin). Around each of the best peaks, the offsets that put most events of a tenth of a second into windows
    /// are the seed. From there the line grows: bounds on the offset narrow it, and it is extended to twice the time as
    /// often as it takes. What is left must hold 99 of 100 events.
    /// - Parameters:
    ///   - ticks: raw units in a millisecond.
    ///   - drift: the drift that is possible.
    package func search(ticks: Double, drift: ClosedRange<Double> = OffsetBand.anyDrift) throws(ContainmentFault)
        -> ContainmentFit
    {
        let active = activity.indices.filter { activity[$0].times.count >= Self.fewest }
        guard !windows.isEmpty, !active.isEmpty else { throw .nothingToCompare }
        let bin = max(1, RawTime(ticks * Self.binMilliseconds))
        var candidates: [Candidate] = []
        var budget =
            Self.leastBins + Self.binsForEach
            * (active.reduce(0) { $0 + activity[$1].times.count } + windows.reduce(0) { $0 + $1.count })
        // The busiest CPUs tell most; two of them are enough.
        for cpu in active.sorted(by: { activity[$0].times.count > activity[$1].times.count }).prefix(2) {
            for index in windows.indices where windows[index].count >= 8 {
                candidates += try peaks(cpu, index, bin, &budget)
            }
        }
        candidates.sort { $0.score > $1.score }
        var found: [Match] = []
        var best = 0.0
        func look(_ candidate: Candidate) {
            // Clocks drift: offsets are compared where they were seen.
            let place = candidate.around.lowerBound
            func isKnown(_ offset: Int64) -> Bool {
                found.contains { abs($0.line.offset(at: place) &- offset) < candidate.slack }
            }
            guard !isKnown(candidate.offset), let fit = grow(candidate, bin, ticks, drift) else { return }
            best = max(best, fit.count.share)
            let match = Match(candidate: candidate, fit: fit)
            guard fit.count.share >= Self.enough, !isKnown(match.line.offset(at: place)) else { return }
            found.append(match)
        }
        for candidate in candidates.prefix(Self.mostCandidates) { look(candidate) }
        guard let first = found.max(by: { $0.fit.count.inside < $1.fit.count.inside }) else {
            throw .noMatch(best: best)
        }
        // Something regular fits some periods earlier and later as well.
        let period = windows[first.candidate.windows].medianDistance
        for number in 1...Self.rivalPeriods where period > 0 {
            let offset = first.line.offset(at: first.candidate.around.lowerBound)
            for offset in [offset &- period &* number, offset &+ period &* number] {
                var rival = first.candidate
                (rival.offset, rival.slack) = (offset, min(rival.slack, period / 3))
                look(rival)
            }
        }
        // Offsets that leave most of one recording outside the other hold few events easily.
        let rivals = found.filter { $0.fit.count.inside * 4 >= first.fit.count.inside }
        guard rivals.count == 1 else {
            throw .ambiguous(rivals.map { $0.line.offset(at: first.candidate.around.lowerBound) }.sorted())
        }
        return first.fit
    }

    private struct Match {
        var candidate: Candidate
        var fit: ContainmentFit
        var line: OffsetBand { fit.fit.pieces[0].band }
    }

    /// Fewer events show nothing.
    private static let fewest = 50
    private static let binMilliseconds = 0.2
    /// Share of events that must lie in windows.
    package static let enough = 0.99
    private static let mostCandidates = 96
    private static let rivalPeriods: Int64 = 12
    /// Bins of a stretch: 4 s, over which clocks 200 ppm apart drift 4 bins.
    private static let stretchBins = 20_000
    private static let mostStretches = 8
    private static let fieldBins = 4_500_000
    /// Bins that may be looked through, and as many more for each event and each window: what is done follows from what
    /// was recorded, not from the times it claims.
    private static let leastBins = 8 << 20
    private static let binsForEach = 2048

    private struct Candidate {
        var cpu: Int
        var windows: Int
        /// Host minus guest, to within `slack`.
        var offset: Int64
        var slack: Int64
        /// How unlikely it is by chance, in standard deviations.
        var score: Double
        /// Where in the guest's time it was seen.
        var around: ClosedRange<RawTime>
    }

    // MARK: Coarse

    /// The offsets at which stretches of a CPU's activity lie best in a thread's windows.
    private func peaks(_ cpu: Int, _ index: Int, _ bin: RawTime, _ budget: inout Int) throws(ContainmentFault)
        -> [Candidate]
    {
        let spans = spans(windows[index], bin)
        let bins = spans.reduce(1) { $0 + Int(($1.upperBound - $1.lowerBound) / bin) + Self.stretchBins }
        // Fewer stretches where all are too many.
        let most = max(1, min(Self.mostStretches / max(1, spans.count), budget / bins))
        let stretches = stretches(activity[cpu].times, bin).prefix(most)
        budget -= bins * stretches.count
        guard budget >= 0 else { throw .scattered }
        var found = [[Candidate]](repeating: [], count: stretches.count)
        for span in spans {
            let field = BinnedWindows(windows[index], span, bin)
            for (number, stretch) in stretches.enumerated() {
                found[number] += field.peaks(of: stretch.pattern).map { peak in
                    let place = Int64(bitPattern: field.begin) &+ Int64(peak.shift) &* Int64(bin)
                    let around = stretch.begin...stretch.begin + RawTime(stretch.pattern.count) * bin - 1
                    return Candidate(
                        cpu: cpu, windows: index, offset: place &- Int64(bitPattern: stretch.begin),
                        slack: Int64(bin) * 6,
                        score: peak.score,
                        around: around)
                }
            }
        }
        return found.flatMap { $0 }
    }

    /// The host's times in which a thread's windows tell something: a quarter of an hour each at the most. Where
    /// nothing begins or ends for longer than a stretch, no offset is better than the next one.
    private func spans(_ windows: EntryWindows, _ bin: RawTime) -> [ClosedRange<RawTime>] {
        let stretch = RawTime(Self.stretchBins) * bin
        let length = RawTime(Self.fieldBins) * bin
        var spans: [ClosedRange<RawTime>] = []
        var begin: RawTime?
        var last: RawTime = 0
        func end(_ time: RawTime) -> RawTime {
            host.upperBound - min(time, host.upperBound) < stretch ? host.upperBound : time + stretch
        }
        for window in 0..<windows.count {
            for edge in [windows.begins[window], windows.ends[window]] where host.contains(edge) {
                guard let first = begin else {
                    // It may have been in the guest since before the recording.
                    let isEnd = windows.begins[window] < host.lowerBound
                    (begin, last) = (isEnd ? edge - min(edge - host.lowerBound, stretch) : edge, edge)
                    continue
                }
                if edge - last > stretch {
                    spans.append(first...end(last))
                    // What a long window is before its end tells as much as what it is after its begin.
                    begin = edge == windows.ends[window] ? edge - stretch : edge
                } else if edge - first >= length {
                    spans.append(first...edge)
                    // The next one begins a stretch earlier, for what lies across.
                    begin = edge - stretch
                }
                last = edge
            }
        }
        if let first = begin { spans.append(first...end(last)) }
        return spans
    }

    private struct Stretch {
        var begin: RawTime
        /// 1 for each bin with an event.
        var pattern: [Float]
    }

    /// Pieces of a CPU's time, those with most going on first.
    private func stretches(_ times: [RawTime], _ bin: RawTime) -> [Stretch] {
        let length = RawTime(Self.stretchBins) * bin
        var places: [Range<Int>] = []
        var first = 0
        while first < times.count {
            let next = times.partitioningIndex { $0 - min($0, times[first]) >= length }
            places.append(first..<max(next, first + 1))
            first = max(next, first + 1)
        }
        return places.sorted { $0.count > $1.count }.prefix(Self.mostStretches).filter { $0.count >= Self.fewest }.map {
            place in
            let begin = times[place.lowerBound]
            var pattern = [Float](repeating: 0, count: Int((times[place.upperBound - 1] - begin) / bin) + 1)
            for time in times[place] { pattern[Int((time - begin) / bin)] = 1 }
            return Stretch(begin: begin, pattern: pattern)
        }
    }

    /// A thread's windows as a row of bins: 1 where it may have been in the guest.
    private struct BinnedWindows {
        var begin: RawTime
        private var bins: [Float]
        private let sums: [Double]

        init(_ windows: EntryWindows, _ span: ClosedRange<RawTime>, _ bin: RawTime) {
            begin = span.lowerBound
            bins = [Float](repeating: 0, count: Int((span.upperBound - span.lowerBound) / bin) + 1)
            for window in windows.touching(span.lowerBound, span.upperBound) {
                let (first, last) = (
                    max(windows.begins[window], span.lowerBound), min(windows.ends[window], span.upperBound)
                )
                for place in Int((first - span.lowerBound) / bin)...Int((last - span.lowerBound) / bin) {
                    bins[place] = 1
                }
            }
            sums = ContainmentEvidence.sums(bins)
        }

        /// Shifts of the pattern's beginning, in bins, at which it fits too well to be chance.
        func peaks(of pattern: [Float]) -> [(score: Double, shift: Int)] {
            let correlation = Correlation(of: pattern, in: bins).counts
            let patternSums = ContainmentEvidence.sums(pattern)
            let all = patternSums[pattern.count]
            var shifts: [(score: Double, shift: Int)] = []
            for index in correlation.indices {
                // Bin i of the pattern lies on bin i + shift of the field.
                let shift = index - (pattern.count - 1)
                let (first, last) = (max(0, -shift), min(pattern.count, bins.count - shift))
                let within = patternSums[last] - patternSums[first]
                guard within >= max(Double(ContainmentEvidence.fewest), all / 8) else { continue }
                // By chance as many bins would be hit as windows fill of the host's time there: how much more is it, in
                // standard deviations?
                let density = (sums[last + shift] - sums[first + shift]) / Double(last - first)
                let deviation = (within * density * (1 - density)).squareRoot()
                guard deviation > 0 else { continue }
                shifts.append(((correlation[index] - within * density) / deviation, shift))
            }
            shifts.sort { $0.score > $1.score }
            var peaks: [(score: Double, shift: Int)] = []
            // Neighbours of a peak are the same one.
            for candidate in shifts where !peaks.contains(where: { abs($0.shift - candidate.shift) <= 8 }) {
                peaks.append(candidate)
                if peaks.count == 16 { break }
            }
            return peaks
        }
    }

    /// Sums of the first 0, 1, 2, ... values.
    private static func sums(_ values: [Float]) -> [Double] {
        var sums = [0.0]
        sums.reserveCapacity(values.count + 1)
        for value in values { sums.append(sums[sums.count - 1] + Double(value)) }
        return sums
    }

    // MARK: Exact

    /// From a coarse offset to a fit over everything; nil when it does not hold.
    private func grow(_ candidate: Candidate, _ bin: RawTime, _ ticks: Double, _ drift: ClosedRange<Double>)
        -> ContainmentFit?
    {
        let times = activity[candidate.cpu].times
        // A seed: a tenth of a second with as many events as there are, within both recordings.
        let length = RawTime(ticks * 100)
        let starts = seeds(candidate, times, length)
        for begin in starts {
            let stretch = begin...begin + length
            let near = candidate.offset &- candidate.slack...candidate.offset &+ candidate.slack
            guard let seed = densest(candidate, stretch, near, drift) else { continue }
            if let fit = extend(seed, stretch, candidate, drift), fit.count.share >= Self.enough || begin == starts.last
            {
                return fit
            }
        }
        return nil
    }

    /// Where the seed may be: the busiest tenths of seconds of the stretch that the host recorded too.
    private func seeds(_ candidate: Candidate, _ times: [RawTime], _ length: RawTime) -> [RawTime] {
        var starts: [(count: Int, begin: RawTime)] = []
        var begin = candidate.around.lowerBound
        while begin <= candidate.around.upperBound, starts.count < 100 {
            let place = begin &+ RawTime(bitPattern: candidate.offset)
            if host.contains(place), host.contains(place &+ length) {
                starts.append(
                    (times.partitioningIndex { $0 > begin + length } - times.partitioningIndex { $0 >= begin }, begin))
            }
            begin += length
        }
        return starts.sorted { $0.count > $1.count }.prefix(4).filter { $0.count >= 8 }.map(\.begin)
    }

    /// The offsets within `near`, at the middle of `stretch`, that put most events of it into windows; nil when that is
    /// not nearly all of them.
    private func densest(
        _ candidate: Candidate, _ stretch: ClosedRange<RawTime>, _ near: ClosedRange<Int64>,
        _ drift: ClosedRange<Double>
    ) -> ClosedRange<Int64>? {
        var edges: [(offset: Int64, change: Int)] = []
        var events = 0
        let times = activity[candidate.cpu].times
        let windows = windows[candidate.windows]
        let middle = stretch.lowerBound + (stretch.upperBound - stretch.lowerBound) / 2
        let greatest = max(abs(drift.lowerBound), abs(drift.upperBound))
        for time in times[times.partitioningIndex { $0 >= stretch.lowerBound }...] {
            guard time <= stretch.upperBound else { break }
            events += 1
            // What clocks may drift between the event and the middle.
            let slack = Int64(clamping: (Double(max(time, middle) - min(time, middle)) * greatest).rounded(.up))
            let place = (
                time &+ RawTime(bitPattern: near.lowerBound &- slack),
                time &+ RawTime(bitPattern: near.upperBound &+ slack)
            )
            var last: Int64?
            for window in windows.touching(place.0, place.1) {
                let low = max(near.lowerBound, Int64(bitPattern: windows.begins[window] &- time) &- slack)
                let high = min(near.upperBound, Int64(bitPattern: windows.ends[window] &- time) &+ slack)
                guard low <= high else { continue }
                // An event lies in one window: where two overlap by the slack they are one stretch of offsets.
                if let end = last, low <= end {
                    edges[edges.count - 1].offset = max(end, high)
                } else {
                    edges.append((low, 1))
                    edges.append((high, -1))
                }
                last = max(last ?? high, high)
            }
        }
        // Closed intervals: what begins at an offset counts before what ends there.
        edges.sort { $0.offset < $1.offset || $0.offset == $1.offset && $0.change > $1.change }
        var (depth, most) = (0, 0)
        for edge in edges {
            depth += edge.change
            most = max(most, depth)
        }
        guard events >= 8, most * 20 >= events * 19 else { return nil }
        // Drift within the stretch, and a wild mark, may cost a few: all offsets that are nearly as good.
        let wanted = most - max(1, events / 50)
        var (low, high): (Int64?, Int64?) = (nil, nil)
        depth = 0
        for edge in edges {
            if edge.change < 0, depth >= wanted { high = edge.offset }
            depth += edge.change
            if edge.change > 0, depth >= wanted, low == nil { low = edge.offset }
        }
        guard let low, let high, low <= high else { return nil }
        return low...high
    }

    /// Grows a line from a seed over all times, and takes in the other CPUs.
    private func extend(
        _ seed: ClosedRange<Int64>, _ stretch: ClosedRange<RawTime>, _ candidate: Candidate,
        _ drift: ClosedRange<Double>
    ) -> ContainmentFit? {
        var assignment = [candidate.cpu: candidate.windows]
        let times = activity[candidate.cpu].times
        let whole = times[0]...times[times.count - 1]
        let middle = stretch.lowerBound + (stretch.upperBound - stretch.lowerBound) / 2
        var band = Knots(seed, at: middle, over: stretch)
        var range = stretch
        var fit: OffsetFit?
        var narrowed = 0
        while true {
            let bounds = bounds(assignment, during: range) { band.range(at: $0) }
            guard let next = OffsetFit(bounds, drift: drift), next.steps == 0 else { break }
            let isWhole = range.lowerBound <= whole.lowerBound && range.upperBound >= whole.upperBound
            let width = next.pieces[0].band.width(over: range)
            let before = fit?.pieces[0].band.width(over: range) ?? .max
            fit = next
            if isWhole {
                if assignment.count == 1 {
                    // Only now can the other CPUs be told.
                    let line = next.pieces[0].band
                    assignment = self.assignment { line.offset(at: $0) }
                    guard assignment[candidate.cpu] == candidate.windows else { return nil }
                }
                narrowed += 1
                if narrowed > 12 || narrowed > 2 && width > before - max(1, before / 100) { break }
            } else {
                let length = range.upperBound - range.lowerBound
                range =
                    max(
                        whole.lowerBound, range.lowerBound > length ? range.lowerBound - length : 0)...min(
                        whole.upperBound, range.upperBound &+ length)
            }
            band = Knots(next.pieces[0].band, over: range)
        }
        guard let fit else { return nil }
        let line = fit.pieces[0].band
        var count = ContainmentCount()
        for (cpu, index) in assignment {
            count = count + self.count(activity[cpu], windows[index]) { line.offset(at: $0) }
        }
        return ContainmentFit(
            fit: fit,
            threads: Dictionary(
                uniqueKeysWithValues: assignment.map { (activity[$0.key].cpu, windows[$0.value].thread) }), count: count
        )
    }

    /// What is known of the offset, as a few points between which it is interpolated: wider than the truth, never
    /// narrower.
    private struct Knots {
        private var times: [RawTime] = []
        private var lows: [Double] = []
        private var highs: [Double] = []

        /// An offset at one time, and clocks that drift as far as clocks may.
        init(_ seed: ClosedRange<Int64>, at middle: RawTime, over range: ClosedRange<RawTime>) {
            for time in [range.lowerBound, middle, range.upperBound] {
                let drift = Double(max(time, middle) - min(time, middle)) * OffsetBand.greatestDrift
                times.append(time)
                lows.append(Double(seed.lowerBound) - drift)
                highs.append(Double(seed.upperBound) + drift)
            }
        }

        init(_ band: OffsetBand, over range: ClosedRange<RawTime>) {
            let step = max(1, (range.upperBound - range.lowerBound) / 64)
            var time = range.lowerBound
            while true {
                let offsets = band.range(at: time)
                times.append(time)
                lows.append(Double(offsets.lowerBound))
                highs.append(Double(offsets.upperBound))
                guard time < range.upperBound else { break }
                time = min(range.upperBound, time + step)
            }
        }

        func range(at time: RawTime) -> ClosedRange<Int64> {
            let after = min(max(1, times.partitioningIndex { $0 > time }), times.count - 1)
            let (left, right) = (times[after - 1], times[after])
            let share = right > left ? Double(Int64(bitPattern: time &- left)) / Double(right - left) : 0
            let low = lows[after - 1] + (lows[after] - lows[after - 1]) * share
            let high = highs[after - 1] + (highs[after] - highs[after - 1]) * share
            let floor = Int64(clamping: low.rounded(.down)) &- 1
            return floor...max(floor, Int64(clamping: high.rounded(.up)) &+ 1)
        }
    }
}

extension OffsetBand {
    /// The widest the offset's range is over some times.
    func width(over range: ClosedRange<RawTime>) -> Int64 {
        [range.lowerBound, range.upperBound].map { at in
            let range = self.range(at: at)
            return range.upperBound &- range.lowerBound
        }.max() ?? 0
    }
}

extension Int64 {
    /// The nearest that there is; doubles reach further. Half the range is left, so that what is added does not
    /// overflow.
    init(clamping value: Double) {
        let limit = Double(Int64.max / 4)
        self = value.isNaN ? 0 : Int64(Swift.max(-limit, Swift.min(limit, value)))
    }
}
