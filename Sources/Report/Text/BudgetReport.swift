// What became of budgets: for people, and as JUnit's XML for what runs builds.

package import Findings

package enum BudgetReport {
    /// - Parameter colour: set headings and failures off with terminal attributes.
    package static func text(_ checks: [BudgetCheck], colour: Bool) -> String {
        let counts = BudgetCheck.Outcome.allCases.compactMap { outcome -> String? in
            let count = checks.count { $0.outcome == outcome }
            return count > 0 ? "\(count) \(outcome.rawValue)" : nil
        }
        var text = "\n\("BUDGETS".strong(colour))   \(counts.joined(separator: ", "))\n"
        let (width, whose) = (checks.map(\.budget.text.count).max() ?? 0, checks.map(\.place.count).max() ?? 0)
        for check in checks {
            let word = check.outcome.rawValue
            text += "  " + (check.isFailure ? word.uppercased().column(11).strong(colour) : word.column(11))
            text += check.place.column(whose + 3) + check.budget.text.column(width + 3) + check.finding.text + "\n"
        }
        return text
    }

    /// A line for each failure and each that is not decided, for those who read something else than text.
    package static func complaints(_ checks: [BudgetCheck]) -> [String] {
        checks.filter { $0.outcome != .kept }.map { check in
            "budget \(check.outcome.rawValue): \(check.place): \(check.budget.text): \(check.finding.text)"
        }
    }

    /// One test case for each check: broken budgets are failures, what is missing is an error, what is undecided is
    /// skipped. The form is what Jenkins and GitLab read:
    /// https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd
    package static func junit(_ checks: [BudgetCheck]) -> String {
        func count(_ outcome: BudgetCheck.Outcome) -> Int { checks.count { $0.outcome == outcome } }
        let counts =
            "tests=\"\(checks.count)\" failures=\"\(count(.broken))\" errors=\"\(count(.missing))\" skipped=\"\(count(.undecided))\" time=\"0\""
        var text =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"virtlat compare\" \(counts)>\n"
        for check in checks {
            text +=
                "    <testcase classname=\"\(escaped(check.place))\" name=\"\(escaped(check.budget.text))\" time=\"0\""
            let message = " message=\"\(escaped(check.finding.text))\""
            switch check.outcome {
            case .kept: text += ">\n      <system-out>\(escaped(check.finding.text))</system-out>\n    </testcase>\n"
            case .broken: text += ">\n      <failure type=\"budget\"\(message)/>\n    </testcase>\n"
            case .missing: text += ">\n      <error type=\"missing\"\(message)/>\n    </testcase>\n"
            case .undecided: text += ">\n      <skipped\(message)/>\n    </testcase>\n"
            }
        }
        return text + "  </testsuite>\n</testsuites>\n"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // Control characters are no part of XML 1.0.
            case _ where scalar.value < 0x20: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension BudgetCheck {
    /// "same-cpu rx g3"
    var place: String { flow.isEmpty ? arm : "\(arm) \(flow)" }
}

extension BudgetCheck.Finding {
    fileprivate var text: String {
        func measured(_ value: Double, _ packets: Int) -> String {
            "\(Decimal.microseconds(value)) µs of \(Decimal.counted(packets, "packet"))"
        }
        switch self {
        case .nothing: return "no packet to hold against it"
        case .time(let value, let packets): return measured(value, packets)
        case .change(let value, let packets, let first, let share, let doubt):
            return (share.map { "\(Decimal.signedPercent($0)) %: " } ?? "") + measured(value, packets)
                + ", \(Decimal.microseconds(first)) µs in the first arm" + (doubt.map { "; \($0.text)" } ?? "")
        }
    }
}

extension BudgetCheck.Doubt {
    fileprivate var text: String {
        func bounds(_ interval: ClosedRange<Double>) -> String {
            "95 % interval \(Decimal.signed(interval.lowerBound)) … \(Decimal.signed(interval.upperBound)) µs"
        }
        return switch self {
        case .tooFew: "too few packets to tell it from chance"
        case .certain(let interval): bounds(interval)
        case .chance(let interval): "may be chance, \(bounds(interval))"
        }
    }
}
