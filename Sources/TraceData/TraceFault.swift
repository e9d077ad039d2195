// Everything that can be wrong with a trace.dat file, in one table.

package import LinuxSystem

/// A file that can't be read, with the place of the fault. Text for people is made in the command.
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
