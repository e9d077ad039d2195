// The sections that both versions of trace.dat hold in the same form.

internal import LinuxSystem

extension TraceFile {
    /// "header_page" and its text, "header_event" and its text: the commit word's width is the kernel's long.
    static func readHeaderInfo(_ reader: inout ByteReader, _ contents: inout Contents) throws(TraceFileError.Fault) {
        try reader.expect("header_page\0")
        let page = unsafe try reader.take(try reader.u64())
        try reader.expect("header_event\0")
        _ = unsafe try reader.take(try reader.u64())
        // "	field: local_t commit;	offset:8;	size:8;	signed:1;"
        let text = unsafe String(decoding: page, as: UTF8.self)
        for line in text.split(separator: "\n") where line.contains(" commit;") {
            guard let size = formatNumber("size", in: line), size == 4 || size == 8 else {
                throw reader.corrupt("a commit word that is neither 4 nor 8 bytes")
            }
            contents.longSize = size
        }
    }

    /// The number after `name:` in a line of a format file.
    package static func formatNumber(_ name: String, in line: Substring) -> Int? {
        for part in line.split(separator: ";") {
            let pair = part.split(separator: ":", maxSplits: 1)
            guard pair.count == 2, pair[0].trimmingBlanks == name[...] else { continue }
            return Int(pair[1].trimmingBlanks)
        }
        return nil
    }

    /// Formats of ftrace's own events: a count, then size and text of each.
    static func readFtraceFormats(_ reader: inout ByteReader, _ contents: inout Contents) throws(TraceFileError.Fault) {
        let count = try reader.u32()
        for _ in 0..<count { try readFormat(&reader, system: "ftrace", &contents) }
    }

    /// Formats of all other events, system by system.
    static func readEventFormats(_ reader: inout ByteReader, _ contents: inout Contents) throws(TraceFileError.Fault) {
        let systems = try reader.u32()
        for _ in 0..<systems {
            let system = try reader.string()
            let count = try reader.u32()
            for _ in 0..<count { try readFormat(&reader, system: system, &contents) }
        }
    }

    private static func readFormat(
        _ reader: inout ByteReader, system: String, _ contents: inout Contents
    ) throws(TraceFileError.Fault) {
        let size = try reader.u64()
        guard size <= FileBudget.metadata else { throw reader.corrupt("an event format of \(size) bytes") }
        guard contents.formats.count < FileBudget.formats else {
            throw reader.corrupt("more than \(FileBudget.formats) event formats")
        }
        unsafe contents.formats.append(
            FormatText(system: system, text: String(decoding: try reader.take(size), as: UTF8.self)))
    }

    /// Lines "PID NAME".
    static func readCommandLines(_ reader: inout ByteReader, _ contents: inout Contents) throws(TraceFileError.Fault) {
        let text = unsafe String(decoding: try reader.take(try reader.u64()), as: UTF8.self)
        for line in text.split(separator: "\n") {
            guard let blank = line.firstIndex(of: " "), let id = Int32(line[..<blank]) else { continue }
            contents.commandLines[id] = String(line[line.index(after: blank)...]).printable
        }
    }
}

extension Substring {
    /// Without blanks and tabs at both ends.
    var trimmingBlanks: Substring {
        let head = drop { $0 == " " || $0 == "\t" }
        guard let last = head.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return head }
        return head[...last]
    }
}
