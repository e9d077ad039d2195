// What is held against what, what adds up to what, and what is warned of.

import PacketPath
import Report
import Statistics
import Testing

@Suite struct ComparisonTests {
    @Test func `stages explain the whole difference`() throws {
        let comparison = Comparison(
            [arm("a", [MadeFlow(journeys: journeys(200))]), arm("b", [MadeFlow(journeys: journeys(100, irq: 25_000, wakeup: 40_000))])],
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

    @Test func `equal arms are no evidence of a difference`() {
        let comparison = Comparison(
            [arm("a", [MadeFlow(journeys: journeys(200))]), arm("b", [MadeFlow(journeys: journeys(200))])], seed: 1)
        let text = ComparisonText.text(comparison, colour: false)
        #expect(text.contains("no evidence of a difference") && !text.contains("\u{1b}"))
        #expect(!text.contains(" lower") && !text.contains(" higher"))
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

    @Test func `a path that only one arm has is told`() {
        let tap = MadeFlow(journeys: journeys(50))
        let xdp = MadeFlow(path: .xdp, journeys: journeys(50))
        let comparison = Comparison([arm("a", [tap, xdp]), arm("b", [tap])], seed: 1)
        #expect(comparison.flows.map(\.path) == ["tap", "xdp"])
        #expect(comparison.warnings.contains("rx of g3, path xdp: only a has complete packets"))
    }

    @Test func `several sessions are one arm, and their spread is the interval's`() throws {
        let steady = [18_000, 21_000, 20_000].map { [MadeFlow(journeys: journeys(100, irq: $0))] }
        let other = [20_000, 18_000, 21_500].map { [MadeFlow(journeys: journeys(100, irq: $0))] }
        let comparison = Comparison([arm("a", steady[0], steady[1], steady[2]), arm("b", other[0], other[1], other[2])], seed: 1)
        let row = comparison.flows[0].endToEnd
        #expect(row.arms.map(\.summary.count) == [300, 300])
        let interval = try #require(row.versusFirst[0].interval)
        // Sessions differ by 3 µs, so 600 packets do not make it narrow.
        #expect(interval.contains(0) && interval.upperBound - interval.lowerBound > 4000)
        #expect(row.versusFirst[0].verdict == .noEvidence)
        #expect(!comparison.warnings.contains { $0.contains("one session of") })
    }

    @Test func `unequal traffic, conditions and losses are warned of, and equal ones are not`() {
        func session(_ release: String, _ lost: Int, _ flow: MadeFlow) -> ComparedArm {
            let session = ComparedSession(
                name: release, conditions: [.hostRelease: release, .hostCPUs: "2"],
                recordedEvents: ["host's kvm:kvm_exit", "host's \(release)"],
                lostEvents: lost, flows: [flow.flow])
            return ComparedArm(name: release, sessions: [session, session])
        }
        let unequal = Comparison(
            [
                session("6.1", 0, MadeFlow(journeys: journeys(100))),
                session("6.12", 7, MadeFlow(journeys: journeys(50), incomplete: 10, length: 1500)),
            ], seed: 1
        ).warnings.joined(separator: "\n")
        for words in [
            "not the same everywhere: the host's kernel: 6.1 6.1; 6.12 6.12", "lost at least 7 events",
            "numbers of packets differ: 6.1 200; 6.12 100",
            "lengths of packets differ", "shares of packets that are complete differ: 6.1 100.0 %; 6.12 83.3 %",
            "the same events were not recorded",
        ] { #expect(unequal.contains(words), "\(words) is missing from \(unequal)") }
        #expect(!unequal.contains("CPUs") && !unequal.contains("rates"))
        let flow = MadeFlow(journeys: journeys(100))
        #expect(Comparison([arm("a", [flow], [flow]), arm("b", [flow], [flow])], seed: 1).warnings.isEmpty)
    }

    @Test func `too few packets are told and give no verdict`() {
        let comparison = Comparison([arm("a", [MadeFlow(journeys: journeys(10))]), arm("b", [MadeFlow(journeys: journeys(10))])], seed: 1)
        #expect(comparison.flows[0].endToEnd.versusFirst[0].verdict == .tooFew)
        #expect(comparison.warnings.contains { $0.contains("too few packets") })
        #expect(String(decoding: ComparisonJSON.bytes(comparison), as: UTF8.self).contains("\"ci95_ns\" : null"))
    }
}
