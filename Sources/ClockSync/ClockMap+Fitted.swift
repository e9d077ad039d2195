// The clock map that a fit amounts to: lines, and how far each instant can be from its line.

extension ClockMap {
    /// How finely the error is told: it is greatest at the ends of each part.
    private static let partsOfPiece = 16
    /// The line is cut off to ticks, and the ticks to ns.
    private static let rounding: Nanoseconds = 2

    /// The map that a fit amounts to, with its error over `times`, the raw guest times it will be used for.
    ///
    /// Where the clock was set, the times between the last bound of one piece and the first of the next belong to
    /// either; if it was set back, so do those that it may have shown twice. The map keeps the earlier line there, and
    /// the error covers both.
    package static func fitted(
        _ fit: OffsetFit, over times: ClosedRange<RawTime>, hostClock: CycleConversion?, method: Method
    ) -> ClockMap {
        let toNanoseconds = hostClock ?? .nanoseconds
        let reigns = Reign.of(fit.pieces, over: times)
        let whole = reigns.reduce(times) {
            min($0.lowerBound, $1.times.lowerBound)...max($0.upperBound, $1.times.upperBound)
        }
        // The lines that hold change where a reign begins and after one ends.
        let starts = Set(
            reigns.flatMap {
                [$0.times.lowerBound, $0.times.upperBound == .max ? whole.lowerBound : $0.times.upperBound + 1]
            })
        let cuts = starts.filter { whole.contains($0) }.sorted()
        var segments: [Segment] = []
        for (index, start) in cuts.enumerated() {
            let end = index + 1 < cuts.count ? cuts[index + 1] - 1 : whole.upperBound
            let possible = reigns.filter { $0.times.contains(start) }.map(\.band)
            guard let band = possible.first else { continue }
            let conversion = RawConversion.line(band)
            func error(_ time: RawTime) -> Int64 {
                let chosen = Int128(Int64(bitPattern: conversion.hostRaw(time) &- time))
                return possible.reduce(0) { error, other in
                    let range = other.range(at: time)
                    return max(
                        error,
                        Int64(clamping: max(Int128(range.upperBound) - chosen, chosen - Int128(range.lowerBound))))
                }
            }
            let step = (end - start) / UInt64(partsOfPiece) + 1
            var first = start
            var before = error(first)
            while true {
                let last = end - first < step ? end : first + (step - 1)
                // Where a range is widest it is at its ends: its limits bend outwards only.
                let after = error(last)
                segments.append(
                    Segment(
                        start: first, end: last, toHost: conversion, toNanoseconds: toNanoseconds,
                        errorBound: min(toNanoseconds.duration(max(before, after)), .max - rounding) + rounding))
                guard last < end else { break }
                (first, before) = (last + 1, after)
            }
        }
        return ClockMap(segments: segments, method: method)
    }

    /// The raw guest times at which a piece's line may have held.
    private struct Reign {
        var band: OffsetBand
        var times: ClosedRange<RawTime>

        static func of(_ pieces: [OffsetFit.Piece], over times: ClosedRange<RawTime>) -> [Reign] {
            var first = min(times.lowerBound, pieces[0].times.lowerBound)
            var reigns: [Reign] = []
            for (index, piece) in pieces.enumerated() {
                guard index + 1 < pieces.count else {
                    reigns.append(
                        Reign(band: piece.band, times: first...max(first, times.upperBound, piece.times.upperBound)))
                    break
                }
                let next = pieces[index + 1]
                let (end, start) = (piece.times.upperBound, next.times.lowerBound)
                // Set at some time from `end` to `high`, the clock showed a time from `low` to `start`: the difference
                // is that of the offsets.
                var (low, high) = (min(start, end), max(start, end))
                for _ in 0..<4 {
                    let after = max(next.band.range(at: low).upperBound, next.band.range(at: start).upperBound)
                    let before = min(piece.band.range(at: end).lowerBound, piece.band.range(at: high).lowerBound)
                    let back = UInt64(clamping: Int128(after) - Int128(before))
                    // Set ahead, it showed nothing twice.
                    low = back == 0 ? (end < start ? end + 1 : start) : min(start, end - min(end, back))
                    high = back == 0 ? (end < start ? start - 1 : end) : max(end, start + min(.max - start, back))
                    // Farther off, the clocks have drifted farther: again, by a thousandth at most.
                }
                reigns.append(Reign(band: piece.band, times: first...max(first, high)))
                first = low
            }
            return reigns
        }
    }
}

extension ClockMap.RawConversion {
    /// A band's line, by its offsets at two times that are far apart: rounding them to ticks does not turn it.
    fileprivate static func line(_ band: OffsetBand) -> Self {
        let apart: RawTime = 1 << 40
        let from = min(band.origin, .max - apart)
        return .interpolated(
            start: from, end: from + apart, from: band.offset(at: from), to: band.offset(at: from + apart))
    }
}

extension CycleConversion {
    /// A span of so many cycles, in ns, rounded up.
    package func duration(_ cycles: Int64) -> Nanoseconds {
        guard shift < 64 else { return 0 }
        let product = Int128(cycles) * Int128(multiplier)
        return Nanoseconds(clamping: (product + (Int128(1) << Int128(shift)) - 1) >> Int128(shift))
    }
}
