// How sure the difference of two means is.

/// An interval that holds the true difference in 95 of 100 measurements.
///
/// Of single sessions it is the symmetric bootstrap-t interval over stretches of them (Hall, "On symmetric bootstrap
/// confidence intervals", J. Royal Statistical Society B 50(1), 1988): the percentile interval is too narrow for the
/// few dozen units there are, and one that is not symmetric is too narrow for tails as long as those of latencies.
/// Where units are sessions, or so few stretches that there is little to draw from (six give 462 different draws), it
/// is Welch's interval on the means of units (Biometrika 34, 1947). StatisticsTests measures what both cover.
package enum MeanDifference {
    /// Draws of the bootstrap, by which the critical value of 95 % is the 1900th.
    package static let draws = 1999
    /// Of fewer units too many draws are nearly all of one of them.
    private static let fewestForDraws = 10

    /// Bounds of the second mean minus the first; nil when there are too few units.
    package static func interval(_ first: Units, _ second: Units, seed: UInt64, draws: Int = draws) -> ClosedRange<
        Double
    >? {
        guard !first.areTooFew, !second.areTooFew else { return nil }
        let difference = second.mean - first.mean
        let error = (first.variance + second.variance).squareRoot()
        guard error > 0 else { return difference...difference }
        let critical =
            first.areSessions || second.areSessions || min(first.count, second.count) < fewestForDraws
            ? StudentT.critical(0.05, degrees: Units.degrees(first, second))
            : bootstrap(first, second, difference: difference, seed: seed, draws: draws)
        return (difference - critical * error)...(difference + critical * error)
    }

    /// The standardized distance from `difference` that 95 % of draws stay within.
    private static func bootstrap(_ first: Units, _ second: Units, difference: Double, seed: UInt64, draws: Int)
        -> Double
    {
        var chance = SplitMix64(seed: seed)
        var (one, other) = (Draw(first), Draw(second))
        var distances: [Double] = []
        distances.reserveCapacity(draws)
        for _ in 0..<draws {
            let drawn = (one.next(&chance), other.next(&chance))
            let error = (drawn.0.variance + drawn.1.variance).squareRoot()
            let distance = abs(drawn.1.mean - drawn.0.mean - difference)
            distances.append(error > 0 ? distance / error : distance > 0 ? .infinity : 0)
        }
        distances.sort()
        let critical = distances[min(draws - 1, (draws + 1) * 95 / 100 - 1)]
        // Draws of a single unit over and over have no variance; with very few units they could be too many.
        return critical.isFinite ? critical : StudentT.critical(0.05, degrees: Units.degrees(first, second))
    }

    /// Units drawn with replacement, as many as there are.
    private struct Draw {
        private let units: Units
        private var sums: [Double]
        private var counts: [Double]

        init(_ units: Units) {
            self.units = units
            sums = units.sums
            counts = units.counts
        }

        mutating func next(_ chance: inout SplitMix64) -> (mean: Double, variance: Double) {
            for index in sums.indices {
                let drawn = chance.index(below: sums.count)
                sums[index] = units.sums[drawn]
                counts[index] = units.counts[drawn]
            }
            let estimate = Units.estimate(sums, counts)
            return (estimate.mean, estimate.variance * units.correction)
        }
    }
}
