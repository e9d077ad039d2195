// A comparison in words and JSON: what is warned of, and what is null.

import Findings
import MadeFindings
import PacketPath
import Report
import Statistics
import Testing

@Suite struct ComparisonTextTests {
    @Test func `equal arms are no evidence of a difference`() {
        let comparison = Comparison(
            [arm("a", [MadeFlow(journeys: journeys(200))]), arm("b", [MadeFlow(journeys: journeys(200))])], seed: 1)
        let text = ComparisonText.text(comparison, colour: false)
        #expect(text.contains("no evidence of a difference") && !text.contains("\u{1b}"))
        #expect(!text.contains(" lower") && !text.contains(" higher"))
    }

    @Test func `a path that only one arm has is told`() {
        let tap = MadeFlow(journeys: journeys(50))
        let xdp = MadeFlow(path: .xdp, journeys: journeys(50))
        let comparison = Comparison([arm("a", [tap, xdp]), arm("b", [tap])], seed: 1)
        #expect(comparison.flows.map(\.path) == ["tap", "xdp"])
        #expect(comparison.warnings.map(\.text).contains("rx of g3, path xdp: only a has complete packets"))
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
        ).warnings.map(\.text).joined(separator: "\n")
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
        let comparison = Comparison(
            [arm("a", [MadeFlow(journeys: journeys(10))]), arm("b", [MadeFlow(journeys: journeys(10))])], seed: 1)
        #expect(comparison.flows[0].endToEnd.versusFirst[0].verdict == .tooFew)
        #expect(comparison.warnings.map(\.text).contains { $0.contains("too few packets") })
        #expect(String(decoding: ComparisonJSON.bytes(comparison), as: UTF8.self).contains("\"ci95_ns\" : null"))
    }
}
