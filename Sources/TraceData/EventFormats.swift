// What an event's record looks like, field by field, as the recorded kernel described it.

internal import CTraceEvent
internal import LinuxSystem

/// One field of an event's record.
package struct EventField: Sendable, Equatable {
    package enum Shape: Sendable, Equatable {
        case number
        /// An array of fixed size inside the record.
        case array
        /// `__data_loc`: a word with offset (low half) and length (high half) of data inside the record.
        case dynamic
        /// `__rel_loc`: the same, the offset counted from the end of the word.
        case relativeDynamic
    }

    package var name: String
    package var offset: Int
    package var size: Int
    package var isSigned: Bool
    package var shape: Shape
    package var isString: Bool

    /// Bytes a record must have for this field to be in it.
    var end: Int { offset + size }
}

/// The format of one event.
package struct EventFormat: Sendable {
    package var id: Int
    package var system: String
    package var name: String
    /// Fields of every event: `common_type`, `common_flags`, `common_preempt_count`, `common_pid`.
    package var commonFields: [EventField]
    package var fields: [EventField]

    package func field(_ name: String) -> EventField? {
        fields.first { $0.name == name } ?? commonFields.first { $0.name == name }
    }
}

/// All formats of a file, parsed by libtraceevent, by id and by name.
package struct EventFormats: Sendable {
    /// In the order of the file.
    package let all: [EventFormat]
    /// Formats that libtraceevent refused, by their first line; their events can't be read.
    package let refused: [String]

    private let byName: [String: Int]

    /// - Parameter only: names to parse; nil for all of them.
    package init(_ texts: [FormatText], longSize: Int, only names: Set<String>? = nil) {
        let parser = FormatParser(longSize: longSize)
        var all: [EventFormat] = []
        var refused: [String] = []
        for text in texts {
            let name = FormatParser.name(of: text.text)
            if let names, !names.contains(name) { continue }
            if let format = parser.parse(text) { all.append(format) } else { refused.append(name) }
        }
        self.all = all
        self.refused = refused
        byName = Dictionary(all.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package subscript(name: String) -> EventFormat? { byName[name].map { all[$0] } }
}

/// Turns format files into fields, each with a libtraceevent handle of its own: the library owns what it parsed.
struct FormatParser {
    private let longSize: Int

    init(longSize: Int) {
        self.longSize = longSize
        tep_set_loglevel(TEP_LOG_NONE)
    }

    /// The name in a format's first line, "name: NAME".
    static func name(of text: String) -> String {
        // No more of it than any kernel's name, whatever is there.
        let line = Substring(text.utf8.prefix(256).prefix { $0 != UInt8(ascii: "\n") })
        guard line.hasPrefix("name:") else { return String(line) }
        return String(line.dropFirst(5).trimmingBlanks).printable
    }

    /// The names a field's values have in the format's `__print_symbolic(REC->FIELD, { 1, "ONE" }, …)`.
    static func symbols(of field: String, in text: String) -> [UInt64: String] {
        guard let start = text.firstRange(of: "__print_symbolic(REC->\(field),")?.upperBound else { return [:] }
        var symbols: [UInt64: String] = [:]
        for pair in text[start...].split(separator: "{").dropFirst() {
            guard let end = pair.firstIndex(of: "}") else { break }
            let parts = pair[..<end].split(separator: ",", maxSplits: 1)
            guard parts.count == 2 else { break }
            let number = parts[0].trimmingBlanks
            let value = number.hasPrefix("0x") ? UInt64(number.dropFirst(2), radix: 16) : UInt64(number)
            guard let value else { break }
            symbols[value] = String(parts[1].trimmingBlanks.drop { $0 == "\"" }.prefix { $0 != "\"" }).printable
        }
        return symbols
    }

    func parse(_ source: FormatText) -> EventFormat? {
        guard var text = FormatShape.fieldsOnly(source.text), let handle = unsafe tep_alloc() else { return nil }
        defer { unsafe tep_free(handle) }
        unsafe tep_set_long_size(handle, Int32(longSize))
        unsafe tep_set_file_bigendian(handle, TEP_LITTLE_ENDIAN)
        let code = text.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) {
                unsafe tep_parse_event(handle, $0.baseAddress, UInt($0.count), source.system)
            }
        }
        guard code.rawValue == 0, let event = unsafe tep_get_first_event(handle),
            unsafe (0...0xffff).contains(event.pointee.id),
            let name = unsafe event.pointee.name
        else { return nil }
        let common = unsafe Self.fields(event.pointee.format.common_fields)
        let own = unsafe Self.fields(event.pointee.format.fields)
        // A record is smaller than a sub-buffer; anything else is corrupt.
        guard (common + own).allSatisfy({ $0.offset >= 0 && $0.size >= 0 && $0.offset < 1 << 20 && $0.size < 1 << 20 })
        else { return nil }
        return unsafe EventFormat(
            id: Int(event.pointee.id), system: source.system, name: String(cString: name), commonFields: common,
            fields: own)
    }

    private static func fields(_ first: UnsafeMutablePointer<tep_format_field>?) -> [EventField] {
        var fields: [EventField] = []
        var next = unsafe first
        while let field = unsafe next?.pointee {
            unsafe next = field.next
            guard let name = unsafe field.name else { continue }
            let flags = unsafe UInt32(field.flags)
            func has(_ flag: tep_format_flags) -> Bool { flags & flag.rawValue != 0 }
            let shape: EventField.Shape =
                has(TEP_FIELD_IS_DYNAMIC)
                ? (has(TEP_FIELD_IS_RELATIVE) ? .relativeDynamic : .dynamic)
                : has(TEP_FIELD_IS_ARRAY) ? .array : .number
            unsafe fields.append(
                EventField(
                    name: String(cString: name), offset: Int(field.offset), size: Int(field.size),
                    isSigned: has(TEP_FIELD_IS_SIGNED), shape: shape, isString: has(TEP_FIELD_IS_STRING)))
        }
        return fields
    }
}
