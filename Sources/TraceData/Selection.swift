// What is wanted of a trace: which events become marks, and which of their fields become operands.

/// One event that becomes a mark.
package struct EventQuery: Sendable {
    /// Event name without its system; names are unique in the kernel for all that is asked here.
    package var event: String
    package var kind: UInt8
    package var operands: [Operand]
    /// Only events whose field meets this become marks.
    package var condition: Condition?

    package enum Condition: Sendable {
        case equals(String, UInt64)
        case below(String, UInt64)
    }

    package init(_ event: String, kind: UInt8, _ operands: [Operand] = [], where condition: Condition? = nil) {
        self.event = event
        self.kind = kind
        self.operands = operands
        self.condition = condition
    }

    /// One field and the place in the mark it goes to.
    package struct Operand: Sendable {
        package enum Place: Sendable { case a, b }
        package enum Value: Sendable {
            /// A number; signed ones are extended to 64 bits first.
            case number
            /// A string, interned: its index in the `NameTable`.
            case name
        }

        /// The first of these that the event's format has; kernels rename fields.
        package var fields: [String]
        package var place: Place
        package var value: Value
        /// Bits `shift ..< shift + width` of the operand.
        package var shift: Int
        package var width: Int
        /// The event is of no use without the field.
        package var isRequired: Bool

        package static func number(
            _ fields: String..., to place: Place, shift: Int = 0, width: Int = 64, required: Bool = true
        ) -> Operand {
            Operand(fields: fields, place: place, value: .number, shift: shift, width: width, isRequired: required)
        }

        package static func name(_ fields: String..., to place: Place, shift: Int = 0, width: Int = 16) -> Operand {
            Operand(fields: fields, place: place, value: .name, shift: shift, width: width, isRequired: true)
        }
    }
}

/// All that one kind of machine is asked for; at most one query for each event.
package struct Selection: Sendable {
    package var queries: [EventQuery]

    package init(_ queries: [EventQuery]) { self.queries = queries }
}
