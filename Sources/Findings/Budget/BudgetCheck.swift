// Budgets held against a comparison.

import PacketPath
import Statistics

/// One budget, of one arm's flow.
package struct BudgetCheck: Sendable {
    package enum Outcome: String, CaseIterable, Sendable {
        case kept
        case broken
        /// Above a limit beside the first arm, by what may be chance.
        case undecided
        /// Nothing to hold against it: that is no reason to be satisfied.
        case missing
    }

    package let budget: Budget
    package let arm: String
    /// "rx g3"; empty where nothing was found.
    package let flow: String
    package let outcome: Outcome
    package let finding: Finding

    /// What was measured, and how much of it; times in ns.
    package enum Finding: Sendable {
        case nothing
        case time(Double, packets: Int)
        /// `share` of the first arm's value is between them; nil where that is not above 0.
        case change(Double, packets: Int, first: Double, share: Double?, Doubt?)
    }

    /// How sure a change is that is above its limit.
    package enum Doubt: Sendable {
        case tooFew
        /// Of the difference, ns: it leaves 0 out, so the change is no chance.
        case certain(ClosedRange<Double>)
        case chance(ClosedRange<Double>)
    }

    /// Whether a build must stop.
    package var isFailure: Bool { outcome == .broken || outcome == .missing }
}

extension Comparison {
    /// Holds each budget against each arm and flow that it is of.
    /// - Throws: when a scope names nothing that there is.
    package func check(_ budgets: [Budget]) throws(BudgetFault) -> [BudgetCheck] {
        var checks: [BudgetCheck] = []
        for budget in budgets { checks += try check(budget) }
        return checks
    }

    /// What the words of a scope are.
    private struct Scope {
        var arms: Set<String> = []
        var directions: Set<String> = []
        var paths: Set<String> = []
        var machines: Set<String> = []

        func holds(_ flow: ComparedFlow) -> Bool {
            (directions.isEmpty || directions == [flow.direction.name]) && (paths.isEmpty || paths == [flow.path.name])
                && (machines.isEmpty || machines == [flow.machine])
        }
    }

    private func scope(_ budget: Budget) throws(BudgetFault) -> Scope {
        var scope = Scope()
        let machines = Set(arms.flatMap { $0.sessions.flatMap { $0.flows.map(\.machine) } })
        for word in budget.scope {
            // An arm may be called like a path, and then it is the arm that is meant.
            if arms.contains(where: { $0.name == word.text }) {
                scope.arms.insert(word.text)
            } else if Direction.allCases.contains(where: { $0.name == word.text }) {
                scope.directions.insert(word.text)
            } else if PathKind.allCases.contains(where: { $0.name == word.text }) {
                scope.paths.insert(word.text)
            } else if machines.contains(word.text) {
                scope.machines.insert(word.text)
            } else {
                let known = arms.map(\.name) + ["rx", "tx"] + machines.sorted()
                throw BudgetFault(
                    word.place,
                    "\(word.text) is no arm, direction, path or guest here; there are \(known.joined(separator: ", "))")
            }
        }
        if case .change = budget.limit {
            if arms.count < 2 {
                throw BudgetFault(budget.stage.place, "a limit in % is beside the first arm, and there is only one")
            }
            if let word = budget.scope.first(where: { $0.text == arms[0].name }) {
                throw BudgetFault(word.place, "\(word.text) is the first arm, which a limit in % can't be beside of")
            }
        }
        return scope
    }

    private func check(_ budget: Budget) throws(BudgetFault) -> [BudgetCheck] {
        let scope = try scope(budget)
        var isChange = false
        if case .change = budget.limit { isChange = true }
        var checks: [BudgetCheck] = []
        for index in arms.indices where scope.arms.isEmpty || scope.arms == [arms[index].name] {
            if isChange, index == 0 { continue }
            let before = checks.count
            for flow in flows where flow.arms[index].contains(where: scope.holds) {
                guard let row = flow.row(budget.stage.text), row.arms[index].summary.count > 0 else { continue }
                if isChange, row.arms[0].summary.count == 0 { continue }
                let (outcome, finding) = Self.hold(budget, row, index)
                checks.append(
                    BudgetCheck(
                        budget: budget, arm: arms[index].name, flow: "\(flow.direction.name) \(flow.machine)",
                        outcome: outcome,
                        finding: finding))
            }
            if checks.count == before {
                checks.append(
                    BudgetCheck(budget: budget, arm: arms[index].name, flow: "", outcome: .missing, finding: .nothing))
            }
        }
        return checks
    }

    private static func hold(
        _ budget: Budget, _ row: ComparedRow, _ index: Int
    ) -> (BudgetCheck.Outcome, BudgetCheck.Finding) {
        let summary = row.arms[index].summary
        let value = summary[budget.statistic]
        func exceeds(_ value: Double, _ limit: Double) -> Bool { budget.isStrict ? value >= limit : value > limit }
        switch budget.limit {
        case .time(let limit):
            return (exceeds(value, limit) ? .broken : .kept, .time(value, packets: summary.count))
        case .change(let limit):
            let first = row.arms[0].summary[budget.statistic]
            func finding(_ share: Double?, _ doubt: BudgetCheck.Doubt? = nil) -> BudgetCheck.Finding {
                .change(value, packets: summary.count, first: first, share: share, doubt)
            }
            guard first > 0 else { return (exceeds(value, 0) ? .broken : .kept, finding(nil)) }
            let change = (value - first) / first
            guard exceeds(change, limit) else { return (.kept, finding(change)) }
            // To be better by so much is for the measurement to show; to be worse is not to be taken from chance.
            guard limit >= 0 else { return (.broken, finding(change)) }
            let interval =
                budget.statistic.share.map { row.quantileDifference(index, $0)?.interval }
                ?? row.versusFirst[index - 1].interval
            guard let interval else { return (.undecided, finding(change, .tooFew)) }
            return interval.lowerBound > 0
                ? (.broken, finding(change, .certain(interval))) : (.undecided, finding(change, .chance(interval)))
        }
    }
}

extension FlowComparison {
    fileprivate func row(_ stage: String) -> ComparedRow? {
        stage == Budget.endToEnd ? endToEnd : stages.first { $0.stage.name == stage }?.row
    }
}

extension Summary {
    fileprivate subscript(statistic: Budget.Statistic) -> Double {
        switch statistic {
        case .mean: mean
        case .min: Double(minimum)
        case .max: Double(maximum)
        case .stddev: standardDeviation
        case .p50: Double(p50)
        case .p90: Double(p90)
        case .p99: Double(p99)
        case .p999: Double(p999)
        }
    }
}
