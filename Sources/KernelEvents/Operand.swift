// What is read of an event: which of its fields, and where each of them goes in the two words that a mark has for them.

extension KernelEvent {
    /// One field and the place it goes to.
    package struct Operand: Sendable {
        /// The two words of 64 bits.
        package enum Word: Sendable { case a, b }

        /// The first of these that the event's format has; kernels rename fields.
        package var fields: [String]
        package var word: Word
        /// Bits `shift ..< shift + width` of the word.
        package var shift: Int
        package var width: Int
        /// A string, of which a number is kept that stands for it.
        package var isText: Bool
        /// The event is of no use without the field.
        package var isRequired: Bool

        static func number(_ fields: String..., to word: Word, shift: Int = 0, width: Int = 64, required: Bool = true)
            -> Operand
        {
            Operand(fields: fields, word: word, shift: shift, width: width, isText: false, isRequired: required)
        }

        static func text(_ fields: String..., to word: Word) -> Operand {
            Operand(fields: fields, word: word, shift: 0, width: Layout.nameBits, isText: true, isRequired: true)
        }
    }

    /// Where in word b a device's name, a length and a further number lie. Inlined, since every mark is taken apart by
    /// it, in another module.
    package enum Layout {
        @inlinable package static var nameBits: Int { 16 }
        @inlinable package static var lengthShift: Int { 16 }
        @inlinable package static var extraShift: Int { 48 }
        /// Where the further number is a device's queue: that many bits of it, and one for a VLAN tag beside the frame.
        @inlinable package static var queueBits: Int { 12 }
    }

    /// Only events whose field meets this are wanted.
    package enum Condition: Sendable {
        case equals(String, UInt64)
        case below(String, UInt64)

        /// The same for the kernel, which then records no others.
        var filter: String {
            switch self {
            case .equals(let field, let value): "\(field) == \(value)"
            case .below(let field, let value): "\(field) < \(value)"
            }
        }
    }
}

extension KernelEvent.Operand {
    static let skb = number("skbaddr", to: .a)
    static let device = text("name", "dev_name", to: .b)
    static let length = number("len", to: .b, shift: KernelEvent.Layout.lengthShift, width: 32)
    /// The device's queue, and whether the frame has a VLAN tag beside it.
    static let queue = [
        number(
            "queue_mapping", to: .b, shift: KernelEvent.Layout.extraShift, width: KernelEvent.Layout.queueBits,
            required: false),
        number(
            "vlan_tagged", to: .b, shift: KernelEvent.Layout.extraShift + KernelEvent.Layout.queueBits, width: 1,
            required: false),
    ]
}
