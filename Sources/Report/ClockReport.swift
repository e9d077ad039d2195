// What is known of the guests' clocks, evidence by evidence: text and JSON.

import ClockSync
package import PacketPath
import TraceData

/// The result of looking at every guest's clock, ready to be written.
package struct ClockReport: Sendable {
    private let session: String
    private let host: Machine
    private let guests: [(machine: Machine, clock: GuestClock)]

    /// - Parameter clocks: one for each guest, in order.
    package init(session: String, _ machines: Machines, _ clocks: [GuestClock]) {
        self.session = session
        host = machines.host
        guests = Array(zip(machines.guests, clocks)).map { (machine: $0.0, clock: $0.1) }
    }

    /// One kind of evidence, in the units of the output.
    private struct Row {
        var candidate: ClockCandidate
        var isChosen: Bool
        /// Host time minus guest time at the first common event, ns.
        var offset: Nanoseconds?
        /// How much faster the host's clock runs, in parts per billion.
        var driftPPB: Double?
    }

    private func rows(_ guest: (machine: Machine, clock: GuestClock)) -> [Row] {
        let own = guest.machine.ownConversion ?? host.ownConversion ?? .nanoseconds
        return guest.clock.candidates.enumerated().map { index, candidate in
            var row = Row(candidate: candidate, isChosen: index == guest.clock.chosen)
            if let times = guest.clock.times {
                let map = candidate.maps[0]
                let first = map.offset(at: times.lowerBound, own: own)
                row.offset = first
                let span = own.nanoseconds(times.upperBound) &- own.nanoseconds(times.lowerBound)
                let last = map.offset(at: times.upperBound, own: own)
                if span > 0 { row.driftPPB = Double(last &- first) / Double(span) * 1e9 }
            }
            return row
        }
    }

    // MARK: Text

    package func text() -> String {
        var lines = ["\(session)   host \(host.name), clock \(host.file.traceClock ?? "unknown")"]
        for guest in guests {
            lines.append("")
            lines.append("guest \(guest.machine.name), clock \(guest.machine.file.traceClock ?? "unknown")")
            lines.append(
                "    " + "evidence".column(20)
                    + ["offset, s", "drift, ppm", "error, µs", "inside", "outside"].map { $0.right(16) }.joined())
            for row in rows(guest) { lines.append(line(row)) }
            for silent in guest.clock.silent { lines.append("    " + silent.method.name.column(20) + "  " + silent.reason) }
            lines.append("  used: \(verdict(guest.clock))")
            if !guest.clock.threads.isEmpty {
                let threads = guest.clock.threads.sorted { $0.key < $1.key }.map { "\($0.value) runs CPU \($0.key)" }
                lines.append("  vCPU threads of the host, by the events: " + threads.joined(separator: ", "))
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func line(_ row: Row) -> String {
        let count = row.candidate.count
        let offset = row.offset.map { Decimal.exactSeconds($0) }
        let drift = row.driftPPB.map { Decimal.thousandths($0 / 1000) }
        let numbers: [String?] = [
            offset, drift, Self.error(row.candidate.error), count.map { Decimal.grouped($0.inside) },
            count.map { Decimal.grouped($0.outside) },
        ]
        var text = (row.isChosen ? "  * " : "    ") + row.candidate.method.name.column(20)
        text += numbers.map { ($0 ?? "-").right(16) }.joined() + "   " + row.candidate.summary
        if row.candidate.isContradicted {
            text += "; WRONG"
            if let wrong = row.candidate.disagreement, wrong > 0 {
                text += " by \(Decimal.microseconds(wrong)) µs at least, by containment"
            }
        }
        if row.candidate.overlap?.isNone == true { text += "; OUTSIDE the host's recording" }
        return text
    }

    private func verdict(_ clock: GuestClock) -> String {
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

    private static func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(1, width - text.count)) + text }

    // MARK: JSON

    /// Schema 1.
    package func json() -> [UInt8] { JSONReport.encoded(Document(self)) }

    private struct Document: Encodable {
        var schema = 1
        let session: String
        let guests: [Guest]

        init(_ report: ClockReport) {
            session = report.session
            guests = report.guests.map { Guest($0.machine, $0.clock, report.rows($0), host: report.host) }
        }
    }

    private struct Guest: Encodable {
        let machine: String
        let clock: String?
        let host_clock: String?
        let used: String
        let evidence: [Evidence]
        let silent: [Silent]
        let vcpus: [VCPU]

        init(_ machine: Machine, _ clock: GuestClock, _ rows: [Row], host: Machine) {
            self.machine = machine.name
            self.clock = machine.file.traceClock
            host_clock = host.file.traceClock
            used = clock.candidate.method.rawValue
            evidence = rows.map(Evidence.init)
            silent = clock.silent.map { Silent(method: $0.method.rawValue, reason: $0.reason) }
            vcpus = clock.threads.sorted { $0.key < $1.key }.map { VCPU(cpu: $0.key, thread: $0.value) }
        }
    }

    private struct Silent: Encodable {
        let method: String
        let reason: String
    }

    private struct VCPU: Encodable {
        let cpu: Int
        let thread: Int32
    }

    private struct Evidence: Encodable {
        let row: Row

        init(_ row: Row) { self.row = row }

        enum CodingKeys: CodingKey {
            case method, offset_ns, drift_ppb, error_ns, contained, outside, contradicted, disagreement_ns, summary
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(row.candidate.method.rawValue, forKey: .method)
            // null, not absent, where something is unknown.
            try values.encode(row.offset, forKey: .offset_ns)
            try values.encode(row.driftPPB, forKey: .drift_ppb)
            try values.encode(row.candidate.error, forKey: .error_ns)
            try values.encode(row.candidate.count?.inside, forKey: .contained)
            try values.encode(row.candidate.count?.outside, forKey: .outside)
            try values.encode(row.candidate.isContradicted, forKey: .contradicted)
            try values.encode(row.candidate.disagreement, forKey: .disagreement_ns)
            try values.encode(row.candidate.summary, forKey: .summary)
        }
    }
}

extension ClockMap {
    /// An error of a rounding is none.
    static let exactBound: Nanoseconds = 1

    /// How far wrong a map may be, for people; nil for one whose error is unknown.
    static func text(ofError error: Nanoseconds?) -> String {
        error.map { $0 <= exactBound ? "exact" : "error below \(Decimal.microseconds($0)) µs" } ?? "error unknown"
    }
}

extension ClockMap.Method {
    /// For people.
    package var name: String {
        switch self {
        case .host: "host's own"
        case .kvmTSCOffset: "KVM TSC offset"
        case .timeShift: "TIME_SHIFT estimate"
        case .exchanges: "exchanges"
        case .crossTimestamps: "KVM PTP clock"
        case .servo: "servo reports"
        case .containment: "containment"
        case .none: "none"
        case .given: "given offset"
        }
    }
}
