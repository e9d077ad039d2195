// A clock map as TIME_SHIFT samples, such that trace-cmd's own arithmetic arrives at the map's host times.
//
// trace-cmd: lib/trace-cmd/trace-input.c, `timestamp_host_sync` and `timestamp_correction_calc`. What they do, and the
// format does not say:
//
// - With one sample its offset is added, whatever its scaling.
// - Otherwise a pair of neighbours decides: before the first sample the first pair, from the last one on the last pair.
//   Without interpolation the pair's earlier offset holds, so the very last offset never does.
// - Interpolated: the earlier offset and (progress · difference + length / 2) / length in signed 64 bits, rounded
//   towards 0.

extension ClockMap {
    /// The map as one CPU's TIME_SHIFT option, good for raw guest times in `times`.
    ///
    /// Offsets and scalings that are known exactly stay what they are. Everything else becomes samples on straight
    /// lines, from which trace-cmd's host time differs by one tick at most.
    ///
    /// trace-cmd (3.1.6) multiplies a scaled TSC in 64 bits, which real times overflow; it can read `lines(over:)` of
    /// such a map.
    package func timeShift(over times: ClosedRange<RawTime>) -> TimeShift {
        let stretches = stretches(over: times)
        return Self.exact(stretches) ?? Self.lines(stretches)
    }

    /// The map as samples on straight lines, whatever kind it is of.
    package func lines(over times: ClosedRange<RawTime>) -> TimeShift { Self.lines(stretches(over: times)) }
}

extension ClockMap {
    /// Raw times with one conversion.
    private struct Stretch {
        var times: ClosedRange<RawTime>
        var toHost: RawConversion

        /// Host time less guest time.
        func offset(at raw: RawTime) -> Int64 { Int64(bitPattern: toHost.hostRaw(raw) &- raw) }
    }

    /// The segments that hold somewhere in `times`, equal neighbours as one.
    private func stretches(over times: ClosedRange<RawTime>) -> [Stretch] {
        var stretches: [Stretch] = []
        for (index, segment) in segments.enumerated() {
            let start = index == 0 ? times.lowerBound : max(segment.start, times.lowerBound)
            var end = times.upperBound
            if index + 1 < segments.count {
                // A segment holds until the next one begins.
                guard segments[index + 1].start > start else { continue }
                end = min(end, segments[index + 1].start - 1)
            }
            guard start <= end else { continue }
            if let last = stretches.last, last.toHost == segment.toHost {
                stretches[stretches.count - 1].times = last.times.lowerBound...end
            } else {
                stretches.append(Stretch(times: start...end, toHost: segment.toHost))
            }
        }
        return stretches
    }

    /// Samples whose offsets hold until the next one; nil for lines, and for scalings of which an option can't hold
    /// both.
    private static func exact(_ stretches: [Stretch]) -> TimeShift? {
        var shift = TimeShift(interpolates: false, samples: [], fractionBits: 0)
        for stretch in stretches {
            var sample = TimeShiftSample(time: stretch.times.lowerBound, offset: 0, scaling: 1)
            var fractionBits: UInt32 = 0
            switch stretch.toHost {
            case .offset(let offset): sample.offset = offset
            case .scaled(let offset, let ratio, let bits):
                (sample.offset, sample.scaling, fractionBits) = (offset, ratio, bits)
            case .interpolated: return nil
            }
            guard shift.samples.isEmpty || shift.fractionBits == fractionBits else { return nil }
            shift.fractionBits = fractionBits
            shift.samples.append(sample)
        }
        // Once more at the end, for trace-cmd to make use of it.
        if let last = shift.samples.last, let end = stretches.last?.times.upperBound, last.time < .max,
            shift.samples.count > 1 || last.scaling != 1 || shift.fractionBits != 0
        {
            shift.samples.append(
                TimeShiftSample(time: max(end, last.time + 1), offset: last.offset, scaling: last.scaling))
        }
        return shift
    }

    /// Samples at both ends of every line; where the clock was set they are one tick apart.
    private static func lines(_ stretches: [Stretch]) -> TimeShift {
        var samples: [TimeShiftSample] = []
        for (index, stretch) in stretches.enumerated() {
            var (start, end) = (stretch.times.lowerBound, stretch.times.upperBound)
            // The first and the last pair hold beyond their ends, so neither may be a step.
            if start == end && index == stretches.count - 1 && end < .max { end += 1 }
            if start == end && index == 0 && start > 0 { start -= 1 }
            let knots = knots(of: stretch, from: start, to: end)
            // Rounding towards 0 after half was added leaves falling offsets half a tick to one and a half too high.
            let bias: Int64 = knots.count > 1 && stretch.offset(at: end) < stretch.offset(at: start) ? -1 : 0
            for time in knots {
                samples.append(
                    TimeShiftSample(
                        time: time, offset: UInt64(bitPattern: stretch.offset(at: time) &+ bias), scaling: 1))
            }
        }
        return TimeShift(interpolates: true, samples: samples, fractionBits: 0)
    }

    /// Between two knots the product of trace-cmd's interpolation stays below this, so that there is room beyond them.
    private static let largestProduct = 0x1p60
    /// Nobody's recording needs more; nonsense may.
    private static let mostParts = 4096.0

    /// Times at which a line is sampled: its ends, where its own rounding turns, and as many between as keep the
    /// products small.
    private static func knots(of stretch: Stretch, from start: RawTime, to end: RawTime) -> [RawTime] {
        var corners = [start]
        if case .interpolated(let origin, _, _, _) = stretch.toHost, origin > start, origin < end {
            corners.append(origin)
        }
        if end > start { corners.append(end) }
        var knots = [start]
        for (from, to) in zip(corners, corners.dropFirst()) {
            let change = stretch.offset(at: to) &- stretch.offset(at: from)
            let product = Double(to - from) * Double(change.magnitude)
            let parts = min(to - from, RawTime(min(mostParts, (product / largestProduct).squareRoot().rounded(.up))))
            if parts > 1 { for part in 1..<parts { knots.append(from + (to - from) / parts * part) } }
            knots.append(to)
        }
        return knots
    }
}
