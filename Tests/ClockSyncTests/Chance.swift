// Chance that is the same in every run: a failing case is its seed.

import Statistics

struct Chance: RandomNumberGenerator {
    private var generator: SplitMix64

    init(seed: UInt64) {
        var seeds = SplitMix64(seed: seed)
        // Neighbouring seeds begin apart.
        generator = SplitMix64(seed: seeds.next())
    }

    mutating func next() -> UInt64 { generator.next() }

    /// From 0 to below 1.
    mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }

    mutating func real(_ low: Double, _ high: Double) -> Double { low + (high - low) * share() }

    /// As likely between 1 and 10 as between 10 and 100.
    mutating func scale(_ low: Double, _ high: Double) -> Double { low * scaleBase(high / low) }

    private func power(_ base: Double, _ exponent: Double) -> Double {
        // 2^whole by the exponent's bits, the rest by halving: no library needed for a few digits.
        var (result, root, rest) = (1.0, base, exponent)
        while rest >= 1 { (result, rest) = (result * base, rest - 1) }
        for _ in 0..<20 {
            (root, rest) = (root.squareRoot(), rest * 2)
            if rest >= 1 { (result, rest) = (result * root, rest - 1) }
        }
        return result
    }

    private mutating func scaleBase(_ ratio: Double) -> Double { power(ratio, share()) }

    mutating func whole(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    mutating func isHeads(_ probability: Double = 0.5) -> Bool { share() < probability }
}
