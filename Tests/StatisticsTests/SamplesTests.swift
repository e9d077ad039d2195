// Summaries of sets of samples.

import Statistics
import Testing

@Suite struct SamplesTests {
    @Test func `no values have no spread and no quantiles`() {
        let summary = Samples().summary
        #expect(summary.count == 0 && summary.mean == 0 && summary.standardDeviation == 0 && summary.p99 == 0)
    }

    @Test func `one value is all of its summary`() {
        var samples = Samples()
        samples.add(1234)
        let summary = samples.summary
        #expect(summary.minimum == 1234 && summary.maximum == 1234 && summary.p50 == 1234 && summary.p999 == 1234)
        #expect(summary.mean == 1234 && summary.standardDeviation == 0)
    }

    @Test func `mean and standard deviation are exact where sums of squares would cancel`() {
        var samples = Samples()
        // A tiny spread on a large base: 10^15 ± 1.
        for value: Int64 in [999_999_999_999_999, 1_000_000_000_000_000, 1_000_000_000_000_001] { samples.add(value) }
        #expect(samples.mean == 1e15)
        #expect(samples.standardDeviation == 1)
    }

    @Test func `quantiles have three significant digits and stay within the extremes`() {
        var samples = Samples()
        var values: [Int64] = []
        var generator = LinearCongruential(state: 42)
        for _ in 0..<20_000 {
            // Latency-like: a bulk and a long tail.
            let value =
                Int64(generator.next() % 100_000)
                + (generator.next() % 100 == 0 ? Int64(generator.next() % 50_000_000) : 0)
            values.append(value)
            samples.add(value)
        }
        values.sort()
        for percent in [50.0, 90, 99, 99.9] {
            let exact = values[Int((Double(values.count) * percent / 100).rounded(.up)) - 1]
            #expect(abs(samples.percentiles([percent])[0] - exact) <= max(1, exact / 1000), "p\(percent)")
        }
        #expect(samples.minimum == values.first! && samples.maximum == values.last!)
        #expect(samples.percentiles([100])[0] == values.last!)
        #expect(samples.total == Int128(values.reduce(0, +)))
    }
}

/// The same numbers in every run.
private struct LinearCongruential {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
