// The comparison a person reads: the classic table, then each flow stage by stage, what explains its difference, and
// its shape.

package import Findings
import PacketPath
import Statistics

/// Arranges a `Comparison` as text.
package struct ComparisonText {
    private let comparison: Comparison
    private let colour: Bool
    private var text = ""

    private init(_ comparison: Comparison, colour: Bool) {
        self.comparison = comparison
        self.colour = colour
    }

    /// - Parameter colour: set headings off with terminal attributes.
    package static func text(_ comparison: Comparison, colour: Bool) -> String {
        var writer = ComparisonText(comparison, colour: colour)
        writer.arms()
        for warning in comparison.warnings { writer.line("note: ", warning.text) }
        if comparison.flows.isEmpty { return writer.text }
        writer.table()
        for flow in comparison.flows { writer.flow(flow) }
        if comparison.arms.count > 1 { writer.legend() }
        return writer.text
    }

    private var names: [String] { comparison.arms.map(\.name) }
    private var armWidth: Int { max(12, (names.map(\.count).max() ?? 0) + 2) }

    private mutating func line(_ parts: String...) { text += parts.joined().trimmed + "\n" }

    // MARK: The arms

    private mutating func arms() {
        for arm in comparison.arms {
            let conditions = arm.sessions.first?.conditions ?? [:]
            func plural(_ number: String?, _ noun: String) -> String? {
                number.map { "\($0) \(noun)\($0 == "1" ? "" : "s")" }
            }
            let host = [plural(conditions[.hostCPUs], "CPU"), conditions[.hostRelease].map { "Linux \($0)" }].compactMap
            { $0 }
            let guests = [plural(conditions[.guestCPUs], "vCPU"), conditions[.guestRelease].map { "Linux \($0)" }]
                .compactMap { $0 }
            var parts = [
                Decimal.counted(arm.sessions.count, "session"), "\(Decimal.counted(arm.journeys, "packet")) complete",
                "host: " + host.joined(separator: ", "),
            ]
            if !guests.isEmpty { parts.append("guests: " + guests.joined(separator: ", ")) }
            line(arm.name.column(armWidth).strong(colour), " ", parts.joined(separator: "   "))
        }
    }

    // MARK: The classic table

    private static let number = 9
    private static let widths = (stage: 14, difference: 11, interval: 21, change: 9, p: 8, effect: 18)

    private mutating func table() {
        for direction in Direction.allCases where comparison.flows.contains(where: { $0.direction == direction }) {
            line()
            let heads = ["packets", "min", "avg", "max", "stddev", "p50", "p99"].map { $0.right(Self.number) }.joined()
            line(
                (direction == .receive ? "RECEIVE " : "TRANSMIT").strong(colour), "  end to end, µs", "\n  ",
                ("arm".column(armWidth) + "guest".column(12) + "path".column(9) + heads).strong(colour))
            for flow in comparison.flows where flow.direction == direction {
                for (index, name) in names.enumerated() where !flow.arms[index].isEmpty {
                    let summary = flow.endToEnd.arms[index].summary
                    let numbers = [
                        Decimal.grouped(summary.count), Decimal.microseconds(summary.minimum),
                        Decimal.microseconds(summary.mean),
                        Decimal.microseconds(summary.maximum), Decimal.microseconds(summary.standardDeviation),
                        Decimal.microseconds(summary.p50), Decimal.microseconds(summary.p99),
                    ]
                    let machines = Set(flow.arms[index].map(\.machine)).sorted().joined(separator: "/")
                    line(
                        "  ", name.column(armWidth), machines.column(12), flow.paths(index).column(9),
                        numbers.map { $0.right(Self.number) }.joined())
                }
            }
        }
    }

    // MARK: One flow

    private mutating func flow(_ flow: FlowComparison) {
        guard names.count > 1 else { return histogram(flow) }
        line()
        line(
            (flow.direction == .receive ? "RECEIVE " : "TRANSMIT").strong(colour),
            "  \(flow.machine)   path \(flow.path)",
            flow.isFromDriver ? "   from the driver on" : "")
        let heads =
            ["count", "avg", "p50", "p99", "stddev"].map { $0.right(Self.number) }.joined()
            + "difference".right(Self.widths.difference)
        line(
            "  ",
            ("stage".column(Self.widths.stage) + "arm".column(armWidth) + heads + "  "
                + "95 % interval".column(Self.widths.interval)
                + "change".column(Self.widths.change) + "p".column(Self.widths.p) + "effect".column(Self.widths.effect)
                + "verdict").strong(
                    colour))
        row("end to end", flow.endToEnd)
        for (stage, row) in flow.stages { self.row(stage.name, row) }
        for index in names.indices.dropFirst() { explanation(flow, index) }
        histogram(flow)
    }

    private mutating func row(_ title: String, _ row: ComparedRow) {
        var title = title
        // Stages that only some arms have are not those of the others.
        for (index, name) in names.enumerated() where row.arms[index].summary.count > 0 {
            let summary = row.arms[index].summary
            let numbers = [
                Decimal.grouped(summary.count), Decimal.microseconds(summary.mean), Decimal.microseconds(summary.p50),
                Decimal.microseconds(summary.p99), Decimal.microseconds(summary.standardDeviation),
            ]
            line(
                "  ", title.column(Self.widths.stage), name.column(armWidth),
                numbers.map { $0.right(Self.number) }.joined(),
                index > 0 ? versus(row.versusFirst[index - 1]) : "")
            title = ""
        }
    }

    private func versus(_ versus: SampleComparison) -> String {
        guard let difference = versus.difference else { return "" }
        let widths = Self.widths
        let interval =
            versus.interval.map { "\(Decimal.signed($0.lowerBound)) … \(Decimal.signed($0.upperBound))" } ?? "-"
        let effect = versus.delta.map { "\(Decimal.signedHundredths($0)) \(EffectSize(delta: $0).rawValue)" } ?? ""
        let change = versus.relative.map { "\(Decimal.signedPercent($0)) %" } ?? ""
        let p = versus.pValue.map(Decimal.probability) ?? "-"
        let isDifferent = versus.verdict == .lower || versus.verdict == .higher
        let verdict = versus.verdict.rawValue + (versus.isByRankAlone ? ", by rank" : "")
        return Decimal.signed(difference).right(widths.difference) + "  " + interval.column(widths.interval)
            + change.column(widths.change) + p.column(widths.p) + effect.column(widths.effect)
            + (isDifferent ? verdict.strong(colour) : verdict)
    }

    /// What each stage adds to the difference of the end-to-end means, the largest part first.
    private mutating func explanation(_ flow: FlowComparison, _ index: Int) {
        guard let difference = flow.endToEnd.versusFirst[index - 1].difference else { return }
        let parts = flow.stages.map { (name: $0.stage.name, part: $0.row.contributionDifference(index)) }
            .filter { $0.part != 0 }.sorted { abs($0.part) > abs($1.part) }
        let listed = parts.prefix(6).map { "\($0.name) \(Decimal.signed($0.part))" }
        let rest = parts.dropFirst(6).reduce(0) { $0 + $1.part }
        line(
            "  \(names[index]) against \(names[0]): \(Decimal.signed(difference)) µs = ",
            (listed + (parts.count > 6 ? ["the rest \(Decimal.signed(rest))"] : [])).joined(separator: ", "))
    }

    // MARK: Its shape

    private static let barWidth = 24

    /// End-to-end times of each arm, in buckets that grow by a constant factor.
    private mutating func histogram(_ flow: FlowComparison) {
        let filled = flow.endToEnd.arms.map(\.summary).filter { $0.count > 0 }
        guard let low = filled.map(\.minimum).min(), let high = filled.map(\.maximum).max() else { return }
        let buckets = LogBuckets(low...high, most: 16)
        let counts = flow.endToEnd.arms.map { buckets.counts($0.samples.joined()) }
        line()
        let heads = names.map { $0.column(Self.barWidth + 10) }.joined()
        line("  ", ("µs".right(20) + "   " + heads).strong(colour))
        for bucket in buckets.bounds.indices.dropLast() {
            let range =
                "\(Decimal.microseconds(buckets.bounds[bucket])) … \(Decimal.microseconds(buckets.bounds[bucket + 1]))"
            let bars = counts.map { counts in
                let share = Double(counts[bucket]) / Double(max(1, counts.max() ?? 1))
                return (bar(share) + (counts[bucket] > 0 ? " \(Decimal.grouped(counts[bucket]))" : "")).column(
                    Self.barWidth + 10)
            }
            line("  ", range.right(20), "   ", bars.joined())
        }
    }

    /// - Parameter share: of the longest bar of an arm.
    private func bar(_ share: Double) -> String {
        .bar(eighths: share > 0 ? max(1, Int((share * Double(Self.barWidth * 8)).rounded())) : 0)
    }

    private mutating func legend() {
        let rows = comparison.flows.reduce(0) { $0 + ($1.stages.count + 1) * (names.count - 1) }
        let isClustered = comparison.arms.allSatisfy { $0.sessions.count > 1 }
        line()
        line(
            "difference: of means, against \(names[0]); interval: ",
            isClustered
                ? "Welch's, of the sessions' means; p: ranks of the sessions' medians"
                : "bootstrap-t over stretches of a session; p: Brunner and Munzel's test of ranks")
        line(
            "effect: Cliff's delta, above 0 where packets of the arm take longer; verdict: by the interval, or by ranks where p < 0.01. ",
            "Of \(rows) intervals, \(Decimal.grouped(max(1, (rows + 10) / 20))) \(rows < 30 ? "is" : "are") expected to miss by chance: the end to end counts first"
        )
    }
}
