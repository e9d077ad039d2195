// The straight lines that bounds on a clock's offset leave: what the offset can be at any instant, if its rate is constant.

/// What one observation says of two clocks: at raw guest time `time`, host minus guest (both raw) lies between `low` and `high`.
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
/// The lower bounds matter by their upper hull and the upper bounds by their lower hull, which is found in one pass since bounds come in
/// time order (A. Duda et al., "Estimating global time in distributed systems", 1987). For a slope b the intercepts that remain are
/// max(low − b·t) to min(high − b·t); the width of that interval is concave in b, so all extremes are found by ternary search.
package struct OffsetBand: Sendable {
    /// Times and offsets are kept relative to these, so that doubles hold them to a fraction of a tick.
    package let origin: RawTime
    package let base: Int64
    private var lows = Hull(isUpper: true)
    private var highs = Hull(isUpper: false)
    /// Slopes that satisfy all bounds.
    private(set) var slopes: ClosedRange<Double> = 0...0
    /// The line with most room on both sides, relative to `origin` and `base`.
    private var line = (intercept: 0.0, slope: 0.0)

    /// Clocks of computers that are told apart by more than this are no clocks.
    package static let greatestDrift = 1e-3
    package static let anyDrift = -greatestDrift...greatestDrift
    /// Bounds are whole ticks, rounded somewhere: so much of a conflict is none.
    private static let tolerance = 1.0

    /// - Parameter bounds: in time order.
    /// - Returns: nil when no line satisfies them all, or when nothing bounds the offset from one side.
    package init?(_ bounds: some Collection<OffsetBound>, drift: ClosedRange<Double> = anyDrift) {
        guard let first = bounds.first, let some = bounds.lazy.compactMap({ $0.low ?? $0.high }).first else { return nil }
        origin = first.time
        base = some
        for bound in bounds { add(bound) }
        guard solve(drift) else { return nil }
    }

    private mutating func add(_ bound: OffsetBound) {
        let time = Double(Int64(bitPattern: bound.time &- origin))
        if let low = bound.low { lows.add(time, Double(low &- base)) }
        if let high = bound.high { highs.add(time, Double(high &- base)) }
    }

    private mutating func solve(_ drift: ClosedRange<Double>) -> Bool {
        guard !lows.isEmpty, !highs.isEmpty else { return false }
        let best = Self.maximum(over: drift, room)
        guard room(best) >= -Self.tolerance else { return false }
        line = ((lows.extreme(best) + highs.extreme(best)) / 2, best)
        slopes = Self.edge(from: best, to: drift.lowerBound, room)...Self.edge(from: best, to: drift.upperBound, room)
        return true
    }

    /// Width of the interval of intercepts that `slope` leaves; negative when it leaves none.
    private func room(_ slope: Double) -> Double { highs.extreme(slope) - lows.extreme(slope) }

    /// What the offset can be at a raw guest time: relative to `base`, in ticks.
    private func extremes(_ time: Double) -> (low: Double, high: Double) {
        let top = Self.maximum(over: slopes) { highs.extreme($0) + $0 * time }
        let bottom = Self.maximum(over: slopes) { -(lows.extreme($0) + $0 * time) }
        let middle = line.intercept + line.slope * time
        return (min(middle, lows.extreme(bottom) + bottom * time), max(middle, highs.extreme(top) + top * time))
    }

    private func relative(_ time: RawTime) -> Double { Double(Int64(bitPattern: time &- origin)) }

    /// What the offset can be at a raw guest time, rounded outwards.
    package func range(at time: RawTime) -> ClosedRange<Int64> {
        let (low, high) = extremes(relative(time))
        return base &+ Int64(low.rounded(.down))...base &+ Int64(high.rounded(.up))
    }

    /// The chosen line's offset at a raw guest time.
    package func offset(at time: RawTime) -> Int64 {
        base &+ Int64((line.intercept + line.slope * relative(time)).rounded())
    }

    /// The chosen line's rise: how much faster the host's clock runs.
    package var slope: Double { line.slope }

    /// How far the chosen line can be from the truth at a raw guest time, in ticks.
    package func error(at time: RawTime) -> Int64 {
        let range = range(at: time)
        let chosen = offset(at: time)
        return max(range.upperBound &- chosen, chosen &- range.lowerBound)
    }

    /// Where a concave function is greatest.
    private static func maximum(over range: ClosedRange<Double>, _ value: (Double) -> Double) -> Double {
        var (low, high) = (range.lowerBound, range.upperBound)
        // Two thirds are left each time: the slope is known to 1e-18, which is a nanosecond in decades.
        for _ in 0..<84 where low < high {
            let (left, right) = (low + (high - low) / 3, high - (high - low) / 3)
            if value(left) < value(right) { low = left } else { high = right }
        }
        return low + (high - low) / 2
    }

    /// The last slope on the way from `inside` to `limit` that leaves room.
    private static func edge(from inside: Double, to limit: Double, _ room: (Double) -> Double) -> Double {
        if room(limit) >= 0 { return limit }
        var (good, bad) = (inside, limit)
        for _ in 0..<60 {
            let middle = good + (bad - good) / 2
            if room(middle) >= 0 { good = middle } else { bad = middle }
        }
        return good
    }

    /// The points of a set that a straight line touches first from above (an upper hull) or from below.
    private struct Hull: Sendable {
        let isUpper: Bool
        private var points: [(time: Double, offset: Double)] = []

        init(isUpper: Bool) { self.isUpper = isUpper }

        var isEmpty: Bool { points.isEmpty }

        /// Adds a point that is not earlier than any other.
        mutating func add(_ time: Double, _ offset: Double) {
            if let last = points.last, last.time == time {
                if isUpper ? offset <= last.offset : offset >= last.offset { return }
                points.removeLast()
            }
            while points.count >= 2 {
                let (a, b) = (points[points.count - 2], points[points.count - 1])
                let turn = (b.time - a.time) * (offset - a.offset) - (b.offset - a.offset) * (time - a.time)
                if isUpper ? turn < 0 : turn > 0 { break }
                points.removeLast()
            }
            points.append((time, offset))
        }

        /// The greatest (upper hull) or smallest intercept that a line of this slope has through any point: by the hull's own slopes,
        /// which fall along an upper and rise along a lower hull.
        func extreme(_ slope: Double) -> Double {
            var (low, high) = (0, points.count - 1)
            while low < high {
                let middle = (low + high) / 2
                let (a, b) = (points[middle], points[middle + 1])
                let rises = (b.offset - a.offset) - slope * (b.time - a.time) > 0
                if rises == isUpper { low = middle + 1 } else { high = middle }
            }
            return points[low].offset - slope * points[low].time
        }
    }
}
