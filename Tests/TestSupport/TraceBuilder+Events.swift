// Events: their fields, the format file that describes them, and records of them.

/// One field of an event.
package struct BuiltField {
    enum Kind { case number, characters, dynamicText, relativeText }

    package var name: String
    var type: String
    var size: Int
    var isSigned: Bool
    var kind = Kind.number
    /// Where in the record; nil behind the field before.
    var offset: Int?

    /// A field of any type, at any place, as the format file is to describe it.
    package static func number(_ name: String, type: String, size: Int, signed: Bool = false, at offset: Int? = nil)
        -> BuiltField
    {
        BuiltField(name: name, type: type, size: size, isSigned: signed, offset: offset)
    }

    package static func u8(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "u8", size: 1, at: offset)
    }
    package static func u16(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "u16", size: 2, at: offset)
    }
    package static func u32(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "unsigned int", size: 4, at: offset)
    }
    package static func u64(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "u64", size: 8, at: offset)
    }
    package static func s8(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "s8", size: 1, signed: true, at: offset)
    }
    package static func s16(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "s16", size: 2, signed: true, at: offset)
    }
    package static func s32(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "int", size: 4, signed: true, at: offset)
    }
    package static func s64(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "s64", size: 8, signed: true, at: offset)
    }
    /// A kernel pointer, `skbaddr` for example.
    package static func pointer(_ name: String, at offset: Int? = nil) -> BuiltField {
        number(name, type: "void *", size: 8, at: offset)
    }

    /// `char name[count]`, `prev_comm` for example.
    package static func characters(_ name: String, _ count: Int, at offset: Int? = nil) -> BuiltField {
        BuiltField(name: name, type: "char", size: count, isSigned: false, kind: .characters, offset: offset)
    }

    /// `__data_loc char[] name`: a string behind the fixed part of the record.
    package static func string(_ name: String, at offset: Int? = nil) -> BuiltField {
        BuiltField(name: name, type: "__data_loc char[]", size: 4, isSigned: false, kind: .dynamicText, offset: offset)
    }

    /// `__rel_loc char[] name`: the same, counted from the end of the word.
    package static func relativeString(_ name: String, at offset: Int? = nil) -> BuiltField {
        BuiltField(name: name, type: "__rel_loc char[]", size: 4, isSigned: false, kind: .relativeText, offset: offset)
    }

    var alignment: Int { kind == .characters || size & (size - 1) != 0 ? 1 : max(1, size) }
    var formatLine: String {
        let declaration = kind == .characters ? "\(type) \(name)[\(size)]" : "\(type) \(name)"
        return "\tfield:\(declaration);\toffset:\(offset ?? 0);\tsize:\(size);\tsigned:\(isSigned ? 1 : 0);\n"
    }
}

/// What a field of one record holds. Whole numbers and strings can stand for themselves.
package enum FieldValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case number(UInt64)
    case text(String)
    /// A `__data_loc` word as it is, wherever it may lead.
    case location(offset: UInt16, length: UInt16)

    package init(integerLiteral value: Int128) { self = .number(UInt64(truncatingIfNeeded: value)) }
    package init(stringLiteral value: String) { self = .text(value) }
    package static func of(_ value: some BinaryInteger) -> FieldValue { .number(UInt64(truncatingIfNeeded: value)) }
}

/// An event of a `TraceBuilder`.
package struct BuiltEvent {
    package let system: String
    package let name: String
    package let id: UInt16
    package let fields: [BuiltField]
    /// Bytes of a record without its strings.
    package let fixedSize: Int
    var formatText: String

    /// What every event begins with since kernel 2.6.33.
    private static let common = [
        BuiltField.number("common_type", type: "unsigned short", size: 2, at: 0),
        .number("common_flags", type: "unsigned char", size: 1, at: 2),
        .number("common_preempt_count", type: "unsigned char", size: 1, at: 3),
        .number("common_pid", type: "int", size: 4, signed: true, at: 4),
    ]

    init(system: String, name: String, id: UInt16, fields: [BuiltField], longSize: Int, printFormat: String) {
        var end = 8
        var largest = end
        var placed: [BuiltField] = []
        for var field in fields {
            let offset = field.offset ?? (end + field.alignment - 1) / field.alignment * field.alignment
            field.offset = offset
            end = offset + field.size
            largest = max(largest, end)
            placed.append(field)
        }
        self.system = system
        self.name = name
        self.id = id
        self.fields = placed
        fixedSize = largest
        let lines = Self.common.map(\.formatLine).joined() + "\n" + placed.map(\.formatLine).joined()
        formatText = "name: \(name)\nID: \(id)\nformat:\n" + lines + "\nprint fmt: \(printFormat)\n"
    }

    /// One record, padded to whole words.
    func record(pid: Int32, flags: UInt8, preemptCount: UInt8, _ values: [String: FieldValue]) -> [UInt8] {
        for name in values.keys {
            precondition(fields.contains { $0.name == name }, "\(self.name) has no field \(name)")
        }
        var record = [UInt8](repeating: 0, count: (fixedSize + 3) & ~3)
        record.set(id, at: 0)
        record.set(flags, at: 2)
        record.set(preemptCount, at: 3)
        record.set(pid, at: 4)
        for field in fields {
            let offset = field.offset!
            switch (field.kind, values[field.name] ?? (field.kind == .number ? .number(0) : .text(""))) {
            case (.number, .number(let value)):
                for index in 0..<field.size {
                    record[offset + index] = index < 8 ? UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) : 0
                }
            case (.characters, .text(let text)):
                for (index, byte) in text.utf8.prefix(field.size).enumerated() { record[offset + index] = byte }
            case (.dynamicText, .text(let text)), (.relativeText, .text(let text)):
                let start = record.count - (field.kind == .relativeText ? offset + 4 : 0)
                record.set(UInt32(start) | UInt32(text.utf8.count + 1) << 16, at: offset)
                record += Array(text.utf8) + [0]
                record.pad(to: 4)
            case (.dynamicText, .location(let start, let length)), (.relativeText, .location(let start, let length)):
                record.set(UInt32(start) | UInt32(length) << 16, at: offset)
            default: preconditionFailure("\(name).\(field.name) holds something else")
            }
        }
        return record
    }
}
