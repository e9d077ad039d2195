// Samples as latencies are: skewed, with rare values far out, one packet much like the one before, one session unlike
// the next.

import Foundation
import Statistics

/// Draws samples of which the true mean is known.
struct Latencies {
    private var chance: SplitMix64

    init(seed: UInt64) { chance = SplitMix64(seed: seed) }

    private mutating func share() -> Double { (Double(chance.next() >> 11) + 0.5) * 0x1p-53 }

    /// Box and Muller's method.
    mutating func normal() -> Double { (-2 * log(share())).squareRoot() * cos(2 * Double.pi * share()) }

    /// Of median 1, and the mean `lognormalMean(spread)`.
    mutating func lognormal(_ count: Int, spread: Double) -> [Double] {
        (0..<count).map { _ in exp(spread * normal()) }
    }

    static func lognormalMean(_ spread: Double) -> Double { exp(spread * spread / 2) }

    /// Two of a hundred take ten times as long.
    mutating func withOutliers(_ count: Int, spread: Double = 0.4) -> [Double] {
        lognormal(count, spread: spread).map { share() < 0.02 ? $0 * 10 : $0 }
    }

    static func outlierMean(_ spread: Double = 0.4) -> Double { lognormalMean(spread) * (0.98 + 0.02 * 10) }

    /// A lognormal series whose logarithms are an AR(1) process.
    mutating func dependent(_ count: Int, spread: Double, autocorrelation: Double) -> [Double] {
        let fresh = (1 - autocorrelation * autocorrelation).squareRoot()
        var state = normal()
        return (0..<count).map { _ in
            defer { state = autocorrelation * state + fresh * normal() }
            return exp(spread * state)
        }
    }

    /// Sessions whose level differs by a lognormal factor.
    mutating func sessions(_ counts: [Int], spread: Double, between: Double) -> [[Double]] {
        counts.map { count in
            let level = exp(between * normal())
            return lognormal(count, spread: spread).map { $0 * level }
        }
    }
}
