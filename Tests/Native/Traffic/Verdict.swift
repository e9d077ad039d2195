// What came of one kind: how many packets were told, and what was told wrongly.

struct Verdict {
    enum Fault: String {
        /// A point lies outside the call that it is about, or a packet was told twice.
        case wrong
        /// A packet that was sent or read is not in the table.
        case vanished
        /// A reason that is not true.
        case falseReason = "false reason"
        /// The call that sent it was recorded, and is not told.
        case noSend = "no send"
    }

    var kind: String
    var refusal = ""
    var seen = 0
    var complete = 0
    var reasons: [String: Int] = [:]
    private(set) var faults: [Fault: Int] = [:]
    private(set) var findings: [String] = []

    init(kind: String) { self.kind = kind }

    var holds: Bool { faults.isEmpty }

    mutating func count(_ journey: Journey) {
        seen += 1
        if journey.isComplete { complete += 1 } else { reasons[journey.reason, default: 0] += 1 }
    }

    mutating func note(_ fault: Fault, _ text: String, count: Int = 1) {
        faults[fault, default: 0] += count
        findings.append("\(fault.rawValue): \(text)")
    }

    static let header =
        "kind".padded(to: 20)
        + ["seen", "complete", "ambiguous", "not-rec.", "wrong", "vanished", "false", "no send"].map {
            $0.indented(to: 10)
        }.joined()
        + "  other reasons"

    var line: String {
        if !refusal.isEmpty { return kind.padded(to: 20) + "  LEFT OUT: \(refusal)" }
        let others = reasons.filter { !["ambiguous", "not-recorded"].contains($0.key) }.sorted { $0.key < $1.key }
        let numbers = [
            seen, complete, reasons["ambiguous"] ?? 0, reasons["not-recorded"] ?? 0, faults[.wrong] ?? 0,
            faults[.vanished] ?? 0,
            faults[.falseReason] ?? 0, faults[.noSend] ?? 0,
        ]
        return kind.padded(to: 20) + numbers.map { String($0).indented(to: 10) }.joined()
            + (others.isEmpty ? "" : "  " + others.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }
}
