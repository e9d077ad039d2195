// From bounds to a clock map: straight pieces with the error at every instant, steps where the clock was set, wild marks set aside.

/// What bounds on a clock's offset amount to.
package struct OffsetFit: Sendable {
    /// Straight pieces, in time order; one unless the clock was set.
    package var pieces: [Piece]
    /// Bounds that contradict all the others, and were left out.
    package var wild: Int
    /// Bounds that went in.
    package var count: Int

    package struct Piece: Sendable {
        package var band: OffsetBand
        /// Raw guest times of its first and last bound.
        package var times: ClosedRange<RawTime>
        /// Bounds in it.
        package var count: Int
    }

    /// A piece that starts later than the previous one ended was set in between.
    package var steps: Int { pieces.count - 1 }

    /// One bound in so many may be wild.
    private static let wildShare = 500
    /// A bound is wild when without it the line goes on for so many more.
    private static let confirmation = 12

    /// - Parameters:
    ///   - bounds: in time order.
    ///   - drift: the slopes that are possible; 0...0 for clocks that are known to run at one rate.
    /// - Returns: nil when the bounds don't add up: too many contradict each other, or nothing bounds the offset from one side.
    package init?(_ bounds: [OffsetBound], drift: ClosedRange<Double> = OffsetBand.anyDrift) {
        guard !bounds.isEmpty else { return nil }
        count = bounds.count
        wild = 0
        pieces = []
        let most = max(3, bounds.count / Self.wildShare)
        var rest = bounds[...]
        while !rest.isEmpty {
            var (length, isWhole) = Self.straight(rest, drift)
            var piece = Array(rest.prefix(length))
            while !isWhole, wild < most, let culprit = Self.culprit(rest, piece, length, drift) {
                // Without the culprit the line goes on.
                wild += 1
                if let index = rest[..<rest.index(rest.startIndex, offsetBy: length)].firstIndex(of: culprit) {
                    rest.remove(at: index)
                } else {
                    rest.remove(at: rest.index(rest.startIndex, offsetBy: length))
                }
                (length, isWhole) = Self.straight(rest, drift)
                piece = Array(rest.prefix(length))
            }
            guard length > 0 else { return nil }
            guard let band = OffsetBand(piece, drift: drift) else {
                // A few last bounds, all on one side.
                guard !pieces.isEmpty else { return nil }
                wild += length
                rest = rest.dropFirst(length)
                continue
            }
            pieces.append(Piece(band: band, times: piece[0].time...piece[length - 1].time, count: length))
            rest = rest.dropFirst(length)
        }
        guard !pieces.isEmpty, wild <= most else { return nil }
    }

    /// How many of the first bounds some line satisfies.
    private static func straight(_ bounds: ArraySlice<OffsetBound>, _ drift: ClosedRange<Double>) -> (length: Int, isWhole: Bool) {
        if isStraight(bounds, drift) { return (bounds.count, true) }
        var (good, bad) = (0, bounds.count)
        // Doubling first: pieces may be short.
        var step = 64
        while good + step < bad {
            if isStraight(bounds.prefix(good + step), drift) { good += step } else { bad = good + step; break }
            step *= 2
        }
        while bad - good > 1 {
            let middle = good + (bad - good) / 2
            if isStraight(bounds.prefix(middle), drift) { good = middle } else { bad = middle }
        }
        return (good, false)
    }

    /// Bounds from one side only contradict nothing.
    private static func isStraight(_ bounds: ArraySlice<OffsetBound>, _ drift: ClosedRange<Double>) -> Bool {
        guard bounds.contains(where: { $0.low != nil }), bounds.contains(where: { $0.high != nil }) else { return true }
        return OffsetBand(bounds, drift: drift) != nil
    }

    /// The one bound whose removal lets the line go on: the one that did not fit any more, or one of those it did not fit with.
    private static func culprit(
        _ rest: ArraySlice<OffsetBound>, _ piece: [OffsetBound], _ length: Int, _ drift: ClosedRange<Double>
    ) -> OffsetBound? {
        let enough = min(length + 1 + confirmation, rest.count)
        guard enough > length + 1 else { return nil }
        let window = Array(rest.prefix(enough))
        func goesOn(without index: Int) -> Bool {
            var others = window
            others.remove(at: index)
            return isStraight(others[...], drift)
        }
        if goesOn(without: length) { return window[length] }
        guard let band = OffsetBand(piece, drift: drift) else { return nil }
        // Those that touch the band there are what the next one contradicts.
        let touching = band.touching(piece)
        for index in touching where goesOn(without: index) { return window[index] }
        return nil
    }
}

extension OffsetBand {
    /// Indices of the bounds that leave the offset no more room at their own time, the nearest to the end first.
    func touching(_ bounds: [OffsetBound]) -> [Int] {
        var found: [Int] = []
        for (index, bound) in bounds.enumerated().reversed() {
            let range = range(at: bound.time)
            if let low = bound.low, range.lowerBound - low <= 2 { found.append(index) } else if let high = bound.high, high - range.upperBound <= 2 {
                found.append(index)
            }
            if found.count == 16 { break }
        }
        return found
    }
}

extension ClockMap {
    /// How finely a piece's error is told: it is greatest at the ends of each part.
    private static let partsOfPiece = 16

    /// The map that a fit amounts to, with its error over `times`, the raw guest times it will be used for.
    ///
    /// Where the clock was set, the time between the last bound of one piece and the first of the next belongs to either: the map keeps the
    /// earlier line there, and the error covers both.
    package static func fitted(_ fit: OffsetFit, over times: ClosedRange<RawTime>, hostClock: CycleConversion?, method: Method) -> ClockMap {
        let toNanoseconds = hostClock ?? .nanoseconds
        var segments: [Segment] = []
        func part(_ band: OffsetBand, _ start: RawTime, _ end: RawTime, _ error: Int64) {
            // A line by its offsets at two times that are far apart, so that rounding them to ticks does not turn it.
            let (from, to) = (band.origin, band.origin &+ 1 << 40)
            let conversion = RawConversion.interpolated(start: from, end: to, from: band.offset(at: from), to: band.offset(at: to))
            segments.append(
                Segment(
                    start: start, end: end, toHost: conversion, toNanoseconds: toNanoseconds,
                    errorBound: toNanoseconds.duration(error) + 2))
        }
        for (index, piece) in fit.pieces.enumerated() {
            let first = index == 0 ? min(times.lowerBound, piece.times.lowerBound) : piece.times.lowerBound
            let isLast = index == fit.pieces.count - 1
            let last = isLast ? max(times.upperBound, piece.times.upperBound) : piece.times.upperBound
            let step = max(1, (last - first) / UInt64(partsOfPiece) + 1)
            for start in stride(from: first, through: last, by: Int(clamping: step)) {
                let end = min(last, start + (step - 1))
                part(piece.band, start, end, max(piece.band.error(at: start), piece.band.error(at: end)))
            }
            guard !isLast else { continue }
            // The gap.
            let (start, end) = (last + 1, fit.pieces[index + 1].times.lowerBound - 1)
            guard start <= end else { continue }
            let next = fit.pieces[index + 1].band
            let error = [start, end].reduce(Int64(0)) { error, time in
                let chosen = piece.band.offset(at: time)
                let (mine, others) = (piece.band.range(at: time), next.range(at: time))
                return max(
                    error, chosen &- min(mine.lowerBound, others.lowerBound), max(mine.upperBound, others.upperBound) &- chosen)
            }
            part(piece.band, start, end, error)
        }
        return ClockMap(segments: segments, method: method)
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
