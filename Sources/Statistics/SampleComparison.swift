// Two arms of a measurement beside each other: what is different, how sure that is, and how much it matters.

package enum Verdict: String, Sendable {
    case lower, higher
    case noEvidence = "no evidence of a difference"
    case tooFew = "too few packets"
}

/// How much two arms overlap, in the usual words: Romano et al., "Appropriate statistics for ordinal level data", 2006.
package enum EffectSize: String, Sendable {
    case negligible, small, medium, large

    /// - Parameter delta: Cliff's, -1 to 1.
    package init(delta: Double) {
        self =
            switch abs(delta) {
            case ..<0.147: .negligible
            case ..<0.33: .small
            case ..<0.474: .medium
            default: .large
            }
    }
}

/// What a second arm's values are, beside a first arm's.
package struct SampleComparison: Sendable {
    /// Second mean minus first, in the unit of the values; nil when an arm has none.
    package let difference: Double?
    /// The same as a share of the first mean; nil when that is 0.
    package let relative: Double?
    /// Where the true difference lies, at 95 %; nil when there are too few values.
    package let interval: ClosedRange<Double>?
    /// Of the rank test; nil when there are too few values.
    package let pValue: Double?
    /// Cliff's delta ("Dominance statistics", Psychological Bulletin 114, 1993): how much more often the second arm's
    /// value of a pair is the larger than it is the smaller, -1 to 1; nil when an arm has no values.
    package let delta: Double?
    package let verdict: Verdict
    /// The means may be the same, but ranks are not: a tail hides what most packets show.
    package let isByRankAlone: Bool

    /// Ranks by themselves must be this sure, so that two tests together are not wrong more often than one.
    private static let rankLevel = 0.01
    /// Fewer values than these say nothing of the tail that latencies have.
    package static let fewest = 30

    /// - Parameters:
    ///   - first: the values of each of the first arm's sessions, in the order of time.
    ///   - seed: of the resampling.
    ///   - draws: of the resampling.
    package init(_ first: [[Double]], _ second: [[Double]], seed: UInt64, draws: Int = MeanDifference.draws) {
        let counts = (first.reduce(0) { $0 + $1.count }, second.reduce(0) { $0 + $1.count })
        guard counts.0 > 0, counts.1 > 0 else {
            (difference, relative, interval, pValue, delta, verdict, isByRankAlone) = (
                nil, nil, nil, nil, nil, .tooFew, false
            )
            return
        }
        let (one, other) = (Units(first), Units(second))
        let difference = other.mean - one.mean
        self.difference = difference
        relative = one.mean == 0 ? nil : difference / one.mean
        let ranks = RankTest.compare(first, second)
        let delta = 2 * ranks.superiority - 1
        self.delta = delta
        guard counts.0 >= Self.fewest, counts.1 >= Self.fewest,
            let interval = MeanDifference.interval(one, other, seed: seed, draws: draws)
        else {
            (self.interval, pValue, verdict, isByRankAlone) = (nil, nil, .tooFew, false)
            return
        }
        self.interval = interval
        pValue = ranks.pValue
        if !interval.contains(0) {
            (verdict, isByRankAlone) = (interval.upperBound < 0 ? .lower : .higher, false)
        } else if let pValue = ranks.pValue, pValue < Self.rankLevel, delta != 0 {
            (verdict, isByRankAlone) = (delta < 0 ? .lower : .higher, true)
        } else {
            (verdict, isByRankAlone) = (.noEvidence, false)
        }
    }
}
