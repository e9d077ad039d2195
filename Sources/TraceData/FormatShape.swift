// A format file taken apart, so that libtraceevent is shown fields of a kernel's shape and nothing else.
//
// Its parsers recurse for each bracket, copy the whole type for each word of it, and would go on to the print format,
// whose expressions are the largest piece of code that could ever read untrusted bytes here.

enum FormatShape {
    /// Bounds beyond what any kernel writes: Linux 6.18 has up to 24 fields of 83 bytes, with a type of 5 words.
    private enum Most {
        static let name = 128
        static let fields = 256
        static let line = 256
        static let words = 16
        static let brackets = 4
    }

    /// - Returns: the format with its name, its id and its fields, and no print format; nil where that is not what it
    ///   holds.
    static func fieldsOnly(_ text: String) -> String? {
        var lines = Lines(text.utf8[...])
        guard let name = lines.next(), name.count <= Most.name, name.starts(with: "name: ".utf8), isPrintable(name),
            let id = lines.next(), id.count <= Most.name, id.starts(with: "ID: ".utf8),
            id.dropFirst(4).allSatisfy(isDigit),
            let head = lines.next(), head.elementsEqual("format:".utf8)
        else { return nil }
        var kept = [name, id, head]
        while let line = lines.next(), line.isEmpty || line.starts(with: Self.field) {
            guard line.isEmpty || isField(line), kept.count < Most.fields else { return nil }
            kept.append(line)
        }
        kept += ["".utf8[...], "print fmt: \"\"\n".utf8[...]]
        return kept.map { String(Substring($0)) }.joined(separator: "\n")
    }

    /// Lines of bytes; nil after the last whole one.
    private struct Lines {
        private var rest: Substring.UTF8View

        init(_ text: Substring.UTF8View) { rest = text }

        mutating func next() -> Substring.UTF8View? {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            defer { rest = rest[rest.index(after: end)...] }
            return rest[..<end]
        }
    }

    private static let field = "\tfield:".utf8

    /// "	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;"
    private static func isField(_ line: Substring.UTF8View) -> Bool {
        guard line.count <= Most.line else { return false }
        let parts = line.dropFirst(field.count).split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        guard (4...5).contains(parts.count), parts.last?.isEmpty == true, isDeclaration(parts[0]) else { return false }
        let keys = ["\toffset:", "\tsize:", "\tsigned:"]
        return zip(parts[1...], keys).allSatisfy { part, key in
            part.isEmpty
                || part.starts(with: key.utf8) && part.count > key.utf8.count
                    && part.dropFirst(key.utf8.count).allSatisfy(isDigit)
        }
    }

    private static func isDeclaration(_ bytes: Substring.UTF8View) -> Bool {
        guard isPrintable(bytes) else { return false }
        func count(_ characters: String) -> Int { bytes.count { characters.utf8.contains($0) } }
        return count("[(") <= Most.brackets && count(" ") <= Most.words
    }

    private static func isPrintable(_ bytes: Substring.UTF8View) -> Bool {
        bytes.allSatisfy { (32..<127).contains($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
