// Chance that is the same in every run, on every machine and with every Swift: what was drawn can be drawn again.

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }

    /// A whole number from 0 to below `bound`, which is at least 1: Lemire, "Fast random integer generation in an
    /// interval", ACM TOMACS 29(1), 2019, without the rejection step, whose bias is below 2^-32 for the few units that
    /// are drawn from here.
    mutating func index(below bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
}
