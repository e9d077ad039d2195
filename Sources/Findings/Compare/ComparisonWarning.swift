// What else than the arms' own difference could make their times differ, as values.

package import PacketPath

package enum ComparisonWarning: Sendable {
    /// What a session's own analysis says.
    case note(ComparedPlace, Note)
    /// Values that are not the same everywhere; none for an arm where it is unknown.
    case condition(ComparedSession.Condition, [(arm: String, values: [String])])
    /// Events that were not recorded everywhere, and each costs time; of arms that have some.
    case events([(arm: String, more: [String])])
    /// -1 for an unknown number.
    case lost(ComparedPlace, events: Int)
    /// No send call is known in some arms, so their packets begin elsewhere than those of others.
    case otherBeginning(ComparedTitle, fromDriver: [String], fromCall: [String])
    /// Arms that have complete packets, fewer than two.
    case onlyIn(ComparedTitle, [String])
    case traffic(ComparedTitle, Quantity, [(arm: String, value: Double?)])
    /// Too few packets, or too much alike one after the other.
    case tooFew(ComparedTitle, arm: String, first: String)
    /// Arms of one session.
    case singleSessions([String])

    /// What is unequal about the traffic of arms.
    package enum Quantity: Sendable {
        case packets
        /// A second.
        case rate
        /// Bytes.
        case length
        /// Complete ones, of those that were seen: 0 to 1.
        case completeness
    }
}

/// A session of an arm.
package struct ComparedPlace: Sendable {
    package var arm: String
    /// Nil where it is called like its arm.
    package var session: String?
}

/// A flow as it is told from the others of a comparison.
package struct ComparedTitle: Sendable {
    package var direction: Direction
    package var machine: String
    /// Nil where there is no other one.
    package var path: String?
}
