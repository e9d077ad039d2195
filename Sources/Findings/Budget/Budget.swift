// A limit that a measurement is held against: what it is of, and how it is written.

/// One line of the budget language:
///
///     [SCOPE …] STAGE STATISTIC (<= | <) LIMIT        # comment
///
/// SCOPE is the name of an arm, `rx` or `tx`, a path or a guest; STAGE is a stage or `end-to-end`; LIMIT is a time, or
/// a signed percentage of the first arm's value. Names with blanks stand in double quotes.
package struct Budget: Sendable, Equatable {
    package enum Statistic: String, CaseIterable, Sendable {
        case mean, min, max, stddev, p50, p90, p99
        case p999 = "p99.9"

        /// The share of values that lie below a quantile, for those whose difference has an interval.
        var share: Double? {
            switch self {
            case .p50: 0.5
            case .p90: 0.9
            case .p99: 0.99
            case .mean, .min, .max, .stddev, .p999: nil
            }
        }

        /// Whether it is known how far the difference of two of them may be off.
        var hasInterval: Bool { self == .mean || share != nil }
    }

    package enum Limit: Sendable, Equatable {
        /// ns
        case time(Double)
        /// So much more than the first arm's, as a share of it.
        case change(Double)
    }

    /// A word and where it stands.
    package struct Word: Sendable, Equatable {
        package let text: String
        package let place: Place
    }

    package struct Place: Sendable, Equatable {
        /// A file's path, or the option.
        package let source: String
        package let line: Int
        /// From 1, in characters.
        package let column: Int

        package init(source: String, line: Int, column: Int) {
            self.source = source
            self.line = line
            self.column = column
        }
    }

    /// As it was written, without blanks around it and without comment.
    package let text: String
    package let scope: [Word]
    package let stage: Word
    package let statistic: Statistic
    /// The limit itself is too much already.
    package let isStrict: Bool
    package let limit: Limit

    /// The name that stands for the whole journey, where a stage's could.
    package static let endToEnd = "end-to-end"
}

/// A budget that can't be meant.
package struct BudgetFault: Error, Sendable, Equatable {
    package let place: Budget.Place
    package let fact: String

    package init(_ place: Budget.Place, _ fact: String) {
        self.place = place
        self.fact = fact
    }

    /// "budgets.txt: line 3, column 14: …"
    package var text: String { "\(place.source): line \(place.line), column \(place.column): \(fact)" }
}
