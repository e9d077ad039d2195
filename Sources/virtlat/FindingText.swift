// Findings as text: a block for each machine, a line for each finding, and below it what it means and what to do.

import Recording
import Report

enum FindingText {
    static func text(_ findings: [Finding], colour: Bool) -> String {
        var machines: [String] = []
        for finding in findings where !machines.contains(finding.machine) { machines.append(finding.machine) }
        let widths = (
            severity: findings.map(\.severity.rawValue.count).max() ?? 0, id: findings.map(\.id.count).max() ?? 0
        )
        let blocks = machines.map { machine in
            let lines = findings.filter { $0.machine == machine }.flatMap { finding in
                let start =
                    "  \(painted(finding.severity, width: widths.severity, colour))  \(finding.id.column(widths.id, gap: 0))  "
                // What is below stands below the statement.
                let indent = String(repeating: " ", count: widths.severity + widths.id + 6)
                let below = [finding.meaning, finding.severity == .ok ? nil : finding.remedy.map { "→ \($0)" }]
                    .compactMap { $0 }
                return wrapped(finding.statement, start, indent)
                    + below.flatMap { wrapped($0, indent, indent + ($0.hasPrefix("→") ? "  " : "")) }
            }
            return ([machine.strong(colour)] + lines).joined(separator: "\n") + "\n"
        }
        return blocks.joined(separator: "\n") + "\n" + verdict(findings) + "\n"
    }

    /// What it comes to.
    private static func verdict(_ findings: [Finding]) -> String {
        let counts = [Finding.Severity.error, .warning, .note].compactMap { severity -> String? in
            let count = findings.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
        }
        let worst = findings.map(\.severity).max() ?? .ok
        let isOne = findings.count { $0.severity == worst } == 1
        let meaning =
            switch worst {
            case .ok: "all is well"
            case .note: "all is well; \(isOne ? "it says" : "they say") what to keep in mind when reading the breakdown"
            case .warning:
                "a recording can be made; the warning\(isOne ? " says" : "s say") what it won't see, or not exactly"
            case .error: "a recording would fail or be of no use"
            }
        return counts.isEmpty ? meaning : "\(counts.joined(separator: ", ")): \(meaning)"
    }

    private static func painted(_ severity: Finding.Severity, width: Int, _ colour: Bool) -> String {
        let text = severity.rawValue.column(width, gap: 0)
        guard colour else { return text }
        let code =
            switch severity {
            case .ok: "32"
            case .note: "36"
            case .warning: "33"
            case .error: "31"
            }
        return "\u{1b}[\(code)m\(text)\u{1b}[0m"
    }

    /// Columns that a line takes at the most, where it can be broken.
    private static let columns = 140

    /// Lines of `text`, the first behind `start`, the others behind `indent`; `start` is as wide as `indent`, but for
    /// colours.
    private static func wrapped(_ text: String, _ start: String, _ indent: String) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if !line.isEmpty, indent.count + line.count + 1 + word.count > columns {
                lines.append((lines.isEmpty ? start : indent) + line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return lines + [(lines.isEmpty ? start : indent) + line]
    }
}
