// What else than the arms' own difference could make their times differ: conditions, losses, traffic, and too few of anything.

import PacketPath
import Statistics

extension Comparison {
    /// One sentence each; none for arms that were measured alike, several times.
    package var warnings: [String] {
        notes + conditionWarnings + eventWarnings + lossWarnings + pointWarnings + flows.flatMap { trafficWarnings($0) + sizeWarnings($0) }
            + sessionWarnings
    }

    /// What each session's own analysis says.
    private var notes: [String] {
        arms.flatMap { arm in arm.sessions.flatMap { session in session.notes.map { "\(label(session, of: arm)): \($0)" } } }
    }

    private func label(_ session: ComparedSession, of arm: ComparedArm) -> String {
        session.name == arm.name ? arm.name : "\(arm.name), \(session.name)"
    }

    /// "a 1, 2; b 3", where sessions differ.
    private func differences<Value: Hashable>(_ value: (ComparedSession) -> Value?, _ text: (Value) -> String) -> String? {
        let values = arms.map { arm in
            var list: [Value] = []
            for case let value? in arm.sessions.map(value) where !list.contains(value) { list.append(value) }
            return list
        }
        guard Set(values.joined()).count > 1 else { return nil }
        return zip(arms, values).map { arm, list in
            "\(arm.name) " + (list.isEmpty ? "unknown" : list.map(text).joined(separator: ", "))
        }.joined(separator: "; ")
    }

    private var conditionWarnings: [String] {
        ComparedSession.Condition.allCases.compactMap { condition in
            differences({ $0.conditions[condition] }, { $0 }).map { "not the same everywhere: \(condition.rawValue): \($0)" }
        }
    }

    /// More events cost more time.
    private var eventWarnings: [String] {
        var sets = arms.flatMap { arm in arm.sessions.compactMap { session in session.recordedEvents.map { (arm.name, $0) } } }
        // A session without guests lacks no event of theirs.
        let roles = sets.map { Set($0.1.map { $0.prefix { $0 != " " } }) }
        guard let common = roles.first.map({ roles.reduce($0) { $0.intersection($1) } }) else { return [] }
        sets = sets.map { ($0.0, $0.1.filter { common.contains($0.prefix { $0 != " " }) }) }
        guard let all = sets.first?.1, sets.contains(where: { $0.1 != all }) else { return [] }
        let everywhere = sets.reduce(all) { $0.intersection($1.1) }
        var parts: [String] = []
        for arm in arms {
            let extra = sets.filter { $0.0 == arm.name }.reduce(into: Set<String>()) { $0.formUnion($1.1) }.subtracting(everywhere).sorted()
            guard !extra.isEmpty else { continue }
            let more = extra.count > 4 ? " and \(extra.count - 4) more" : ""
            parts.append("\(arm.name) has \(extra.prefix(4).joined(separator: ", "))\(more)")
        }
        return ["the same events were not recorded everywhere, and each costs time: " + parts.joined(separator: "; ")]
    }

    private var lossWarnings: [String] {
        arms.flatMap { arm in
            arm.sessions.filter { $0.lostEvents != 0 }.map { session in
                let count =
                    session.lostEvents > 0 ? "at least \(Decimal.counted(session.lostEvents, "event"))" : "an unknown number of events"
                return
                    "\(label(session, of: arm)) lost \(count): packets that touched a hole are not in its numbers, which may be the slow ones"
            }
        }
    }

    /// Ways of packets that begin at different points are not held against each other.
    private var pointWarnings: [String] {
        flows.filter(\.isFromDriver).compactMap { flow in
            let others = flows.filter {
                !$0.isFromDriver && $0.direction == flow.direction && ($0.machine == flow.machine || $0.path == flow.path)
            }
            func names(_ flow: FlowComparison) -> [String] {
                arms.indices.filter { flow.arms[$0].contains { $0.complete > 0 } }.map { arms[$0].name }
            }
            let with = others.flatMap(names)
            guard !with.isEmpty else { return nil }
            return
                "\(title(flow)): no send call is known in \(names(flow).joined(separator: ", ")), where packets begin with the driver; those of "
                + "\(with.joined(separator: ", ")) begin with the call, and are not compared with them"
        }
    }

    // MARK: Traffic

    /// "rx of g3, path tap"
    private func title(_ flow: FlowComparison) -> String {
        let isTold =
            flow.path.contains("/")
            || !flows.contains { $0.direction == flow.direction && $0.machine == flow.machine && $0.path != flow.path }
        return "\(flow.direction.name) of \(flow.machine)" + (isTold ? "" : ", path \(flow.path)")
    }

    /// Values that differ by more than a share of the largest.
    private func unequal(_ values: [Double], by tolerance: Double) -> Bool {
        guard let low = values.min(), let high = values.max() else { return false }
        return high - low > tolerance * high
    }

    private func perArm(_ texts: [String]) -> String { zip(arms, texts).map { "\($0.name) \($1)" }.joined(separator: "; ") }

    private func trafficWarnings(_ flow: FlowComparison) -> [String] {
        var warnings: [String] = []
        let present = flow.arms.indices.filter { flow.endToEnd.arms[$0].summary.count > 0 }
        guard present.count > 1 else {
            if arms.count == 1, !present.isEmpty { return [] }
            let names = present.map { arms[$0].name }.joined(separator: ", ")
            return ["\(title(flow)): " + (names.isEmpty ? "no arm has complete packets" : "only \(names) has complete packets")]
        }
        func warn(_ what: String, _ values: [Double?], by tolerance: Double, _ text: (Double) -> String) {
            guard unequal(values.compactMap { $0 }, by: tolerance) else { return }
            warnings.append("\(title(flow)): \(what) differ: " + perArm(values.map { $0.map(text) ?? "unknown" }))
        }
        warn("numbers of packets", flow.arms.map { Double($0.reduce(0) { $0 + $1.complete }) }, by: 0.1) { Decimal.grouped(Int($0)) }
        warn("rates of packets", flow.arms.map(Self.rate), by: 0.2) { "\(Decimal.thousandths($0)) a second" }
        warn("lengths of packets", flow.arms.map(Self.length), by: 0.01) { "\(Int($0.rounded())) bytes on average" }
        let shares = flow.arms.map { arm -> Double? in
            let seen = arm.reduce(0) { $0 + $1.seen }
            return seen == 0 ? nil : Double(arm.reduce(0) { $0 + $1.complete + $1.withoutCall }) / Double(seen)
        }
        warn("shares of packets that are complete", shares, by: 0.02) { "\(Decimal.percent($0)) %" }
        return warnings
    }

    /// Complete packets a second; nil where there are not two.
    private static func rate(_ flows: [ComparedFlow]) -> Double? {
        let timed = flows.filter { $0.complete > 1 }
        let time = timed.reduce(0.0) { sum, flow in sum + (flow.span.map { Double($0.upperBound - $0.lowerBound) } ?? 0) }
        return time > 0 ? Double(timed.reduce(0) { $0 + $1.complete - 1 }) / time * 1e9 : nil
    }

    private static func length(_ flows: [ComparedFlow]) -> Double? {
        let count = flows.reduce(0) { $0 + $1.complete }
        return count == 0 ? nil : flows.reduce(0.0) { $0 + Double($1.lengths.total) } / Double(count)
    }

    // MARK: Sizes

    private func sizeWarnings(_ flow: FlowComparison) -> [String] {
        flow.endToEnd.versusFirst.enumerated().compactMap { index, versus in
            guard versus.verdict == .tooFew, versus.difference != nil else { return nil }
            return
                "\(title(flow)): too few packets, or too much alike one after the other, to tell \(arms[index + 1].name) from \(arms[0].name)"
        }
    }

    private var sessionWarnings: [String] {
        let single = arms.filter { $0.sessions.count == 1 }.map(\.name)
        guard arms.count > 1, !single.isEmpty else { return [] }
        return [
            "one session of \(single.joined(separator: ", ")): what differs from one session to the next, whatever the arm, is not in the intervals; "
                + "record several of each arm (--arm NAME=FOLDER,FOLDER)"
        ]
    }
}
