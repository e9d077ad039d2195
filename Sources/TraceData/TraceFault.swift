// Everything that can be wrong with a trace.dat file, in one table.

package import LinuxSystem

/// A file that can't be read, with the place of the fault.
package struct TraceFileError: Error, Equatable, Sendable {
    package var file: String
    package var fault: Fault

    package enum Fault: Error, Equatable, Sendable {
        /// The system refused to open or map it.
        case system(SystemError)
        case empty
        /// It does not begin with the magic bytes; `found` are its first bytes.
        case notTraceData(found: [UInt8])
        /// Neither version 6 nor version 7.
        case unsupportedVersion(String)
        /// Written on a machine of the other byte order.
        case foreignByteOrder
        /// A compression other than zlib, zstd or none.
        case unsupportedCompression(String)
        /// The file ends inside `section`: bytes `offset ..< offset + needed` were to be read.
        case truncated(section: String, offset: Int, needed: Int)
        /// `section` holds something at byte `offset` that can't be there.
        case corrupt(section: String, offset: Int, fact: String)
        /// A latency tracer's text instead of events.
        case latencyFormat
        /// No section of events at all.
        case noTraceData
    }

    package init(file: String, fault: Fault) {
        self.file = file
        self.fault = fault
    }
}

extension TraceFileError {
    /// For people.
    package var text: String { "\(file): \(fault.text)" }
}

extension TraceFileError.Fault {
    /// For people, to stand behind the file's name.
    package var text: String {
        switch self {
        case .system(let error): error.textOfInput
        case .empty: "is empty: nothing was recorded, or the recording was not finished"
        case .notTraceData(let found):
            "is not a trace.dat file: it begins with \(found.isEmpty ? "nothing" : found.map { byte in String(byte, radix: 16) }.joined(separator: " ")), "
                + "not with 17 8 44 \"tracing\""
        case .unsupportedVersion(let version):
            "is trace.dat version \(version); versions 6 and 7 are read (trace-cmd convert makes them)"
        case .foreignByteOrder: "was written on a big-endian machine; such files are not read here"
        case .unsupportedCompression(let name):
            "is compressed with \(name); zstd, zlib and none are read (trace-cmd convert --compression none helps)"
        case .truncated(let section, let offset, let needed):
            "ends too early: \(needed) bytes were expected at byte \(offset) (\(section)). The copy is incomplete, or the recording was cut "
                + "off before trace-cmd wrote the end of the file; copy or record it again"
        case .corrupt(let section, let offset, let fact): "is corrupt at byte \(offset) (\(section)): \(fact)"
        case .latencyFormat: "holds a latency tracer's text, not events; record with events (trace-cmd record -e ...)"
        case .noTraceData: "holds no trace data: the recording was not finished, or was made with no events"
        }
    }
}

/// A defect inside the events of an otherwise readable file: found, counted and reported, never fatal.
package struct TraceDefect: Error, Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// A compressed chunk does not decompress; its events are lost.
        case chunk = "compressed chunk"
        /// A sub-buffer says it holds more than fits in it; its events are lost.
        case page = "sub-buffer"
        /// An event reaches past the end of its sub-buffer; the rest of the sub-buffer is lost.
        case event = "event"
        /// An event is shorter than its format says; it is left out.
        case shortEvent = "event shorter than its format"
        /// A timestamp lies before the one before it on the same CPU; it is moved up to that.
        case backwards = "timestamp before its predecessor"
    }

    package var kind: Kind
    package var cpu: Int
    /// Byte in the file where the sub-buffer or chunk begins that holds the first one.
    package var offset: Int
    package var count: Int

    package init(kind: Kind, cpu: Int, offset: Int, count: Int = 1) {
        self.kind = kind
        self.cpu = cpu
        self.offset = offset
        self.count = count
    }
}
