// Verdicts on arms that do not differ are wrong one time in twenty; on arms that do, they are right.

import Statistics
import Testing

@Suite struct FalseAlarmTests {
    private func rejections(_ runs: Int, seed: UInt64, _ draw: (inout Latencies) -> ([[Double]], [[Double]])) throws
        -> Double
    {
        var latencies = Latencies(seed: seed)
        var count = 0
        for _ in 0..<runs {
            let (first, second) = draw(&latencies)
            if try #require(RankTest.compare(first, second).pValue) < 0.05 { count += 1 }
        }
        return Double(count) / Double(runs)
    }

    @Test func `the rank test is wrong one time in twenty where arms are equal`() throws {
        let skewed = try rejections(600, seed: 1) { ([$0.lognormal(200, spread: 1)], [$0.lognormal(200, spread: 1)]) }
        // Equal medians, unequal spreads: Mann and Whitney's test would count the spread.
        let spread = try rejections(600, seed: 2) { ([$0.lognormal(100, spread: 1)], [$0.lognormal(300, spread: 0.3)]) }
        let dependent = try rejections(600, seed: 3) {
            (
                [$0.dependent(300, spread: 0.5, autocorrelation: 0.6)],
                [$0.dependent(300, spread: 0.5, autocorrelation: 0.6)]
            )
        }
        print("false alarms of ranks: skewed \(skewed), unequal spreads \(spread), autocorrelated \(dependent)")
        for rate in [skewed, spread, dependent] { #expect(0.025...0.08 ~= rate) }
    }

    @Test func `sessions that differ are no difference between arms`() throws {
        let six = [Int](repeating: 60, count: 6)
        let rate = try rejections(1000, seed: 4) {
            ($0.sessions(six, spread: 0.4, between: 0.3), $0.sessions(six, spread: 0.4, between: 0.3))
        }
        // The exact test's own level with six and six is 4.1 %.
        print("false alarms of sessions' medians: \(rate)")
        #expect(0.02...0.06 ~= rate)
    }

    @Test func `verdicts on equal arms are false alarms one time in twenty`() {
        var latencies = Latencies(seed: 5)
        var alarms = 0
        for run in 0..<300 {
            let arms = ([latencies.lognormal(300, spread: 0.8)], [latencies.lognormal(300, spread: 0.8)])
            if SampleComparison(arms.0, arms.1, seed: UInt64(run), draws: 199).verdict != .noEvidence { alarms += 1 }
        }
        print("false alarms of verdicts: \(Double(alarms) / 300)")
        #expect(0.02...0.085 ~= Double(alarms) / 300)
    }

    @Test func `what most packets show is not hidden by a few far out`() {
        var latencies = Latencies(seed: 7)
        var (first, second) = (
            latencies.lognormal(300, spread: 0.3), latencies.lognormal(300, spread: 0.3).map { $0 * 0.8 }
        )
        (first[70], second[200], second[20]) = (90, 200, 60)
        let comparison = SampleComparison([first], [second], seed: 1)
        #expect(comparison.interval?.contains(0) == true)
        #expect(comparison.verdict == .lower && comparison.isByRankAlone)
    }

    @Test func `a real difference is found`() {
        var latencies = Latencies(seed: 6)
        var (found, ranks, apart) = (0, 0, 0)
        for run in 0..<100 {
            let arms = (
                [latencies.lognormal(300, spread: 0.5)], [latencies.lognormal(300, spread: 0.5).map { $0 * 1.2 }]
            )
            let comparison = SampleComparison(arms.0, arms.1, seed: UInt64(run), draws: 199)
            if comparison.verdict == .higher { found += 1 }
            if let p = comparison.pValue, p < 0.05 { ranks += 1 }
            let six = [Int](repeating: 50, count: 6)
            let sessions = (
                latencies.sessions(six, spread: 0.5, between: 0.05),
                latencies.sessions(six, spread: 0.5, between: 0.05).map { $0.map { $0 * 0.8 } }
            )
            if SampleComparison(sessions.0, sessions.1, seed: UInt64(run)).verdict == .lower { apart += 1 }
        }
        print("found of 100: \(found) by means, \(ranks) by ranks, \(apart) of sessions")
        #expect(found >= 95 && ranks >= 95 && apart >= 90)
    }
}
