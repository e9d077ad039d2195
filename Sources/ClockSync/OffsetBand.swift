// The straight lines that bounds on a clock's offset leave: what the offset can be at any instant, if its rate is
// constant.

/// What one observation says of two clocks: at raw guest time `time`, host minus guest (both raw) lies between `low`
/// and `high`.
package struct OffsetBound: Sendable, Equatable {
    package var time: RawTime
    /// nil when nothing bounds it from below.
    package var low: Int64?
    /// nil when nothing bounds it from above.
    package var high: Int64?

    package init(time: RawTime, low: Int64?, high: Int64?) {
        self.time = time
        self.low = low
        self.high = high
    }
}

/// All lines offset(t) = a + b·t above every lower and below every upper bound.
///
/// A line is a point (a, b), a bound a half-plane of such points, and all lines together a convex polygon: each bound
/// cuts off a part of it or changes nothing (I. E. Sutherland and G. W. Hodgman, "Reentrant polygon clipping", 1974).
/// Few bounds cut, so it has few corners, and what the offset can be at an instant is told by the corners. Bounds may
/// come in any order.
package struct OffsetBand: Sendable {
    /// Times and offsets are kept relative to these, so that doubles hold them to a fraction of a tick.
    package let origin: RawTime
    package let base: Int64
    private var corners: [Corner]
    /// The line with most room on both sides, relative to `origin` and `base`; known once `settle` has found it.
    private var line = (intercept: 0.0, slope: 0.0)

    /// A line at the limit of what is possible, and what limits it from here to the next corner.
    private struct Corner {
        var intercept: Double
        var slope: Double
        var edge: Edge
    }

    private enum Edge: Equatable {
        /// No bound yet from this side.
        case open
        case drift
        /// The bound of this number.
        case bound(Int)
    }

    /// Clocks of computers that are told apart by more than this are no clocks.
    package static let greatestDrift = 1e-3
    package static let anyDrift = -greatestDrift...greatestDrift
    /// Both clocks are read in whole ticks: a bound may be off by so much.
    private static let rounding = 1.0
    /// Beyond all offsets.
    private static let farAway = 1e21

    /// - Returns: nil when no line satisfies all bounds, or when nothing bounds the offset from one side.
    package init?(_ bounds: some Collection<OffsetBound>, drift: ClosedRange<Double> = anyDrift) {
        guard let first = bounds.first else { return nil }
        self.init(around: first, drift: drift)
        for (number, bound) in bounds.enumerated() {
            guard narrow(bound, number: number) == nil else { return nil }
        }
        guard isBounded else { return nil }
        settle()
    }

    /// All lines, to be told near the time and offset of a bound.
    init(around bound: OffsetBound, drift: ClosedRange<Double>) {
        origin = bound.time
        base = bound.low ?? bound.high ?? 0
        corners = [
            Corner(intercept: -Self.farAway, slope: drift.lowerBound, edge: .open),
            Corner(intercept: -Self.farAway, slope: drift.upperBound, edge: .drift),
            Corner(intercept: Self.farAway, slope: drift.upperBound, edge: .open),
            Corner(intercept: Self.farAway, slope: drift.lowerBound, edge: .drift),
        ]
    }

    /// Something bounds the offset from both sides.
    var isBounded: Bool { corners.allSatisfy { $0.edge != .open } }

    // MARK: Narrowing

    /// Leaves only the lines that satisfy one more bound.
    /// - Returns: nil when some do. If none does the band stays as it is, and these are the numbers of the bounds
    ///   (three at most) that no line satisfies together.
    mutating func narrow(_ bound: OffsetBound, number: Int) -> [Int]? {
        let time = relative(bound.time)
        let before = corners
        if let low = bound.low, let others = cut(time, above: true, Double(low &- base) - Self.rounding, number) {
            return others
        }
        if let high = bound.high, let others = cut(time, above: false, Double(high &- base) + Self.rounding, number) {
            corners = before
            return others
        }
        return nil
    }

    /// Cuts off the lines that pass below (or above) a point.
    private mutating func cut(_ time: Double, above: Bool, _ offset: Double, _ number: Int) -> [Int]? {
        let sign = above ? 1.0 : -1.0
        func room(_ corner: Corner) -> Double { sign * (corner.intercept - offset + corner.slope * time) }
        var (least, most, nearest) = (Double.infinity, -Double.infinity, 0)
        for index in corners.indices {
            let room = room(corners[index])
            least = min(least, room)
            if room > most { (most, nearest) = (room, index) }
        }
        if least >= 0 { return nil }
        if most < 0 {
            // The two edges that meet in the nearest corner are what keeps the band from coming nearer.
            let edges = [corners[(nearest + corners.count - 1) % corners.count].edge, corners[nearest].edge]
            var together = [number]
            for case .bound(let other) in edges where !together.contains(other) { together.append(other) }
            return together
        }
        var kept: [Corner] = []
        kept.reserveCapacity(corners.count + 1)
        for (index, corner) in corners.enumerated() {
            let next = corners[index + 1 == corners.count ? 0 : index + 1]
            let (own, others) = (room(corner), room(next))
            if own >= 0 { kept.append(corner) }
            guard (own >= 0) != (others >= 0) else { continue }
            // Where the edge is left, the new one begins.
            let edge = own >= 0 ? Edge.bound(number) : corner.edge
            if corner.slope == next.slope {
                kept.append(Corner(intercept: offset - corner.slope * time, slope: corner.slope, edge: edge))
            } else {
                let share = own / (own - others)
                kept.append(
                    Corner(
                        intercept: corner.intercept + (next.intercept - corner.intercept) * share,
                        slope: corner.slope + (next.slope - corner.slope) * share, edge: edge))
            }
        }
        corners = kept
        return nil
    }

    /// Some of the lines satisfy this bound, taken alone.
    func allows(_ bound: OffsetBound) -> Bool {
        let (least, most) = extremes(relative(bound.time))
        if let low = bound.low, Double(low &- base) - Self.rounding > most { return false }
        if let high = bound.high, Double(high &- base) + Self.rounding < least { return false }
        return true
    }

    // MARK: Asking

    private func relative(_ time: RawTime) -> Double { Double(Int64(bitPattern: time &- origin)) }

    /// What the offset can be at a time, all relative.
    private func extremes(_ time: Double) -> (low: Double, high: Double) {
        var (low, high) = (Double.infinity, -Double.infinity)
        for corner in corners {
            let offset = corner.intercept + corner.slope * time
            low = min(low, offset)
            high = max(high, offset)
        }
        return (low, high)
    }

    /// An offset as it counts for others, which are ticks modulo 2^64: beyond what they hold, the last they hold.
    private func absolute(_ offset: Double, _ rule: FloatingPointRoundingRule) -> Int64 {
        let rounded = offset.rounded(rule)
        let whole = Int64(exactly: rounded) ?? (rounded < 0 ? .min : .max)
        let (sum, overflows) = base.addingReportingOverflow(whole)
        return overflows ? (whole < 0 ? .min : .max) : sum
    }

    /// What the offset can be at a raw guest time, rounded outwards.
    package func range(at time: RawTime) -> ClosedRange<Int64> {
        let (low, high) = extremes(relative(time))
        return absolute(low, .down)...absolute(high, .up)
    }

    /// The chosen line's offset at a raw guest time.
    package func offset(at time: RawTime) -> Int64 {
        absolute(line.intercept + line.slope * relative(time), .toNearestOrAwayFromZero)
    }

    /// The chosen line's rise: how much faster the host's clock runs.
    package var slope: Double { line.slope }

    /// How far the chosen line can be from the truth at a raw guest time, in ticks.
    package func error(at time: RawTime) -> Int64 {
        let range = range(at: time)
        let chosen = offset(at: time)
        return max(
            Int64(clamping: Int128(range.upperBound) - Int128(chosen)),
            Int64(clamping: Int128(chosen) - Int128(range.lowerBound)))
    }

    /// Chooses the line with most room on both sides: the slope whose intercepts reach farthest, and their middle. That
    /// is greatest at a corner, or between two where opposite edges are parallel.
    mutating func settle() {
        var (most, first, last) = (-Double.infinity, (0.0, 0.0), (0.0, 0.0))
        for corner in corners.sorted(by: { $0.slope < $1.slope }) {
            let (low, high) = intercepts(corner.slope)
            let chosen = (low + (high - low) / 2, corner.slope)
            if high - low > most * (1 + 1e-9) { (most, first) = (high - low, chosen) }
            if high - low >= most * (1 - 1e-9) { last = chosen }
        }
        line = ((first.0 + last.0) / 2, (first.1 + last.1) / 2)
    }

    /// The intercepts that a slope leaves.
    private func intercepts(_ slope: Double) -> (low: Double, high: Double) {
        var (low, high) = (Double.infinity, -Double.infinity)
        for (index, corner) in corners.enumerated() {
            let next = corners[index + 1 == corners.count ? 0 : index + 1]
            guard min(corner.slope, next.slope) <= slope, slope <= max(corner.slope, next.slope) else { continue }
            let share = next.slope == corner.slope ? 0 : (slope - corner.slope) / (next.slope - corner.slope)
            let crossing = corner.intercept + (next.intercept - corner.intercept) * share
            for intercept in [
                corner.slope == slope ? corner.intercept : crossing, next.slope == slope ? next.intercept : crossing,
            ] {
                low = min(low, intercept)
                high = max(high, intercept)
            }
        }
        return (low, high)
    }
}
