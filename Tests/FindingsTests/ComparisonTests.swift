// What is held against what, what adds up to what, and what is warned of.

import Findings
import MadeFindings
import PacketPath
import Statistics
import Testing

@Suite struct ComparisonTests {
    @Test func `stages explain the whole difference`() throws {
        let comparison = Comparison(
            [
                arm("a", [MadeFlow(journeys: journeys(200))]),
                arm("b", [MadeFlow(journeys: journeys(100, irq: 25_000, wakeup: 40_000))]),
            ],
            seed: 1)
        let flow = try #require(comparison.flows.first)
        #expect(comparison.flows.count == 1 && flow.stages.map(\.stage.name) == ["irq", "vhost-wakeup"])
        for index in 0...1 {
            let sum = flow.stages.reduce(0) { $0 + $1.row.arms[index].contribution }
            #expect(abs(sum - flow.endToEnd.arms[index].summary.mean) < 1e-6)
        }
        let difference = try #require(flow.endToEnd.versusFirst[0].difference)
        #expect(abs(flow.stages.reduce(0) { $0 + $1.row.contributionDifference(1) } - difference) < 1e-6)
        #expect(flow.stages[0].row.versusFirst[0].verdict == .higher)
        #expect(flow.stages[1].row.versusFirst[0].verdict == .lower)
        // A stage's own mean is over the journeys that have it, its contribution over all.
        let wakeup = flow.stages[1].row.arms[0]
        #expect(abs(wakeup.contribution - wakeup.summary.mean * 0.75) < 1e-6 && wakeup.summary.count == 150)
    }

    @Test func `where no arm has two paths or guests, they are what is compared`() throws {
        let comparison = Comparison(
            [
                arm("tap", [MadeFlow(journeys: journeys(50))]),
                arm("bare", [MadeFlow(machine: "l1", path: .host, journeys: journeys(50))]),
            ], seed: 1)
        #expect(comparison.flows.count == 1)
        #expect(comparison.flows[0].machine == "g3/l1" && comparison.flows[0].path == "tap/host")
    }

    @Test func `two guests are held against their own kind`() {
        let two = [MadeFlow(machine: "g3", journeys: journeys(50)), MadeFlow(machine: "g4", journeys: journeys(50))]
        let comparison = Comparison([arm("a", two), arm("b", Array(two.reversed()))], seed: 1)
        #expect(comparison.flows.map(\.machine) == ["g3", "g4"])
        #expect(comparison.flows.allSatisfy { $0.endToEnd.arms.map(\.summary.count) == [50, 50] })
    }

    @Test func `several sessions are one arm, and their spread is the interval's`() throws {
        let steady = [18_000, 21_000, 20_000].map { [MadeFlow(journeys: journeys(100, irq: $0))] }
        let other = [20_000, 18_000, 21_500].map { [MadeFlow(journeys: journeys(100, irq: $0))] }
        let comparison = Comparison(
            [arm("a", steady[0], steady[1], steady[2]), arm("b", other[0], other[1], other[2])], seed: 1)
        let row = comparison.flows[0].endToEnd
        #expect(row.arms.map(\.summary.count) == [300, 300])
        let interval = try #require(row.versusFirst[0].interval)
        // Sessions differ by 3 µs, so 600 packets do not make it narrow.
        #expect(interval.contains(0) && interval.upperBound - interval.lowerBound > 4000)
        #expect(row.versusFirst[0].verdict == .noEvidence)
        #expect(!comparison.warnings.contains { if case .singleSessions = $0 { true } else { false } })
    }
}
