// Looks for what makes arms differ beside what was meant to: conditions, losses, traffic, and too few of anything.

import PacketPath
import Statistics

extension Comparison {
    /// None for arms that were measured alike, several times.
    package var warnings: [ComparisonWarning] {
        notes + conditionWarnings + eventWarnings + lossWarnings + pointWarnings
            + flows.flatMap { trafficWarnings($0) + sizeWarnings($0) } + sessionWarnings
    }

    private var notes: [ComparisonWarning] {
        arms.flatMap { arm in
            arm.sessions.flatMap { session in session.notes.map { .note(place(session, of: arm), $0) } }
        }
    }

    private func place(_ session: ComparedSession, of arm: ComparedArm) -> ComparedPlace {
        ComparedPlace(arm: arm.name, session: session.name == arm.name ? nil : session.name)
    }

    private var conditionWarnings: [ComparisonWarning] {
        ComparedSession.Condition.allCases.compactMap { condition in
            let values = arms.map { arm in
                var list: [String] = []
                for case let value? in arm.sessions.map({ $0.conditions[condition] }) where !list.contains(value) {
                    list.append(value)
                }
                return (arm: arm.name, values: list)
            }
            return Set(values.flatMap(\.values)).count > 1 ? .condition(condition, values) : nil
        }
    }

    /// More events cost more time.
    private var eventWarnings: [ComparisonWarning] {
        var sets = arms.flatMap { arm in
            arm.sessions.compactMap { session in session.recordedEvents.map { (arm.name, $0) } }
        }
        // A session without guests lacks no event of theirs.
        let roles = sets.map { Set($0.1.map { $0.prefix { $0 != " " } }) }
        guard let common = roles.first.map({ roles.reduce($0) { $0.intersection($1) } }) else { return [] }
        sets = sets.map { ($0.0, $0.1.filter { common.contains($0.prefix { $0 != " " }) }) }
        guard let all = sets.first?.1, sets.contains(where: { $0.1 != all }) else { return [] }
        let everywhere = sets.reduce(all) { $0.intersection($1.1) }
        return [
            .events(
                arms.compactMap { arm in
                    let own = sets.filter { $0.0 == arm.name }.reduce(into: Set<String>()) { $0.formUnion($1.1) }
                    let more = own.subtracting(everywhere).sorted()
                    return more.isEmpty ? nil : (arm.name, more)
                })
        ]
    }

    private var lossWarnings: [ComparisonWarning] {
        arms.flatMap { arm in
            arm.sessions.filter { $0.lostEvents != 0 }.map { .lost(place($0, of: arm), events: $0.lostEvents) }
        }
    }

    /// Ways of packets that begin at different points are not held against each other.
    private var pointWarnings: [ComparisonWarning] {
        flows.filter(\.isFromDriver).compactMap { flow in
            let others = flows.filter {
                !$0.isFromDriver && $0.direction == flow.direction
                    && ($0.machine == flow.machine || $0.path == flow.path)
            }
            func names(_ flow: FlowComparison) -> [String] {
                arms.indices.filter { flow.arms[$0].contains { $0.complete > 0 } }.map { arms[$0].name }
            }
            let with = others.flatMap(names)
            return with.isEmpty ? nil : .otherBeginning(title(flow), fromDriver: names(flow), fromCall: with)
        }
    }

    // MARK: Traffic

    private func title(_ flow: FlowComparison) -> ComparedTitle {
        let isTold =
            flow.path.contains("/")
            || !flows.contains { $0.direction == flow.direction && $0.machine == flow.machine && $0.path != flow.path }
        return ComparedTitle(direction: flow.direction, machine: flow.machine, path: isTold ? nil : flow.path)
    }

    /// Values that differ by more than a share of the largest.
    private func unequal(_ values: [Double], by tolerance: Double) -> Bool {
        guard let low = values.min(), let high = values.max() else { return false }
        return high - low > tolerance * high
    }

    private func trafficWarnings(_ flow: FlowComparison) -> [ComparisonWarning] {
        let present = flow.arms.indices.filter { flow.endToEnd.arms[$0].summary.count > 0 }
        guard present.count > 1 else {
            if arms.count == 1, !present.isEmpty { return [] }
            return [.onlyIn(title(flow), present.map { arms[$0].name })]
        }
        let shares = flow.arms.map { arm -> Double? in
            let seen = arm.reduce(0) { $0 + $1.seen }
            return seen == 0 ? nil : Double(arm.reduce(0) { $0 + $1.complete + $1.withoutCall }) / Double(seen)
        }
        let quantities: [(ComparisonWarning.Quantity, values: [Double?], tolerance: Double)] = [
            (.packets, flow.arms.map { Double($0.reduce(0) { $0 + $1.complete }) }, 0.1),
            (.rate, flow.arms.map(Self.rate), 0.2), (.length, flow.arms.map(Self.length), 0.01),
            (.completeness, shares, 0.02),
        ]
        return quantities.compactMap { quantity, values, tolerance in
            guard unequal(values.compactMap { $0 }, by: tolerance) else { return nil }
            return .traffic(title(flow), quantity, zip(arms, values).map { ($0.name, $1) })
        }
    }

    /// Complete packets a second; nil where there are not two.
    private static func rate(_ flows: [ComparedFlow]) -> Double? {
        let timed = flows.filter { $0.complete > 1 }
        let time = timed.reduce(0.0) { sum, flow in sum + (flow.span.map { Double($0.upperBound - $0.lowerBound) } ?? 0)
        }
        return time > 0 ? Double(timed.reduce(0) { $0 + $1.complete - 1 }) / time * 1e9 : nil
    }

    private static func length(_ flows: [ComparedFlow]) -> Double? {
        let count = flows.reduce(0) { $0 + $1.complete }
        return count == 0 ? nil : flows.reduce(0.0) { $0 + Double($1.lengths.total) } / Double(count)
    }

    // MARK: Sizes

    private func sizeWarnings(_ flow: FlowComparison) -> [ComparisonWarning] {
        flow.endToEnd.versusFirst.enumerated().compactMap { index, versus in
            guard versus.verdict == .tooFew, versus.difference != nil else { return nil }
            return .tooFew(title(flow), arm: arms[index + 1].name, first: arms[0].name)
        }
    }

    private var sessionWarnings: [ComparisonWarning] {
        let single = arms.filter { $0.sessions.count == 1 }.map(\.name)
        return arms.count > 1 && !single.isEmpty ? [.singleSessions(single)] : []
    }
}
