// guest-NAME.dat while it comes in: the data first, everything else when it is known.

import ClockSync
import Glibc
import LinuxSystem
import Synchronization
import TraceData

/// A guest's trace.dat, written on the task that reads its connection.
///
/// With transfer `after` the data of one CPU follows the other's, so it goes into the file at once. Live data comes in
/// any order; it waits in a file for each CPU.
final class GuestFile: Sendable {
    let path: String
    private let descriptor: Int32
    private let cpus: Int
    private let state: Mutex<State>
    /// Where live data waits.
    private let spool: Spool?

    private struct State: ~Copyable {
        var writer: TraceFileWriter
        /// Bytes that the guest may send; none before it was asked.
        var most = 0
        var cpu: Int?
        var bytes = 0
        var isOpen = true
    }

    enum Fault: Error {
        case notACPU(Int)
        case notWhole(Int)
        /// More than this.
        case tooMuch(Int)
    }

    /// From now on the guest may send, up to so many bytes in all.
    func allow(_ bytes: Int) { state.withLock { $0.most = bytes } }

    /// - Parameter isLive: data comes while it is recorded.
    init(folder: String, name: String, cpus: Int, pageSize: Int, isLive: Bool) throws(TracingFault) {
        path = folder + "/" + name
        self.cpus = cpus
        self.pageSize = pageSize
        spool = isLive ? try Spool(cpus: Array(0..<cpus), unnamedIn: folder) : nil
        do throws(SystemError) { descriptor = try NewFile.make(path + ".partial") } catch {
            throw .spool(path: path, error)
        }
        do throws(SystemError) {
            state = Mutex(State(writer: try TraceFileWriter(descriptor: descriptor, pageSize: pageSize)))
        } catch {
            close(descriptor)
            throw .spool(path: path, error)
        }
    }

    private let pageSize: Int

    deinit { close(descriptor) }

    /// Bytes of trace data so far.
    var bytes: Int { state.withLock { $0.bytes } }

    func take(_ data: Message.TraceBytes) throws {
        let cpu = Int(data.cpu)
        guard cpu < cpus else { throw Fault.notACPU(cpu) }
        guard data.bytes.count % pageSize == 0 else { throw Fault.notWhole(data.bytes.count) }
        try state.withLock { state in
            guard state.most > 0 else { throw ProtocolFault.unexpected("data") }
            guard data.bytes.count <= state.most - state.bytes else { throw Fault.tooMuch(state.most) }
            if let spool {
                try unsafe data.bytes.withUnsafeBytes { try unsafe spool.take(cpu: cpu, bytes: $0) }
            } else {
                if state.cpu != cpu {
                    // A CPU comes once.
                    guard state.cpu ?? -1 < cpu else { throw Fault.notACPU(cpu) }
                    state.writer.beginCPU(cpu)
                    state.cpu = cpu
                }
                try unsafe data.bytes.withUnsafeBytes { try unsafe state.writer.append($0) }
            }
            state.bytes += data.bytes.count
        }
    }

    /// Writes what is known now; may be called again when more is.
    func finish(_ description: TraceDescription) throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            if state.isOpen, let spool {
                for cpu in spool.cpus {
                    state.writer.beginCPU(cpu)
                    lseek(spool.descriptor(cpu: cpu), 0, SEEK_SET)
                    try state.writer.append(from: spool.descriptor(cpu: cpu), count: spool.size(cpu: cpu))
                }
            }
            state.isOpen = false
            try state.writer.finish(description)
        }
        guard unsafe rename(path + ".partial", path) == 0 || access(path, F_OK) == 0 else {
            throw SystemError(call: "rename")
        }
    }

    /// Leaves nothing behind.
    func discard() {
        for name in [path + ".partial", path] { unsafe unlink(name) }
    }
}
