// The report a person reads: what was recorded, what became of the packets, what each stage cost.

import ClockSync
package import Findings
import GuestClocks
import PacketPath
import Statistics
import TraceData

/// Arranges `SessionFindings` as text.
package struct TextReport {
    private let report: SessionFindings
    private let colour: Bool
    private var text = ""

    private init(_ report: SessionFindings, colour: Bool) {
        self.report = report
        self.colour = colour
    }

    /// - Parameter colour: set headings off with terminal attributes.
    package static func text(_ report: SessionFindings, colour: Bool) -> String {
        var writer = TextReport(report, colour: colour)
        writer.header()
        writer.notes()
        for flow in report.flows { writer.flow(flow) }
        for packets in report.guestToGuest { writer.guestToGuest(packets) }
        return writer.text
    }

    private mutating func line(_ parts: String...) { text += parts.joined() + "\n" }

    // MARK: Session

    private mutating func header() {
        let account = report.account
        let recorded = Decimal.seconds(account.duration) + " s"
        var parts = [
            report.measuredDuration.map { "measured \(Decimal.seconds($0)) s of \(recorded) recorded" } ?? recorded
        ]
        for machine in report.machines {
            let cpus = machine.role == .host ? "CPU" : "vCPU"
            parts.append(
                "\(machine.role.rawValue) \(machine.name): \(machine.cpuCount) \(cpus)\(machine.cpuCount == 1 ? "" : "s"), Linux "
                    + (machine.file.options.release ?? "of unknown release"))
        }
        let events = account.machines.reduce(0) { $0 + $1.events }
        parts.append("\(Decimal.grouped(events)) events, \(lostText)")
        line(report.session.strong(colour), "   ", parts.joined(separator: "   "))
        for index in report.machines.indices where report.machines[index].role == .guest { clock(index) }
        if let cost = report.cost.text { line("recording".column(report.session.count + 3), cost) }
    }

    private var lostText: String {
        let lost = report.account.machines.reduce(0) { $0 &+ $1.lostEvents }
        let holes = report.account.machines.reduce(0) { $0 + $1.holes }
        if lost == 0 && holes == 0 { return "none lost" }
        return (lost > 0 ? "at least \(Decimal.grouped(lost))" : "an unknown number")
            + " lost in \(holes) hole\(holes == 1 ? "" : "s")"
    }

    private mutating func clock(_ index: Int) {
        let clock = report.clock(index)
        let method = report.machines[index].maps[0].method.name
        let contained = clock.containment
        let check =
            contained.inside + contained.outside == 0
            ? "not checked against entry windows"
            : "\(Decimal.grouped(contained.inside)) guest events inside their entry windows, \(Decimal.grouped(contained.outside)) outside"
        let whose = report.machines.count > 2 ? " \(report.machines[index].name)" : ""
        line(
            "clock\(whose)".column(report.session.count + 3), method, ", ", ClockMap.text(ofError: clock.error), "; ",
            check)
    }

    private mutating func notes() {
        for note in report.notes { line("note: ", note.text) }
    }

    // MARK: Flows

    private mutating func flow(_ flow: Flow) {
        let title = flow.direction == .receive ? "RECEIVE " : "TRANSMIT"
        line()
        line(
            title.strong(colour), "  ", report.stations(of: flow), "   path \(flow.path.name)   ",
            Decimal.grouped(flow.seen), " packets seen, ", packets(flow))
        if flow.isKnownByOrderAlone {
            line("          identity: by order alone, which no length confirms (native XDP has no skb)")
        }
        let classes = Delivery.allCases.filter { flow.count($0) > 0 }.sorted { flow.count($0) > flow.count($1) }
        if !classes.isEmpty {
            line("          interrupt: ", classes.map { "\(flow.count($0)) \($0.name)" }.joined(separator: ", "))
        }
        guard flow.complete > 0 else { return }
        withoutCall(flow.withoutCall, of: flow.complete)
        states(flow)
        stages(flow)
    }

    /// Where the ways of the table begin, if not with the send call of each packet.
    private mutating func withoutCall(_ count: Int, of complete: Int) {
        guard count > 0 else { return }
        let isAll = count == complete
        line(
            "          send call: ",
            isAll ? "none is known of these packets" : "\(Decimal.counted(count, "more packet")) without a known one",
            " (the kernel's own, or sent in a way that no event tells of): ",
            isAll ? "the table begins with the driver" : "they begin with the driver, and are not in the table")
    }

    /// What vCPUs were doing when they were kicked, and who had the CPUs of those that were preempted.
    private mutating func states(_ flow: Flow) {
        func list(_ counts: [(name: String, count: Int)]) -> String {
            counts.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
        }
        let preempters = report.preempters(flow)
        if !preempters.isEmpty { line("          preempted by: ", list(preempters)) }
        let exits = report.exits(flow)
        let inHost = exits.reduce(0) { $0 + $1.count }
        var places: [String] = []
        if flow.vcpuStates.inGuest > 0 { places.append("in the guest \(flow.vcpuStates.inGuest)") }
        if inHost > 0 { places.append("in the host \(inHost) (\(list(exits)))") }
        if !places.isEmpty { line("          vCPU was: ", places.joined(separator: ", ")) }
    }

    /// "300 complete, 1 trace-edge, 2 dropped (NO_SOCKET 2)"
    private func packets(_ flow: Flow) -> String {
        var parts = ["\(Decimal.grouped(flow.complete)) complete"]
        for outcome in Outcome.allCases where outcome != .complete && flow.count(outcome) > 0 {
            var part = "\(Decimal.grouped(flow.count(outcome))) \(outcome.name)"
            if outcome == .dropped {
                let symbols = report.dropReasons()
                let reasons = flow.dropReasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                part +=
                    " ("
                    + reasons.map { "\(symbols[UInt64($0.key)] ?? "reason \($0.key)") \($0.value)" }.joined(
                        separator: ", ") + ")"
            }
            parts.append(part)
        }
        return parts.joined(separator: ", ")
    }

    private mutating func guestToGuest(_ packets: GuestToGuest) {
        let names = report.names
        let ends = [
            "\(report.machines[packets.from.machine].name) \(names.name(packets.from.device))",
            names.name(packets.from.hostDevice),
            names.name(packets.to.hostDevice),
            "\(report.machines[packets.to.machine].name) \(names.name(packets.to.device))",
        ].filter { !$0.isEmpty }
        line()
        line(
            "GUEST TO GUEST".strong(colour), "  ", ends.joined(separator: " → "), "   path \(packets.path.name)   ",
            Decimal.grouped(packets.seen),
            " packets seen, ", Decimal.grouped(packets.complete), " complete")
        guard packets.complete > 0 else { return }
        withoutCall(packets.withoutCall, of: packets.complete)
        heading()
        for (machine, stage) in packets.stages where stage.samples.count > 0 {
            let share = packets.share(stage)
            row(
                stage.stage.name, stage.stage.owner.name, stage.samples.summary,
                (Decimal.percent(share) + " %").right(Self.widths.share) + "  " + bar(share) + "  "
                    + report.machines[machine].name)
        }
        row("end to end", "", packets.endToEnd.summary, "")
    }

    private static let widths = (stage: 14, owner: 11, count: 7, number: 10, share: 8)

    private mutating func heading() {
        let heads = ["min", "avg", "p50", "p99", "max", "stddev"].map { $0.right(Self.widths.number) }.joined()
        line(
            "  ",
            ("stage".column(Self.widths.stage) + "owner".column(Self.widths.owner) + "count".right(Self.widths.count)
                + heads + "share".right(Self.widths.share)).strong(colour), "   µs")
    }

    private mutating func stages(_ flow: Flow) {
        heading()
        for stage in flow.stages where stage.samples.count > 0 {
            let share = flow.share(stage)
            row(
                stage.stage.name, stage.stage.owner.name, stage.samples.summary,
                (Decimal.percent(share) + " %").right(Self.widths.share) + "  " + bar(share) + uncertainty(stage, flow))
            host(stage.host)
        }
        row("end to end", "", flow.endToEnd.summary, "")
        let owners = Owner.allCases.compactMap { owner -> String? in
            let total = flow.stages.filter { $0.stage.owner == owner }.reduce(Int128(0)) { $0 + $1.samples.total }
            guard total > 0, flow.endToEnd.total > 0 else { return nil }
            return "\(owner.name) \(Decimal.percent(Double(total) / Double(flow.endToEnd.total))) %"
        }
        line("  by owner: ", owners.joined(separator: ", "))
    }

    private mutating func row(_ name: String, _ owner: String, _ summary: Summary, _ tail: String) {
        let numbers = [
            Decimal.microseconds(summary.minimum), Decimal.microseconds(summary.mean),
            Decimal.microseconds(summary.p50),
            Decimal.microseconds(summary.p99), Decimal.microseconds(summary.maximum),
            Decimal.microseconds(summary.standardDeviation),
        ]
        line(
            "  ", name.column(Self.widths.stage), owner.column(Self.widths.owner),
            String(summary.count).right(Self.widths.count),
            numbers.map { $0.right(Self.widths.number) }.joined(), tail)
    }

    /// The part of a guest's stage that its vCPU was not in the guest; of the stage are also its share and reasons.
    private mutating func host(_ host: HostShare) {
        guard host.total > 0 else { return }
        let reasons = host.sortedReasons.prefix(4).map { reason in
            "\(reason.reason.name) \(Decimal.microseconds(Double(reason.total) / Double(host.count)))"
        }
        line(
            "  ", "  of which host".column(Self.widths.stage + Self.widths.owner),
            String(host.count).right(Self.widths.count),
            "".right(Self.widths.number), Decimal.microseconds(host.mean).right(Self.widths.number), "  ",
            Decimal.percent(host.shareOfStage), " % of the stage: ", reasons.joined(separator: ", "))
    }

    /// What the clocks' error does to a stage that crosses from machine to machine; nothing where they are exact.
    private func uncertainty(_ stage: Flow.StageSamples, _ flow: Flow) -> String {
        guard stage.stage.crossesMachines, let error = report.machines[flow.machine].maps[0].largestErrorBound,
            error > ClockMap.exactBound
        else { return "" }
        let isDecided = stage.samples.summary.mean.magnitude > Double(error)
        return "  clock ± \(Decimal.microseconds(error))" + (isDecided ? "" : ", more than the stage itself")
    }

    /// One block for an eighth of the whole.
    private func bar(_ share: Double) -> String { .bar(eighths: Int((share * 64).rounded())) }
}

extension SessionFindings {
    /// What a flow's packets pass, in their order: "nic0 → tap0 → g3 eth0".
    func stations(of flow: Flow) -> String {
        let guest = "\(machines[flow.machine].name) \(flow.path == .host ? "app" : names.name(flow.device))"
        let nic = flow.nics.isEmpty ? "" : flow.nics.map { names.name($0) }.sorted().joined(separator: ",")
        let tap = names.name(flow.hostDevice)
        let stations = flow.direction == .receive ? [nic, tap, guest] : [guest, tap, nic]
        return stations.filter { !$0.isEmpty }.joined(separator: " → ")
    }
}
