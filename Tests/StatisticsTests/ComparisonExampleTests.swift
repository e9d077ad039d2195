// Small examples whose answers are known.

import Statistics
import Testing

@Suite struct ComparisonExampleTests {
    @Test func `Student's t has the tables' values`() {
        // Critical values of the 95 % two-sided column.
        for (degrees, value) in [(1.0, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042), (1e6, 1.960)] {
            #expect(abs(StudentT.critical(0.05, degrees: degrees) - value) < 0.0006, "\(degrees)")
            #expect(abs(StudentT.twoSided(value, degrees: degrees) - 0.05) < 0.0001, "\(degrees)")
        }
        #expect(StudentT.twoSided(0, degrees: 3) == 1)
    }

    @Test func `ranks that could not be further apart have the smallest probability`() {
        // 2 of the 20 ways to choose three of six.
        #expect(abs(RankTest.exact([1, 2, 3], [4, 5, 6]) - 0.1) < 1e-12)
        #expect(RankTest.exact([1, 4], [2, 3]) == 1)
        #expect(RankTest.exact([7, 7], [7, 7]) == 1)
    }

    @Test func `superiority counts ties as halves`() {
        #expect(RankTest.compare([[1, 2, 3]], [[2, 3, 4]]).superiority == 7.0 / 9)
        #expect(RankTest.compare([[5]], [[5]]).superiority == 0.5)
        #expect(
            EffectSize(delta: -0.2) == .small && EffectSize(delta: 0.9) == .large && EffectSize(delta: 0) == .negligible
        )
    }

    @Test func `too few packets have no verdict, and none at all no difference`() {
        let few = SampleComparison([[1, 2, 3]], [[4, 5, 6]], seed: 1)
        #expect(
            few.verdict == .tooFew && few.interval == nil && few.pValue == nil && few.difference == 3 && few.delta == 1)
        let none = SampleComparison([[]], [[4, 5, 6]], seed: 1)
        #expect(none.verdict == .tooFew && none.difference == nil)
    }

    @Test func `values without any spread differ for certain or not at all`() {
        let same = SampleComparison([[Double](repeating: 5, count: 100)], [[Double](repeating: 5, count: 100)], seed: 1)
        #expect(same.verdict == .noEvidence && same.interval == 0...0 && same.pValue == 1)
        let apart = SampleComparison(
            [[Double](repeating: 5, count: 100)], [[Double](repeating: 6, count: 100)], seed: 1)
        #expect(apart.verdict == .higher && apart.interval == 1...1 && apart.relative == 0.2)
        if let p = apart.pValue { #expect(p < 0.001) }
    }

    @Test func `the same seed gives the same interval, another one nearly`() throws {
        var latencies = Latencies(seed: 9)
        let arms = ([latencies.lognormal(300, spread: 1)], [latencies.lognormal(300, spread: 1)])
        func interval(_ seed: UInt64) throws -> ClosedRange<Double> {
            try #require(SampleComparison(arms.0, arms.1, seed: seed).interval)
        }
        #expect(try interval(1) == interval(1))
        #expect(try interval(1) != interval(2))
        #expect(try abs(interval(1).lowerBound - interval(2).lowerBound) < 0.05)
    }

    @Test func `a trend is not taken for independent packets`() {
        // Each value is near the one before: a slow wave of two periods.
        let wave = (0..<400).map { Double(1000 + abs($0 % 200 - 100)) }
        #expect(Units([wave]).count < 12)
        var latencies = Latencies(seed: 4)
        #expect(Units([latencies.lognormal(400, spread: 1)]).count == 32)
    }

    @Test func `buckets hold every value once, and are few`() {
        let values: [Int64] = [0, 1, 2, 3, 1000, 1023, 1024, 1_000_000]
        for most in [1, 8, 20] {
            let buckets = LogBuckets(values.min()!...values.max()!, most: most)
            let counts = buckets.counts(values)
            #expect(counts.count <= most && counts.reduce(0, +) == values.count)
            #expect(buckets.bounds.last! > 1_000_000)
        }
        let narrow = LogBuckets(1000...1100, most: 8)
        #expect(narrow.bounds.count > 1 && narrow.bounds[0] <= 1000)
    }
}
