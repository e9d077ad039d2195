// Slow packets for a person: where their time went, when they came, what they have in common, and the slowest of them.

import ClockSync
package import Findings
import GuestClocks
import PacketPath
import Statistics
import TraceData

/// Arranges an `Explanation` as text.
package struct ExplainText {
    private let explanation: Explanation
    private let colour: Bool
    private var text = ""

    private init(_ explanation: Explanation, colour: Bool) {
        self.explanation = explanation
        self.colour = colour
    }

    /// - Parameters:
    ///   - worst: so many of the slowest packets are shown of each flow.
    ///   - colour: set headings off with terminal attributes.
    package static func text(_ explanation: Explanation, worst: Int, colour: Bool) -> String {
        var writer = ExplainText(explanation, colour: colour)
        writer.header()
        for tail in explanation.tails {
            if explanation.question.packet == nil { writer.tail(tail, worst) } else { writer.ledger(tail) }
        }
        if explanation.tails.isEmpty { writer.line("no packet is slow by this measure") }
        return writer.text
    }

    private mutating func line(_ parts: String...) { text += parts.joined().trimmed + "\n" }

    private mutating func header() {
        let findings = explanation.findings
        let complete = findings.flows.reduce(0) { $0 + $1.complete }
        line(
            findings.session.strong(colour), "   ", Decimal.seconds(findings.account.duration), " s recorded   ",
            Decimal.counted(complete, "complete packet"))
        for note in findings.notes { line("note: ", note.text) }
    }

    private mutating func title(_ flow: Flow) {
        line()
        line(
            (flow.direction == .receive ? "RECEIVE " : "TRANSMIT").strong(colour), "  ",
            explanation.findings.stations(of: flow), "   path ", flow.path.name)
    }

    // MARK: The slow ones together

    private mutating func tail(_ tail: Tail, _ worst: Int) {
        title(tail.flow)
        let place = tail.stage.map { " in \($0.name)" } ?? ""
        line(
            "          ", Decimal.counted(tail.packets.count, "packet"), " took more than ",
            Decimal.microseconds(tail.limit), " µs", place, explanation.question.limit.text,
            "; the ", Decimal.grouped(tail.others), " others show what is usual")
        stages(tail)
        for (index, pattern) in tail.patterns.enumerated() {
            line("  ", index == 0 ? "when:     " : "          ", pattern.text(of: tail.packets.count))
        }
        for (index, shared) in tail.shared.enumerated() {
            line("  ", index == 0 ? "shared:   " : "          ", sharedText(shared, tail))
        }
        slowest(tail, worst)
    }

    private static let widths = (stage: 14, owner: 11, number: 11, share: 15, interval: 18, lift: 6)

    private mutating func stages(_ tail: Tail) {
        let widths = Self.widths
        line(
            "  ",
            ("stage".column(widths.stage) + "owner".column(widths.owner) + "usual".right(widths.number)
                + "slow".right(widths.number) + "of all time".right(widths.share)
                + "of the excess".right(widths.share) + "95 %".right(widths.interval) + "lift".right(widths.lift))
                .strong(colour), "   µs")
        for stage in tail.stages {
            let excess = stage.ofExcess
            line(
                "  ", stage.stage.name.column(widths.stage), stage.stage.owner.name.column(widths.owner),
                Decimal.microseconds(stage.usual).right(widths.number),
                (stage.slow.map { Decimal.microseconds($0) } ?? "–").right(widths.number),
                (Decimal.percent(stage.share) + " %").right(widths.share),
                (excess.map { Decimal.signedShare($0.value) + " %" } ?? "–").right(widths.share),
                (excess?.interval.map {
                    "\(Decimal.signedShare($0.lowerBound)) … \(Decimal.signedShare($0.upperBound))"
                } ?? "unknown").right(widths.interval),
                (stage.lift.map { Decimal.tenths($0) } ?? "–").right(widths.lift))
        }
    }

    private func sharedText(_ shared: SharedTrait, _ tail: Tail) -> String {
        "\(explanation.text(of: shared.trait)): \(Decimal.grouped(shared.slow)) of \(Decimal.grouped(tail.packets.count)) slow ones, "
            + "\(Decimal.grouped(shared.others)) of \(Decimal.grouped(tail.others)) others, p \(Decimal.probability(shared.pValue))"
    }

    /// The slowest packets, with the stages that took most of what is more than usual.
    private mutating func slowest(_ tail: Tail, _ worst: Int) {
        for (index, packet) in tail.slowest.prefix(worst).enumerated() {
            line(
                "  ", index == 0 ? "slowest:  " : "          ", "#\(packet.number)".column(9), "at ",
                Decimal.exactSeconds(packet.begin &- explanation.findings.zero), " s, ",
                Decimal.microseconds(packet.total),
                " µs: ", culprits(packet, tail))
        }
    }

    /// A stage that took less of the excess is not worth a word.
    private static let worthWhile = 0.05

    private func culprits(_ packet: SlowPacket, _ tail: Tail) -> String {
        let excess = packet.excess(over: tail.usual)
        let all = excess.reduce(0, &+)
        let most = excess.indices.sorted { (excess[$1], $0) < (excess[$0], $1) }
            .filter { all > 0 && Double(excess[$0]) >= Self.worthWhile * Double(all) }
        guard !most.isEmpty else { return "no stage took more than usual" }
        return most.prefix(3).map {
            "\(tail.flow.stages[$0].stage.name) \(Decimal.signed(Double(excess[$0])))"
                + " (\(Decimal.percent(Double(excess[$0]) / Double(all))) %)"
        }.joined(separator: ", ")
    }

    // MARK: One by itself

    private mutating func ledger(_ tail: Tail) {
        title(tail.flow)
        guard let packet = tail.packets.first else { return }
        let usual = tail.usual
        let excess = packet.excess(over: usual)
        let all = excess.reduce(0, &+)
        line(
            "          packet ", String(packet.number), " began at ",
            Decimal.exactSeconds(packet.begin &- explanation.findings.zero), " s: ",
            packet.traits.map { explanation.text(of: $0) }.joined(separator: ", "))
        let widths = Self.widths
        line(
            "  ",
            ("stage".column(widths.stage) + "owner".column(widths.owner) + "took".right(widths.number)
                + "usual".right(widths.number) + "more".right(widths.number)
                + "of the excess".right(widths.share)).strong(colour), "   µs")
        for stage in tail.stages {
            guard let time = packet.stages[stage.index] else { continue }
            line(
                "  ", stage.stage.name.column(widths.stage), stage.stage.owner.name.column(widths.owner),
                Decimal.microseconds(time).right(widths.number),
                Decimal.microseconds(stage.usual).right(widths.number),
                Decimal.signed(Double(excess[stage.index])).right(widths.number),
                (all > 0 ? Decimal.signedShare(Double(excess[stage.index]) / Double(all)) + " %" : "–")
                    .right(widths.share))
        }
        line(
            "  ", "end to end".column(widths.stage + widths.owner),
            Decimal.microseconds(packet.total).right(widths.number),
            "".right(widths.number), Decimal.signed(Double(all)).right(widths.number))
        passages()
    }

    /// The events, as trace-cmd report shows them.
    private mutating func passages() {
        guard !explanation.passages.isEmpty else { return }
        let width = explanation.passages.map(\.machine.count).max() ?? 0
        line()
        line(
            "  ",
            ("point".column(Self.widths.stage) + "at".right(18) + "  " + "machine".column(max(8, width + 1))
                + "CPU".column(6) + "thread".column(24) + "event").strong(colour), "   s")
        for passage in explanation.passages {
            let thread = passage.thread.map { "\($0.name ?? "<...>")-\($0.id)" } ?? "unknown"
            line(
                "  ", passage.point.name.column(Self.widths.stage), Decimal.exactSeconds(passage.time).right(18), "  ",
                passage.machine.column(max(8, width + 1)), (passage.cpu.map { String($0) } ?? "–").column(6),
                thread.column(24), passage.events.prefix(3).joined(separator: ", "),
                passage.events.count > 3 ? ", …" : "")
        }
    }
}

extension TailQuestion.Limit {
    /// " (p99)"; nothing for a time, which stands there already.
    fileprivate var text: String {
        switch self {
        case .percentile(let percent):
            " (p\(percent == percent.rounded() ? String(Int(percent)) : String(percent)))"
        case .time: ""
        }
    }
}

extension TailPattern {
    fileprivate func text(of slow: Int) -> String {
        switch self {
        case .start(let count, let share, let p):
            "\(Decimal.grouped(count)) of \(Decimal.grouped(slow)) are among the first \(Decimal.percent(share)) % of packets, "
                + "p \(Decimal.probability(p))"
        case .bursts(let count, let expected, let longest, let p):
            "in \(Decimal.counted(count, "burst")) of up to \(longest) in a row, where chance makes \(Decimal.tenths(expected)), "
                + "p \(Decimal.probability(p))"
        case .period(let found):
            "every \(Decimal.microseconds(found.period)) µs (\(Decimal.percent(found.strength)) % in step), "
                + "p \(Decimal.probability(found.pValue))"
        }
    }
}

extension Explanation {
    /// What packets have in common, for a person.
    func text(of trait: Trait) -> String {
        switch trait {
        case .delivery(let delivery): return "interrupt \(delivery.name)"
        case .queue(let queue): return "queue \(queue)"
        case .length(let length): return "\(length) bytes"
        case .vcpu(let state):
            switch state.kind {
            case .unknown: return "vCPU unknown"
            case .inGuest: return "vCPU in the guest"
            case .inHost: return "vCPU in the host (\(HostReason(code: state.by).name))"
            case .preempted where state.by == 0: return "vCPU waiting for a CPU"
            case .preempted:
                let name = findings.machines[0].file.commandLines[state.by] ?? "thread \(state.by)"
                return "vCPU preempted by \(name)"
            }
        }
    }
}
