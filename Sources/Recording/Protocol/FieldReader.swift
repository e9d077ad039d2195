// Takes a message apart, field by field, and trusts none of it.

import NIOCore

struct FieldReader {
    let type: UInt8
    private var buffer: ByteBuffer

    /// No text is longer: a filter fits into a page.
    static let longestText = 4096
    /// A machine's name takes 64 of it.
    static let longestLine = 200
    /// No list has more items.
    static let longestList = 8192

    init(_ buffer: ByteBuffer) throws(ProtocolFault) {
        self.buffer = buffer
        guard let type: UInt8 = self.buffer.readInteger() else { throw .malformed(message: "empty", field: "type") }
        self.type = type
    }

    func fault(_ field: String) -> ProtocolFault { .malformed(message: "message \(type)", field: field) }

    mutating func number<Number: FixedWidthInteger>(_ field: String) throws(ProtocolFault) -> Number {
        guard let number = buffer.readInteger(as: Number.self) else { throw fault(field) }
        return number
    }

    mutating func flag(_ field: String) throws(ProtocolFault) -> Bool {
        let byte: UInt8 = try number(field)
        guard byte < 2 else { throw fault(field) }
        return byte == 1
    }

    /// UTF-8 without control characters but newlines and tabs: it may end up on a terminal.
    mutating func text(_ field: String) throws(ProtocolFault) -> String {
        let length: UInt16 = try number(field)
        guard length <= Self.longestText, let bytes = buffer.readBytes(length: Int(length)),
            let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy(Self.isHarmless)
        else { throw fault(field) }
        return text
    }

    /// Text that is part of a line wherever it is shown: not long, not empty, and no newline or tab to feign another.
    mutating func line(_ field: String) throws(ProtocolFault) -> String {
        let text = try text(field)
        guard (1...Self.longestLine).contains(text.utf8.count), !text.contains(where: { "\n\t".contains($0) }) else {
            throw fault(field)
        }
        return text
    }

    /// Terminals obey U+0080 to U+009F (C1) as they do ESC and its kin.
    private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\n" || scalar == "\t" || scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)
    }

    mutating func list<Item>(
        _ field: String, _ item: (inout FieldReader) throws(ProtocolFault) -> Item
    ) throws(ProtocolFault) -> [Item] {
        let count: UInt16 = try number(field)
        guard count <= Self.longestList else { throw fault(field) }
        var items: [Item] = []
        for _ in 0..<count { items.append(try item(&self)) }
        return items
    }

    mutating func texts(_ field: String) throws(ProtocolFault) -> [String] {
        try list(field) { (fields) throws(ProtocolFault) in try fields.text(field) }
    }

    mutating func rest() -> [UInt8] { buffer.readBytes(length: buffer.readableBytes) ?? [] }

    func expectEnd() throws(ProtocolFault) {
        guard buffer.readableBytes == 0 else { throw fault("\(buffer.readableBytes) bytes too many") }
    }
}
