// Stamps of our own in a trace: what is written to trace_marker_raw is an event, with the trace clock's time.

import Glibc
import LinuxSystem
import Synchronization

/// One `raw_data` event of ftrace, told apart by its id: magic, kind and number in 32 bits, and no data.
struct Marker: Equatable, Sendable {
    enum Kind: UInt32, Sendable {
        /// A probe leaves this machine.
        case sent
        /// A probe has come.
        case received
        /// The measurement begins and ends; on the host only.
        case begin, end
    }

    var kind: Kind
    /// Of the probe.
    var number: UInt32

    static let mostNumbers: UInt32 = 1 << 18
    private static let magic: UInt32 = 0x76c

    var id: UInt32 { Self.magic << 20 | kind.rawValue << 18 | number & (Self.mostNumbers - 1) }

    init(_ kind: Kind, _ number: UInt32 = 0) {
        self.kind = kind
        self.number = number
    }

    init?(id: UInt32) {
        guard id >> 20 == Self.magic, let kind = Kind(rawValue: id >> 18 & 3) else { return nil }
        self.init(kind, id & (Self.mostNumbers - 1))
    }
}

/// An instance's trace_marker_raw, open until it is closed: an instance stays while one of its files is open.
final class MarkerFile: Sendable {
    private let descriptor: Mutex<Int32>

    init(_ instance: TraceInstance) throws(TracingFault) {
        let path = instance.folder + "/trace_marker_raw"
        let opened = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard opened >= 0 else { throw .unreadable(file: path, SystemError(call: "open")) }
        descriptor = Mutex(opened)
    }

    deinit { close() }

    /// One event; lost when tracing is off.
    func write(_ marker: Marker) {
        descriptor.withLock { descriptor in
            var id = marker.id
            _ = unsafe Glibc.write(descriptor, &id, MemoryLayout<UInt32>.size)
        }
    }

    func close() {
        descriptor.withLock { descriptor in
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
        }
    }
}
