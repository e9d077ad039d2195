// What the catalogue of kernel events has of an event, as a query of a trace.

package import KernelEvents

extension EventQuery {
    /// All that the catalogue wants of an event, as marks of a kind.
    package init(_ event: KernelEvent, kind: UInt8) {
        self.init(event.name, kind: kind, event.operands.map(Operand.init), where: event.condition.map(Condition.init))
    }
}

extension EventQuery.Operand {
    fileprivate init(_ operand: KernelEvent.Operand) {
        self.init(
            fields: operand.fields, place: operand.word == .a ? .a : .b, value: operand.isText ? .name : .number,
            shift: operand.shift,
            width: operand.width, isRequired: operand.isRequired)
    }
}

extension EventQuery.Condition {
    fileprivate init(_ condition: KernelEvent.Condition) {
        switch condition {
        case .equals(let field, let value): self = .equals(field, value)
        case .below(let field, let value): self = .below(field, value)
        }
    }
}
