// A trace.dat file: what it says of itself, and where each CPU's sub-buffers lie.

package import LinuxSystem

/// One CPU's trace data inside the file.
package struct CPUData: Sendable, Equatable {
    package var cpu: Int
    /// Where the sub-buffers, or the chunks that hold them, lie in the file.
    package var range: Range<Int>
    /// The range holds a count of chunks and the chunks, each compressed on its own.
    package var isChunked: Bool
}

/// One ftrace instance's data.
package struct TraceBuffer: Sendable {
    /// Empty for the top-level buffers.
    package var name: String
    /// Trace clock of the instance as the file calls it; trace-cmd writes `tsc2nsec` for an `x86-tsc` it can convert.
    package var clock: String?
    /// Size of a sub-buffer in bytes.
    package var pageSize: Int
    package var cpus: [CPUData]
}

/// A format file as the kernel wrote it, with the system (`net`, `kvm`, …) it belongs to.
package struct FormatText: Sendable {
    package var system: String
    package var text: String

    package init(system: String, text: String) {
        self.system = system
        self.text = text
    }

    /// The event's name.
    package var name: String { FormatParser.name(of: text) }
}

/// An opened trace.dat file of version 6 or 7, mapped; formats in trace-cmd.dat.v6(5) and trace-cmd.dat.v7(5).
///
/// Opening reads all that the file says of itself; the events stay where they are until a scanner walks over them.
package final class TraceFile: Sendable {
    package let path: String
    package let version: Int
    /// Bytes of the recorded kernel's `long`: the width of the commit word of a sub-buffer.
    package let longSize: Int
    package let options: TraceOptions
    package let buffers: [TraceBuffer]
    package let formats: [FormatText]
    /// Names of threads by id, as far as the kernel remembered them (saved_cmdlines).
    package let commandLines: [Int32: String]
    let mapping: MappedFile
    let compression: Compression

    /// - Throws: `TraceFileError` naming the file and the place of the fault.
    package convenience init(path: String) throws(TraceFileError) {
        let mapping: MappedFile
        do throws(SystemError) {
            mapping = try MappedFile(path: path)
        } catch {
            throw TraceFileError(file: path, fault: .system(error))
        }
        try self.init(mapping)
    }

    /// - Throws: `TraceFileError` naming the file and the place of the fault.
    package init(_ mapping: MappedFile) throws(TraceFileError) {
        let path = mapping.path
        self.mapping = mapping
        do throws(TraceFileError.Fault) {
            let contents = try Self.read(mapping)
            self.path = path
            version = contents.version
            longSize = contents.longSize
            options = contents.options
            buffers = contents.buffers
            formats = contents.formats
            commandLines = contents.commandLines
            compression = contents.compression
        } catch {
            throw TraceFileError(file: path, fault: error)
        }
    }

    /// What a reader of either version fills in.
    struct Contents {
        /// CPUs of all buffers so far.
        var lanes = 0
        var version: Int
        var longSize = 8
        var compression = Compression.none
        var options = TraceOptions()
        var buffers: [TraceBuffer] = []
        var formats: [FormatText] = []
        var commandLines: [Int32: String] = [:]
    }

    static let magic: [UInt8] = [0x17, 0x08, 0x44] + Array("tracing".utf8)

    /// The part of the header that both versions share, then the version's own.
    private static func read(_ mapping: MappedFile) throws(TraceFileError.Fault) -> Contents {
        guard unsafe !mapping.bytes.isEmpty else { throw .empty }
        guard unsafe mapping.bytes.prefix(magic.count).elementsEqual(magic) else {
            throw unsafe .notTraceData(found: Array(mapping.bytes.prefix(magic.count)))
        }
        var reader = unsafe ByteReader(mapping.bytes, from: magic.count, section: "header")
        let version = try reader.string(limit: 16)
        guard let number = Int(version), number == 6 || number == 7 else { throw .unsupportedVersion(version) }
        switch try reader.u8() {
        case 0: break
        case 1: throw .foreignByteOrder
        case let other: throw reader.corrupt("byte order \(other), which is neither little nor big")
        }
        var contents = Contents(version: number)
        contents.longSize = Int(try reader.u8())
        guard contents.longSize == 4 || contents.longSize == 8 else {
            throw reader.corrupt("a long of \(contents.longSize) bytes")
        }
        let pageSize = Int(try reader.u32())
        try check(pageSize: pageSize, reader)
        if number == 7 {
            unsafe try readVersion7(&reader, mapping.bytes, &contents)
        } else {
            unsafe try readVersion6(&reader, pageSize: pageSize, mapping.bytes, &contents)
        }
        guard !contents.buffers.isEmpty else { throw .noTraceData }
        try FileBudget.check(contents.buffers)
        return contents
    }

    /// Sub-buffers are powers of two, from a page of 4 KiB (or 1 KiB, to be generous) to the kernel's largest order.
    static func check(pageSize: Int, _ reader: ByteReader) throws(TraceFileError.Fault) {
        guard pageSize >= 1024, pageSize <= 1 << 26, pageSize & (pageSize - 1) == 0 else {
            throw reader.corrupt("a page of \(pageSize) bytes")
        }
    }
}

extension TraceFile {
    /// Bytes of trace data of all CPUs, as they lie in the file.
    package var dataBytes: Int { buffers.reduce(0) { $0 + $1.cpus.reduce(0) { $0 + $1.range.count } } }

    /// The names an event's numbers print as, `kfree_skb`'s reasons for example; empty where the format names none.
    package func symbols(event: String, field: String) -> [UInt64: String] {
        guard let format = formats.first(where: { FormatParser.name(of: $0.text) == event }) else { return [:] }
        return FormatParser.symbols(of: field, in: format.text)
    }
}
