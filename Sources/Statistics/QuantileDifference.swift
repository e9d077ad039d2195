// How sure the difference of two quantiles is.

/// The difference of a quantile between two arms, with an interval that holds the true one in 95 of 100 measurements or
/// a few more.
///
/// Each arm has Woodruff's interval ("Confidence intervals for medians and other position measures", J. American
/// Statistical Association 47, 1952): how far the share of values below the quantile may be off, from units as for
/// means, and the values that lie at those shares. Nothing is assumed about the shape of a tail, and nothing is
/// resampled. From both comes that of the difference: Zou and Donner, "Construction of confidence limits about effect
/// measures", Statistics in Medicine 27, 2008.
package struct QuantileDifference: Sendable {
    /// Second quantile minus first.
    package let difference: Double
    package let interval: ClosedRange<Double>

    /// - Parameters:
    ///   - first: the values of each of the first arm's sessions, in the order of time.
    ///   - share: 0.99 for p99.
    /// - Returns: nil when too few values lie beyond a quantile to say how far it may be off.
    package init?(_ first: [[Double]], _ second: [[Double]], _ share: Double) {
        let (one, other) = (Quantile(first, share), Quantile(second, share))
        guard let one, let other else { return nil }
        let critical = StudentT.critical(0.05, degrees: Units.degrees(one.below, other.below))
        guard let low = one.interval(critical), let high = other.interval(critical) else { return nil }
        func length(_ one: Double, _ other: Double) -> Double { (one * one + other * other).squareRoot() }
        difference = other.value - one.value
        let down = length(other.value - high.lowerBound, low.upperBound - one.value)
        let up = length(high.upperBound - other.value, one.value - low.lowerBound)
        interval = (difference - down)...(difference + up)
    }

    /// One arm's.
    private struct Quantile {
        let value: Double
        /// Of 1 for each value that is no larger than the quantile and 0 for others.
        let below: Units
        private let share: Double
        private let sorted: [Double]

        init?(_ sessions: [[Double]], _ share: Double) {
            sorted = sessions.flatMap { $0 }.sorted()
            guard !sorted.isEmpty else { return nil }
            self.share = share
            value = Self.at(share, sorted)
            let value = value
            below = Units(sessions.map { $0.map { $0 <= value ? 1 : 0 } })
            if below.areTooFew || below.variance == 0 { return nil }
        }

        /// - Parameter critical: so many standard errors either way.
        func interval(_ critical: Double) -> ClosedRange<Double>? {
            let reach = critical * below.variance.squareRoot()
            guard share - reach > 0, share + reach < 1 else { return nil }
            return Self.at(share - reach, sorted)...max(value, Self.at(share + reach, sorted))
        }

        /// The value at or below which the given share of values lies.
        private static func at(_ share: Double, _ sorted: [Double]) -> Double {
            let rank = Int((share.nextDown * Double(sorted.count)).rounded(.up))
            return sorted[min(sorted.count, max(1, rank)) - 1]
        }
    }
}
