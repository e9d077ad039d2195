// When slow packets come: at the start, in bursts, at equal distances; and whether chance would do the same.

import ClockSync
package import Statistics

/// A way in which slow packets do not lie among the others as chance would have it.
package enum TailPattern: Sendable, Equatable {
    /// So many of them are among the first packets.
    case start(slow: Int, share: Double, pValue: Double)
    /// They follow each other: the number of bursts there are and would be by chance, and the longest one.
    case bursts(count: Int, expected: Double, longest: Int, pValue: Double)
    /// Bursts, or single ones, recur.
    case period(Periodicity)

    /// What is more likely than this by chance is not worth a word.
    private static let significance = 0.01

    static func all(of reading: TailReading, seed: UInt64) -> [TailPattern] {
        guard !reading.slow.isEmpty, reading.slow.count < reading.count else { return [] }
        return [start(reading), bursts(reading), period(reading, seed: seed)].compactMap { $0 }
    }

    /// Shares of all packets that are called the start; the most telling one is chosen, and its probability counted as
    /// often as one was tried (Bonferroni).
    private static let starts = [0.01, 0.02, 0.05, 0.1, 0.2]

    private static func start(_ reading: TailReading) -> TailPattern? {
        let found = starts.map { share in
            let drawn = max(1, Int(share * Double(reading.count)))
            let slow = reading.slow.count { $0.place < drawn }
            let chance = Chance.hypergeometric(
                found: slow, drawn: drawn, marked: reading.slow.count, of: reading.count)
            return (share: share, slow: slow, pValue: min(1, chance * Double(starts.count)))
        }
        guard let best = found.min(by: { $0.pValue < $1.pValue }), best.pValue < significance, best.slow > 1 else {
            return nil
        }
        return .start(slow: best.slow, share: best.share, pValue: best.pValue)
    }

    private static func bursts(_ reading: TailReading) -> TailPattern? {
        let (slow, bursts) = (reading.slow.count, Tail.bursts(reading.slow))
        let chance = Chance.runs(atMost: bursts.count, marked: slow, of: reading.count)
        guard chance < significance, bursts.count < slow else { return nil }
        return .bursts(
            count: bursts.count, expected: Chance.expectedRuns(marked: slow, of: reading.count),
            longest: bursts.map(\.count).max() ?? 0, pValue: chance)
    }

    private static func period(_ reading: TailReading, seed: UInt64) -> TailPattern? {
        guard let last = reading.begins.max() else { return nil }
        let moments = Tail.bursts(reading.slow).map { $0[0].begin }.filter { $0 <= last }.sorted()
        // From the first on: numbers of ns since boot are too large to turn into angles exactly.
        let zero = moments.first ?? 0
        let found = Periodicity.find(
            moments.map { Double($0 - zero) }, among: reading.begins.map { Double($0 - zero) }.sorted(), seed: seed)
        guard let found, found.pValue < significance else { return nil }
        return .period(found)
    }
}

/// Something that is so of more slow packets than of others.
package struct SharedTrait: Sendable {
    package var trait: Trait
    /// So many slow packets have it.
    package var slow: Int
    /// So many others have it.
    package var others: Int
    /// The probability of as many slow ones by chance, counted as often as there are traits (Bonferroni).
    package var pValue: Double

    /// What is more likely than this by chance is not worth a word.
    private static let significance = 0.01

    /// The least likely first.
    static func all(of reading: TailReading) -> [SharedTrait] {
        var counts: [Trait: Int] = [:]
        for packet in reading.slow { for trait in packet.traits { counts[trait, default: 0] += 1 } }
        return counts.compactMap { trait, slow in
            let all = reading.traits[trait] ?? slow
            let chance = Chance.hypergeometric(found: slow, drawn: reading.slow.count, marked: all, of: reading.count)
            return SharedTrait(
                trait: trait, slow: slow, others: all - slow, pValue: min(1, chance * Double(reading.traits.count)))
        }
        .filter { $0.pValue < significance }
        .sorted { ($0.pValue, $1.slow) < ($1.pValue, $0.slow) }
    }
}
