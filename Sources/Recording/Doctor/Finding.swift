// One thing that was looked at before a recording: how it is, what that means for the breakdown, and what to do about
// it.

package import Notation

package struct Finding: Encodable, Equatable, Sendable {
    package enum Severity: String, Codable, Sendable, CaseIterable, Comparable {
        case ok, note, warning, error

        /// As they stand above: the worst is the greatest.
        package static func < (first: Severity, second: Severity) -> Bool { first.rank < second.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// What was looked at, for programs: "clock.tsc". Several findings may have the same one.
    package var id: String
    package var severity: Severity
    /// The machine it is about, as the recording would call it.
    package var machine: String
    package var statement: String
    /// What it means for the recording or the breakdown.
    @Nullable package var meaning: String?
    /// What to do: a command where there is one.
    @Nullable package var remedy: String?

    package init(
        _ id: String, _ severity: Severity, _ machine: String, _ statement: String, meaning: String? = nil,
        remedy: String? = nil
    ) {
        self.id = id
        self.severity = severity
        self.machine = machine
        self.statement = statement
        self.meaning = meaning
        self.remedy = remedy
    }
}

extension Finding {
    /// "1 vCPU", "2 vCPUs".
    static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }
}
