// What is known of the guests' clocks, evidence by evidence, for people.

import ClockSync
package import Findings
import GuestClocks
import PacketPath
import TraceData

package enum ClockText {
    package static func text(_ findings: ClockFindings) -> String {
        let host = findings.host
        var lines = ["\(findings.session)   host \(host.name), clock \(host.file.traceClock ?? "unknown")"]
        for guest in findings.guests {
            lines.append("")
            lines.append("guest \(guest.machine.name), clock \(guest.machine.file.traceClock ?? "unknown")")
            lines.append(
                "    " + "evidence".column(20)
                    + ["offset, s", "drift, ppm", "error, µs", "inside", "outside"].map { $0.right(16) }.joined())
            for evidence in guest.evidence { lines.append(line(evidence)) }
            for silent in guest.clock.silent {
                lines.append("    " + silent.method.name.column(20) + "  " + silent.reason)
            }
            lines.append("  used: \(verdict(guest.clock))")
            if !guest.clock.threads.isEmpty {
                let threads = guest.clock.threads.sorted { $0.key < $1.key }.map { "\($0.value) runs CPU \($0.key)" }
                lines.append("  vCPU threads of the host, by the events: " + threads.joined(separator: ", "))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func line(_ evidence: ClockFindings.Evidence) -> String {
        let candidate = evidence.candidate
        let numbers: [String?] = [
            evidence.offset.map { Decimal.exactSeconds($0) }, evidence.driftPPB.map { Decimal.thousandths($0 / 1000) },
            error(candidate.error), candidate.count.map { Decimal.grouped($0.inside) },
            candidate.count.map { Decimal.grouped($0.outside) },
        ]
        var text = (evidence.isChosen ? "  * " : "    ") + candidate.method.name.column(20)
        text += numbers.map { ($0 ?? "-").right(16) }.joined() + "   " + candidate.summary
        if candidate.isContradicted {
            text += "; WRONG"
            if let wrong = candidate.disagreement, wrong > 0 {
                text += " by \(Decimal.microseconds(wrong)) µs at least, by containment"
            }
        }
        if candidate.overlap?.isNone == true { text += "; OUTSIDE the host's recording" }
        return text
    }

    private static func verdict(_ clock: GuestClock) -> String {
        let chosen = clock.candidate
        let wrong = clock.candidates.filter(\.isContradicted).map(\.method.name)
        let others = clock.candidates.count - 1 - wrong.count
        var text = "\(chosen.method.name), \(ClockMap.text(ofError: chosen.error))"
        if chosen.isContradicted { return text + "; the events contradict it" }
        if others > 0 { text += "; \(others == 1 ? "one other agrees" : "\(others) others agree")" }
        if !wrong.isEmpty { text += "; contradicted: \(wrong.joined(separator: ", "))" }
        return text
    }

    private static func error(_ error: Nanoseconds?) -> String {
        guard let error else { return "unknown" }
        return error <= ClockMap.exactBound ? "exact" : "± \(Decimal.microseconds(error))"
    }
}

extension ClockMap {
    /// How far wrong a map may be, for people; nil for one whose error is unknown.
    static func text(ofError error: Nanoseconds?) -> String {
        error.map { $0 <= exactBound ? "exact" : "error below \(Decimal.microseconds($0)) µs" } ?? "error unknown"
    }
}
