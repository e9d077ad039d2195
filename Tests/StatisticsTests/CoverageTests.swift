// Whether 95 % intervals hold the truth in 95 % of measurements: 2 000 seeded simulations of each case.

import Statistics
import Testing

@Suite struct CoverageTests {
    /// One kind of measurement.
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        /// Means (or quantiles) of the second arm's population minus the first's.
        let truth: Double
        /// The least and the largest coverage that is true of it, with room for the 0.5 % that chance makes of 2 000.
        let expected: ClosedRange<Double>
        let draw: @Sendable (inout Latencies) -> (first: [[Double]], second: [[Double]])

        init(
            _ description: String, truth: Double = 0, _ expected: ClosedRange<Double> = 0.935...0.965,
            _ draw: @escaping @Sendable (inout Latencies) -> (first: [[Double]], second: [[Double]])
        ) {
            self.description = description
            self.truth = truth
            self.expected = expected
            self.draw = draw
        }
    }

    static let single = [
        Case("300 lognormal packets each") { ([$0.lognormal(300, spread: 1)], [$0.lognormal(300, spread: 1)]) },
        Case("1000 and 300 lognormal packets, the second arm 20 % slower", truth: 0.2 * Latencies.lognormalMean(0.8)) {
            ([$0.lognormal(1000, spread: 0.8)], [$0.lognormal(300, spread: 0.8).map { 1.2 * $0 }])
        },
        Case("100 lognormal packets each") { ([$0.lognormal(100, spread: 0.6)], [$0.lognormal(100, spread: 0.6)]) },
        // With two outliers on average, it is wider than it need be.
        Case("100 packets with outliers each", 0.95...1) { ([$0.withOutliers(100)], [$0.withOutliers(100)]) },
        Case("500 packets with outliers each") { ([$0.withOutliers(500)], [$0.withOutliers(500)]) },
        // Nobody can tell from 300 packets how far out the six outliers of one arm may be.
        Case(
            "300 packets without outliers, 300 with them",
            truth: Latencies.outlierMean() - Latencies.lognormalMean(0.5), 0.91...0.965
        ) { ([$0.lognormal(300, spread: 0.5)], [$0.withOutliers(300)]) },
        Case("300 packets each, autocorrelation 0.5") {
            (
                [$0.dependent(300, spread: 0.7, autocorrelation: 0.5)],
                [$0.dependent(300, spread: 0.7, autocorrelation: 0.5)]
            )
        },
        Case("500 packets each, autocorrelation 0.8", 0.925...0.965) {
            (
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.8)],
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.8)]
            )
        },
        // Half a dozen stretches: packets say little here.
        Case("500 packets each, autocorrelation 0.9", 0.92...0.97) {
            (
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.9)],
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.9)]
            )
        },
    ]

    static let clustered = [
        Case("6 sessions of 100 packets each", 0.935...0.97) {
            (
                $0.sessions([100, 100, 100, 100, 100, 100], spread: 0.5, between: 0.1),
                $0.sessions([100, 100, 100, 100, 100, 100], spread: 0.5, between: 0.1)
            )
        },
        // Sizes that differ cost something: the mean leans on the large sessions.
        Case("6 sessions of 60 to 140 packets each", 0.925...0.965) {
            (
                $0.sessions([60, 80, 100, 100, 120, 140], spread: 0.5, between: 0.1),
                $0.sessions([140, 100, 60, 120, 100, 80], spread: 0.5, between: 0.1)
            )
        },
        Case("3 sessions of 100 packets each", 0.935...0.985) {
            (
                $0.sessions([100, 100, 100], spread: 0.5, between: 0.1),
                $0.sessions([100, 100, 100], spread: 0.5, between: 0.1)
            )
        },
    ]

    @Test(arguments: single + clustered)
    func `intervals of differences of means cover the truth`(example: Case) {
        var latencies = Latencies(seed: 1)
        var (covered, silent) = (0, 0)
        let runs = 2000
        for run in 0..<runs {
            let (first, second) = example.draw(&latencies)
            // Some series are found to be too much alike for any interval; those count for neither side.
            guard let interval = MeanDifference.interval(Units(first), Units(second), seed: UInt64(run), draws: 99)
            else {
                silent += 1
                continue
            }
            if interval.contains(example.truth) { covered += 1 }
        }
        let coverage = Double(covered) / Double(runs - silent)
        print("coverage of means, \(example): \(coverage), \(silent) without an interval")
        #expect(example.expected.contains(coverage) && silent < runs / 3, "\(coverage), \(silent) silent")
    }

    @Test(arguments: [0.5, 0.9])
    func `intervals of differences of quantiles cover the truth`(share: Double) {
        let sessions = [Int](repeating: 100, count: 6)
        let (mutual, between) = (0.5, 0.1)
        let single = coverage(share) { ([$0.lognormal(500, spread: 0.8)], [$0.lognormal(500, spread: 0.8)]) }
        let dependent = coverage(share) {
            (
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.6)],
                [$0.dependent(500, spread: 0.7, autocorrelation: 0.6)]
            )
        }
        let several = coverage(share) {
            (
                $0.sessions(sessions, spread: mutual, between: between),
                $0.sessions(sessions, spread: mutual, between: between)
            )
        }
        print(
            "coverage of p\(Int(share * 100)): one session each \(single), autocorrelated \(dependent), six sessions \(several)"
        )
        // They are wide rather than narrow: order statistics come in steps.
        for coverage in [single, dependent, several] { #expect(0.93...0.985 ~= coverage) }
    }

    /// Share of intervals that hold 0, of those that there are.
    private func coverage(_ share: Double, _ draw: (inout Latencies) -> ([[Double]], [[Double]])) -> Double {
        var latencies = Latencies(seed: 2)
        var (covered, all) = (0, 0)
        for _ in 0..<400 {
            let arms = draw(&latencies)
            guard let difference = QuantileDifference(arms.0, arms.1, share) else { continue }
            all += 1
            if difference.interval.contains(0) { covered += 1 }
        }
        #expect(all > 350)
        return Double(covered) / Double(all)
    }

    @Test func `a p99 has no interval before there are values beyond it`() throws {
        var latencies = Latencies(seed: 3)
        #expect(
            QuantileDifference([latencies.lognormal(100, spread: 1)], [latencies.lognormal(100, spread: 1)], 0.99)
                == nil)
        let enough = try #require(
            QuantileDifference([latencies.lognormal(2000, spread: 1)], [latencies.lognormal(2000, spread: 1)], 0.99))
        #expect(enough.interval.contains(enough.difference))
    }
}
