// trace.dat version 7: sections anywhere, found through chains of OPTIONS sections, optionally compressed.

extension TraceFile {
    static func readVersion7(
        _ reader: inout ByteReader, _ bytes: UnsafeRawBufferPointer, _ contents: inout Contents
    ) throws(TraceFileError.Fault) {
        let name = try reader.string(limit: 64)
        _ = try reader.string(limit: 64)  // the compressor's version
        guard let compression = Compression(rawValue: name) else { throw .unsupportedCompression(name) }
        contents.compression = compression
        var sections = unsafe SectionTable(bytes: bytes, compression: compression)
        var next = try reader.u64()
        var seen: Set<UInt64> = []
        while next != 0 {
            guard seen.insert(next).inserted else {
                throw .corrupt(section: "options", offset: Int(clamping: next), fact: "options sections in a circle")
            }
            guard let offset = Int(exactly: next) else {
                throw .corrupt(section: "options", offset: reader.offset, fact: "an options section at byte \(next)")
            }
            next = try readOptions7(at: offset, &sections, &contents)
        }
    }

    /// One OPTIONS section; returns where the next one is, 0 at the last.
    private static func readOptions7(
        at offset: Int, _ sections: inout SectionTable, _ contents: inout Contents
    ) throws(TraceFileError.Fault) -> UInt64 {
        let section = try sections.section(at: offset, id: 0, name: "options")
        var reader = section.reader
        while true {
            let id = try reader.u16()
            let size = Int(try reader.u32())
            let start = reader.offset
            var data = unsafe ByteReader(
                try reader.take(size), section: "option \(id)", fileOffset: section.fileOffset &+ start)
            switch id {
            case TraceOptions.ID.done:
                return try data.u64()
            case TraceOptions.ID.buffer:
                if let buffer = try readBuffer(&data, sections) {
                    contents.lanes += buffer.cpus.count
                    guard contents.lanes <= FileBudget.lanes else {
                        throw data.corrupt("\(contents.lanes) CPUs in all buffers")
                    }
                    contents.buffers.append(buffer)
                }
            case TraceOptions.ID.bufferText:
                throw .latencyFormat
            case TraceOptions.ID.headerInfo:
                var body = try sections.section(&data, id: id, name: "headers").reader
                try readHeaderInfo(&body, &contents)
            case TraceOptions.ID.ftraceFormats:
                var body = try sections.section(&data, id: id, name: "ftrace events").reader
                try readFtraceFormats(&body, &contents)
            case TraceOptions.ID.eventFormats:
                var body = try sections.section(&data, id: id, name: "event formats").reader
                try readEventFormats(&body, &contents)
            case TraceOptions.ID.commandLines:
                var body = try sections.section(&data, id: id, name: "command lines").reader
                try readCommandLines(&body, &contents)
            default:
                try contents.options.read(id, &data)
            }
        }
    }

    /// Option BUFFER: where an instance's section is, and where in it each CPU's data lies.
    private static func readBuffer(
        _ data: inout ByteReader, _ sections: SectionTable
    ) throws(TraceFileError.Fault) -> TraceBuffer? {
        let offset = try data.u64()
        let name = try data.string()
        let clock = try data.string()
        let pageSize = Int(try data.u32())
        try check(pageSize: pageSize, data)
        let count = Int(try data.u32())
        guard count <= TraceOptions.mostCPUs else { throw data.corrupt("\(count) CPUs") }
        guard let place = Int(exactly: offset) else { throw data.corrupt("a buffer section at byte \(offset)") }
        let header = try sections.header(at: place, id: 3, name: "buffer \(name)")
        var cpus: [CPUData] = []
        for _ in 0..<count {
            let cpu = Int(try data.u32())
            guard cpu < TraceOptions.mostCPUs else { throw data.corrupt("CPU \(cpu)") }
            let range = unsafe try dataRange(offset: try data.u64(), size: try data.u64(), cpu: cpu, sections.bytes)
            cpus.append(CPUData(cpu: cpu, range: range, isChunked: header.isCompressed))
        }
        return TraceBuffer(name: name, clock: clock.isEmpty ? nil : clock, pageSize: pageSize, cpus: cpus)
    }
}

/// Finds sections and decompresses those that are compressed; keeps what it decompressed while it lives. All together
/// stay within the budget.
@safe struct SectionTable {
    let bytes: UnsafeRawBufferPointer
    let compression: Compression
    private var decompressed: [DecompressedBytes] = []
    /// Bytes of the sections so far.
    private var size = 0

    init(bytes: UnsafeRawBufferPointer, compression: Compression) {
        unsafe self.bytes = bytes
        self.compression = compression
    }

    struct Header {
        var isCompressed: Bool
        var body: Int
        var size: UInt64
    }

    struct Section {
        var reader: ByteReader
        /// Where the body lies in the file; for a compressed one, where its compressed bytes begin.
        var fileOffset: Int
    }

    /// 16 bytes: id, flags, description, size.
    func header(at offset: Int, id: UInt16, name: String) throws(TraceFileError.Fault) -> Header {
        var reader = unsafe ByteReader(bytes, from: offset, section: name)
        let found = try reader.u16()
        guard found == id else {
            throw .corrupt(section: name, offset: offset, fact: "section \(found) where section \(id) was expected")
        }
        let flags = try reader.u16()
        _ = try reader.u32()
        return Header(isCompressed: flags & 1 != 0, body: offset + 16, size: try reader.u64())
    }

    private mutating func charge(_ count: Int, _ name: String, at offset: Int) throws(TraceFileError.Fault) {
        size += count
        guard size <= FileBudget.metadata else {
            throw .corrupt(
                section: name, offset: offset,
                fact: "more than \(FileBudget.metadata >> 20) MiB of sections, some perhaps named twice")
        }
    }

    /// The section whose place is the whole of an option.
    mutating func section(
        _ data: inout ByteReader, id: UInt16, name: String
    ) throws(TraceFileError.Fault) -> Section {
        let offset = try data.u64()
        guard let place = Int(exactly: offset) else { throw data.corrupt("section \(name) at byte \(offset)") }
        return try section(at: place, id: id, name: name)
    }

    mutating func section(at offset: Int, id: UInt16, name: String) throws(TraceFileError.Fault) -> Section {
        let header = try header(at: offset, id: id, name: name)
        var reader = unsafe ByteReader(bytes, from: header.body, section: name)
        let stored = unsafe try reader.take(header.size)
        guard header.isCompressed else {
            try charge(stored.count, name, at: header.body)
            return unsafe Section(
                reader: ByteReader(stored, section: name, fileOffset: header.body), fileOffset: header.body)
        }
        var compressed = unsafe ByteReader(stored, section: name, fileOffset: header.body)
        let size = Int(try compressed.u32())
        let fullSize = Int(try compressed.u32())
        let source = unsafe try compressed.take(size)
        guard FileBudget.allows(fullSize, from: size) else {
            throw compressed.corrupt("\(fullSize) bytes out of \(size), more than any kernel's \(name) compress to")
        }
        try charge(fullSize, name, at: header.body)
        let target = DecompressedBytes(count: fullSize)
        guard unsafe Decompressor(compression).decompress(source, into: target.bytes) else {
            throw compressed.corrupt("\(compression.rawValue) data that does not decompress to \(fullSize) bytes")
        }
        decompressed.append(target)
        return unsafe Section(
            reader: ByteReader(UnsafeRawBufferPointer(target.bytes), section: "\(name) (decompressed)"),
            fileOffset: header.body)
    }
}

/// Memory that lives as long as somebody reads from it.
@safe final class DecompressedBytes {
    let bytes: UnsafeMutableRawBufferPointer

    init(count: Int) {
        unsafe bytes = .allocate(byteCount: count, alignment: 16)
    }

    deinit { unsafe bytes.deallocate() }
}
