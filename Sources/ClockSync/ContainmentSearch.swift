// Two clocks of which nothing is known: the pattern of the guest's activity is found in the pattern of the host's entries, and then made exact.

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
    /// No offset puts the guest's events where a vCPU was in the guest: it was not recorded at the same time, or is no guest of this host.
    case noMatch(best: Double)
    /// Several offsets do, told in raw units: the recording is too short or too regular.
    case ambiguous([Int64])
}

extension ContainmentEvidence {
    /// Finds the offset with no hint, and the error that remains.
    ///
    /// Activity is put into bins; a stretch of the guest's is correlated with each thread's windows (a coarse offset, to a bin). Around each of
    /// the best peaks, the offsets that put most events of a tenth of a second into windows are the seed. From there the line grows: bounds on
    /// the offset narrow it, and it is extended to twice the time as often as it takes. What is left must hold 99 of 100 events.
    /// - Parameters:
    ///   - ticks: raw units in a millisecond.
    ///   - drift: the drift that is possible.
    package func search(ticks: Double, drift: ClosedRange<Double> = OffsetBand.anyDrift) throws(ContainmentFault) -> ContainmentFit {
        let active = activity.indices.filter { activity[$0].times.count >= Self.fewest }
        guard !windows.isEmpty, !active.isEmpty else { throw .nothingToCompare }
        let bin = max(1, RawTime(ticks * Self.binMilliseconds))
        var candidates: [Candidate] = []
        // The busiest CPUs tell most; two of them are enough.
        for cpu in active.sorted(by: { activity[$0].times.count > activity[$1].times.count }).prefix(2) {
            for index in windows.indices where windows[index].count >= 8 {
                candidates += peaks(cpu, index, bin)
            }
        }
        candidates.sort { $0.score > $1.score }
        var found: [(fit: ContainmentFit, offset: Int64)] = []
        var best = 0.0
        for candidate in candidates.prefix(Self.mostCandidates) {
            let near = found.contains { abs($0.offset &- candidate.offset) < Int64(bin) * 8 }
            guard !near, let fit = grow(candidate, bin, ticks, drift) else { continue }
            best = max(best, fit.count.share)
            guard fit.count.share >= Self.enough else { continue }
            let offset = fit.fit.pieces[0].band.offset(at: activity[candidate.cpu].times[0])
            if !found.contains(where: { abs($0.offset &- offset) < Int64(bin) * 8 }) { found.append((fit, offset)) }
        }
        guard let first = found.max(by: { $0.fit.count.inside < $1.fit.count.inside }) else { throw .noMatch(best: best) }
        // Offsets that leave most of one recording outside the other hold few events easily.
        let rivals = found.filter { $0.fit.count.inside * 4 >= first.fit.count.inside }
        guard rivals.count == 1 else { throw .ambiguous(rivals.map(\.offset).sorted()) }
        return first.fit
    }

    /// Fewer events show nothing.
    private static let fewest = 50
    private static let binMilliseconds = 0.2
    /// Share of events that must lie in windows.
    package static let enough = 0.99
    private static let mostCandidates = 48
    /// Bins of a stretch: 4 s, over which clocks 200 ppm apart drift 4 bins.
    private static let stretchBins = 20_000
    private static let mostStretches = 8

    private struct Candidate {
        var cpu: Int
        var windows: Int
        /// Host minus guest, to a few bins.
        var offset: Int64
        /// How unlikely it is by chance, in standard deviations.
        var score: Double
        /// Where in the guest's time it was seen.
        var around: ClosedRange<RawTime>
    }

    // MARK: Coarse

    /// The offsets at which a stretch of a CPU's activity lies best in a thread's windows.
    private func peaks(_ cpu: Int, _ index: Int, _ bin: RawTime) -> [Candidate] {
        let times = activity[cpu].times
        var field = [Float](repeating: 0, count: Int((host.upperBound - host.lowerBound) / bin) + 1)
        let windows = windows[index]
        for window in 0..<windows.count {
            let (begin, end) = (max(windows.begins[window], host.lowerBound), min(windows.ends[window], host.upperBound))
            guard begin <= end else { continue }
            for place in Int((begin - host.lowerBound) / bin)...Int((end - host.lowerBound) / bin) { field[place] = 1 }
        }
        let fieldSums = Self.sums(field)
        let bins = Int((times[times.count - 1] - times[0]) / bin) + 1
        let length = min(bins, Self.stretchBins)
        var candidates: [Candidate] = []
        var starts = Array(stride(from: 0, to: max(1, bins - length / 2), by: max(1, length)))
        // The stretches with most going on.
        if starts.count > Self.mostStretches {
            starts.sort { busy(times, $0, length, bin) > busy(times, $1, length, bin) }
            starts.removeLast(starts.count - Self.mostStretches)
        }
        for start in starts {
            let begin = times[0] + RawTime(start) * bin
            let end = begin + RawTime(length) * bin - 1
            var pattern = [Float](repeating: 0, count: length)
            for time in times[times.partition(where: { $0 < begin })...] {
                guard time <= end else { break }
                pattern[Int((time - begin) / bin)] = 1
            }
            let correlation = Correlation(of: pattern, in: field).counts
            // How much of the pattern lies within the host's recording at each shift.
            let sums = Self.sums(pattern)
            let all = sums[length]
            guard all >= Double(Self.fewest) else { continue }
            var shifts: [(score: Double, shift: Int)] = []
            for shift in correlation.indices {
                // Bin i of the pattern lies on bin i + shift - (length - 1) of the field.
                let first = max(0, length - 1 - shift)
                let last = min(length, field.count + length - 1 - shift)
                let within = sums[last] - sums[first]
                guard within >= max(Double(Self.fewest), all / 8) else { continue }
                // By chance as many bins would be hit as windows fill of the host's time there: how much more is it, in standard deviations?
                let place = first + shift - (length - 1)
                let density = (fieldSums[place + last - first] - fieldSums[place]) / Double(last - first)
                let deviation = (within * density * (1 - density)).squareRoot()
                guard deviation > 0 else { continue }
                shifts.append(((correlation[shift] - within * density) / deviation, shift))
            }
            shifts.sort { $0.score > $1.score }
            var taken: [Int] = []
            for candidate in shifts {
                if taken.count == 6 { break }
                if taken.contains(where: { abs($0 - candidate.shift) <= 8 }) { continue }
                taken.append(candidate.shift)
                let place = Int64(bitPattern: host.lowerBound) + Int64(candidate.shift - (length - 1)) * Int64(bin)
                candidates.append(
                    Candidate(
                        cpu: cpu, windows: index, offset: place &- Int64(bitPattern: begin), score: candidate.score, around: begin...end))
            }
        }
        return candidates
    }

    /// Sums of the first 0, 1, 2, ... values.
    private static func sums(_ values: [Float]) -> [Double] {
        var sums = [0.0]
        for value in values { sums.append(sums[sums.count - 1] + Double(value)) }
        return sums
    }

    private func busy(_ times: [RawTime], _ start: Int, _ length: Int, _ bin: RawTime) -> Int {
        let begin = times[0] + RawTime(start) * bin
        return times.partition(where: { $0 < begin + RawTime(length) * bin }) - times.partition(where: { $0 < begin })
    }

    // MARK: Exact

    /// From a coarse offset to a fit over everything; nil when it does not hold.
    private func grow(_ candidate: Candidate, _ bin: RawTime, _ ticks: Double, _ drift: ClosedRange<Double>) -> ContainmentFit? {
        let times = activity[candidate.cpu].times
        let slack = Int64(bin) * 6
        // A seed: a tenth of a second with as many events as there are, within both recordings.
        let length = RawTime(ticks * 100)
        for begin in seeds(candidate, times, length) {
            let stretch = begin...begin + length
            let near = candidate.offset - slack...candidate.offset + slack
            guard let seed = densest([candidate.cpu: candidate.windows], stretch, near) else { continue }
            if let fit = extend(seed, stretch, candidate, drift) { return fit }
        }
        return nil
    }

    /// Where the seed may be: the busiest tenths of seconds of the stretch that the host recorded too.
    private func seeds(_ candidate: Candidate, _ times: [RawTime], _ length: RawTime) -> [RawTime] {
        var starts: [(count: Int, begin: RawTime)] = []
        var begin = candidate.around.lowerBound
        while begin <= candidate.around.upperBound {
            let place = begin &+ RawTime(bitPattern: candidate.offset)
            if host.contains(place), host.contains(place &+ length) {
                starts.append((times.partition(where: { $0 <= begin + length }) - times.partition(where: { $0 < begin }), begin))
            }
            begin += length
        }
        return starts.sorted { $0.count > $1.count }.prefix(4).filter { $0.count >= 8 }.map(\.begin)
    }

    /// The offsets within `near` that put most events of `stretch` into windows; nil when that is not nearly all of them.
    private func densest(_ assignment: [Int: Int], _ stretch: ClosedRange<RawTime>, _ near: ClosedRange<Int64>) -> ClosedRange<Int64>? {
        var edges: [(offset: Int64, change: Int)] = []
        var events = 0
        for (cpu, index) in assignment {
            let times = activity[cpu].times
            let windows = windows[index]
            for time in times[times.partition(where: { $0 < stretch.lowerBound })...] {
                guard time <= stretch.upperBound else { break }
                events += 1
                let place = (time &+ RawTime(bitPattern: near.lowerBound), time &+ RawTime(bitPattern: near.upperBound))
                for window in windows.touching(place.0, place.1) {
                    edges.append((max(near.lowerBound, Int64(bitPattern: windows.begins[window] &- time)), 1))
                    edges.append((min(near.upperBound, Int64(bitPattern: windows.ends[window] &- time)), -1))
                }
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
        _ seed: ClosedRange<Int64>, _ stretch: ClosedRange<RawTime>, _ candidate: Candidate, _ drift: ClosedRange<Double>
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
            let evidence = bounds(assignment, during: range) { band.range(at: $0) }
            guard let next = OffsetFit(evidence.bounds, drift: drift), next.steps == 0 else { break }
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
                range = max(whole.lowerBound, range.lowerBound > length ? range.lowerBound - length : 0)...min(
                    whole.upperBound, range.upperBound + length)
            }
            band = Knots(next.pieces[0].band, over: range)
        }
        guard let fit else { return nil }
        let line = fit.pieces[0].band
        var count = ContainmentCount()
        for (cpu, index) in assignment { count = count + self.count(activity[cpu], windows[index]) { line.offset(at: $0) } }
        return ContainmentFit(
            fit: fit,
            threads: Dictionary(uniqueKeysWithValues: assignment.map { (activity[$0.key].cpu, windows[$0.value].thread) }), count: count)
    }

    /// What is known of the offset, as a few points between which it is interpolated: wider than the truth, never narrower.
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
            let after = min(max(1, times.partition(where: { $0 <= time })), times.count - 1)
            let (left, right) = (times[after - 1], times[after])
            let share = right > left ? Double(Int64(bitPattern: time &- left)) / Double(right - left) : 0
            let low = lows[after - 1] + (lows[after] - lows[after - 1]) * share
            let high = highs[after - 1] + (highs[after] - highs[after - 1]) * share
            return Int64(low.rounded(.down)) - 1...max(Int64(low.rounded(.down)) - 1, Int64(high.rounded(.up)) + 1)
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
