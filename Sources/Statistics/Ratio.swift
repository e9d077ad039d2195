// What part one sum is of another, where both are added up over the same few units.

/// The ratio of two sums over units, with an interval.
///
/// Both sums vary with the units that happened to be met, so this is the ratio estimator and its linearized variance:
/// Cochran, "Sampling techniques", 3rd edition, 6.4.
package struct Ratio: Sendable, Equatable {
    package let value: Double
    /// Holds the true ratio in 95 of 100 samples, about; nil where there are too few units to say.
    package let interval: ClosedRange<Double>?

    /// Fewer units say too little of how much they vary.
    private static let fewest = 6

    /// - Parameters:
    ///   - parts: the numerator's values, one for each unit.
    ///   - wholes: the denominator's.
    /// - Returns: nil where the denominator's sum is not above 0.
    package init?(_ parts: [Double], of wholes: [Double]) {
        precondition(parts.count == wholes.count, "a value for each unit")
        guard wholes.reduce(0, +) > 0 else { return nil }
        let (mean, variance) = Units.estimate(parts, wholes)
        value = mean
        guard parts.count >= Self.fewest else {
            interval = nil
            return
        }
        let reach = StudentT.critical(0.05, degrees: Double(parts.count - 1)) * variance.squareRoot()
        interval = (mean - reach)...(mean + reach)
    }
}
