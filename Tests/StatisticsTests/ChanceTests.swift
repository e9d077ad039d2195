// Probabilities against counting every way there is; intervals and periods against made-up data whose truth is known.

import Foundation
import Statistics
import Testing

@Suite struct ChanceTests {
    /// Every way to mark `marked` of `all` things, as bits.
    private func ways(marked: Int, of all: Int) -> [UInt] {
        (0..<UInt(1) << UInt(all)).filter { $0.nonzeroBitCount == marked }
    }

    private func runs(_ bits: UInt) -> Int { (bits & ~(bits << 1)).nonzeroBitCount }

    @Test func `the hypergeometric tail is that of counting`() {
        for all in 1...11 {
            for marked in 0...all {
                let ways = ways(marked: marked, of: all)
                for drawn in 0...all {
                    for found in 0...drawn {
                        let hits = ways.count { ($0 & ((UInt(1) << UInt(drawn)) - 1)).nonzeroBitCount >= found }
                        let chance = Chance.hypergeometric(found: found, drawn: drawn, marked: marked, of: all)
                        #expect(
                            abs(chance - Double(hits) / Double(ways.count)) < 1e-12,
                            "\(found) \(drawn) \(marked) \(all)")
                    }
                }
            }
        }
    }

    @Test func `the distribution of runs is that of counting`() {
        for all in 1...11 {
            for marked in 1...all {
                let ways = ways(marked: marked, of: all)
                let mean = Double(ways.reduce(0) { $0 + runs($1) }) / Double(ways.count)
                #expect(abs(mean - Chance.expectedRuns(marked: marked, of: all)) < 1e-12)
                for limit in 1...all {
                    let hits = ways.count { runs($0) <= limit }
                    let chance = Chance.runs(atMost: limit, marked: marked, of: all)
                    #expect(abs(chance - Double(hits) / Double(ways.count)) < 1e-12, "\(limit) \(marked) \(all)")
                }
            }
        }
    }

    @Test func `of a million things the tails are still sums of one`() {
        #expect(abs(Chance.hypergeometric(found: 0, drawn: 10_000, marked: 10_000, of: 1_000_000) - 1) < 1e-9)
        // The median of a hypergeometric distribution lies within one of its mean.
        #expect((0.4...0.6).contains(Chance.hypergeometric(found: 100, drawn: 10_000, marked: 10_000, of: 1_000_000)))
        #expect((0.4...0.6).contains(Chance.runs(atMost: 9_900, marked: 10_000, of: 1_000_000)))
        #expect(Chance.runs(atMost: 5_000, marked: 10_000, of: 1_000_000) < 1e-300)
    }
}

@Suite struct RatioTests {
    @Test func `the interval holds the true ratio in 95 of 100 samples`() throws {
        var random = SplitMix64(seed: 7)
        var held = 0
        let trials = 2000
        for _ in 0..<trials {
            // Wholes that vary by a factor of 10, parts that are 0.3 of them on average.
            let wholes = (0..<30).map { _ in Double.random(in: 1...10, using: &random) }
            let parts = wholes.map { $0 * Double.random(in: 0...0.6, using: &random) }
            let ratio = try #require(Ratio(parts, of: wholes))
            if try #require(ratio.interval).contains(0.3) { held += 1 }
        }
        #expect((0.93...0.97).contains(Double(held) / Double(trials)), "\(held)")
    }

    @Test func `too few units have no interval, and nothing has no parts`() throws {
        #expect(try #require(Ratio([1, 2], of: [4, 8])).value == 0.25)
        #expect(try #require(Ratio([1, 2], of: [4, 8])).interval == nil)
        #expect(Ratio([1, 2], of: [4, -4]) == nil)
        #expect(Ratio([], of: []) == nil)
    }
}

@Suite struct PeriodicityTests {
    /// Packets every 10 ms, with some of chance in when.
    private func packets(_ count: Int, _ random: inout SplitMix64) -> [Double] {
        (0..<count).map { Double($0) * 10 + Double.random(in: 0...1, using: &random) }
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func `a period is found to one in a hundred, though the packets have one of their own`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let packets = packets(3000, &random)
        // What happens every 1 234 ms hits the next packet.
        let slow = stride(from: 500.0, to: 30_000, by: 1234).compactMap { time in packets.first { $0 >= time } }
        let found = try #require(Periodicity.find(slow, among: packets, seed: seed))
        #expect(abs(found.period - 1234) < 12.34, "\(found)")
        #expect(found.pValue == 0.005)
        #expect(found.strength > 0.95)
    }

    @Test func `where there is no period none is found, but by chance`() {
        var random = SplitMix64(seed: 3)
        var alarms = 0
        for seed in 0..<60 {
            let packets = packets(600, &random)
            let slow = Array(packets.shuffled(using: &random).prefix(20)).sorted()
            if let found = Periodicity.find(slow, among: packets, seed: UInt64(seed)), found.pValue < 0.05 {
                alarms += 1
            }
        }
        // 3 are expected; of 60 at 5 %, 9 or more come once in 500 such tests, and the seed is fixed.
        #expect(alarms < 9)
    }

    @Test func `few moments, and moments at one place, have no period`() {
        #expect(Periodicity.find([1, 2, 3], among: [1, 2, 3, 4], seed: 1) == nil)
        #expect(Periodicity.find([5, 5, 5, 5, 5, 5, 5], among: [5, 5, 5, 5, 5, 5, 5, 6], seed: 1) == nil)
    }
}
