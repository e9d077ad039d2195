// Where trace data waits until it is put into a trace.dat file: one file for each CPU, in a folder or in memory.

internal import CLinux
import Glibc
import LinuxSystem

/// One growing file for each CPU, made of whole sub-buffers.
final class Spool: TraceSink {
    private let descriptors: [Int: Int32]

    /// Files `host.cpu0`, `host.cpu1`, … in a folder.
    /// - Parameter isContinued: what they hold already stays, and is added to.
    init(cpus: [Int], folder: String, prefix: String, isContinued: Bool = false) throws(TracingFault) {
        var opened: [Int: Int32] = [:]
        for cpu in cpus {
            let path = Self.path(folder: folder, prefix: prefix, cpu: cpu)
            do throws(SystemError) {
                let descriptor = try isContinued ? NewFile.continued(path) : NewFile.make(path)
                if isContinued { lseek(descriptor, 0, SEEK_END) }
                opened[cpu] = descriptor
            } catch {
                opened.values.forEach { close($0) }
                throw .spool(path: path, error)
            }
        }
        descriptors = opened
    }

    /// Files without a name: in a folder, or in memory where there is none.
    init(cpus: [Int], unnamedIn folder: String?) throws(TracingFault) {
        var opened: [Int: Int32] = [:]
        for cpu in cpus {
            // O_TMPFILE is __O_TMPFILE | O_DIRECTORY, which the module map can't express.
            let descriptor =
                if let folder { unsafe open(folder, O_RDWR | O_CLOEXEC | 0o20_000_000 | O_DIRECTORY, 0o600) } else {
                    unsafe clinux_memory_file("virtlat-cpu\(cpu)")
                }
            guard descriptor >= 0 else {
                let error = SystemError(call: folder == nil ? "memfd_create" : "open")
                opened.values.forEach { close($0) }
                throw .spool(path: folder ?? "memory", error)
            }
            opened[cpu] = descriptor
        }
        descriptors = opened
    }

    deinit { descriptors.values.forEach { close($0) } }

    static func path(folder: String, prefix: String, cpu: Int) -> String { "\(folder)/\(prefix).cpu\(cpu)" }

    var cpus: [Int] { descriptors.keys.sorted() }

    func descriptor(cpu: Int) -> Int32 { descriptors[cpu]! }

    func size(cpu: Int) -> Int {
        var status = stat()
        return unsafe fstat(descriptors[cpu]!, &status) == 0 ? Int(status.st_size) : 0
    }

    func take(cpu: Int, pipe source: Int32, count: Int) throws(SystemError) {
        var left = count
        while left > 0 {
            let moved = clinux_splice(source, descriptors[cpu]!, left, 0)
            if moved < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "splice")
            }
            guard moved > 0 else { throw SystemError(call: "splice", errno: EIO) }
            left -= moved
        }
    }

    func take(cpu: Int, bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = unsafe write(descriptors[cpu]!, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "write")
            }
            done += count
        }
    }

    /// Cuts off what is no whole sub-buffer.
    func truncate(cpu: Int, toMultipleOf pageSize: Int) throws(SystemError) {
        let whole = size(cpu: cpu) / pageSize * pageSize
        guard ftruncate(descriptors[cpu]!, off_t(whole)) == 0 else { throw SystemError(call: "ftruncate") }
        lseek(descriptors[cpu]!, 0, SEEK_END)
    }

    /// Gives the blocks of the first `count` bytes back; the rest stays where it is. False where the file system can't.
    func punch(cpu: Int, count: Int) -> Bool { count > 0 && clinux_punch_hole(descriptors[cpu]!, 0, Int64(count)) == 0 }

    /// Reads a stretch of a CPU's data.
    func read(cpu: Int, offset: Int, count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe pread(descriptors[cpu]!, $0.baseAddress! + done, count - done, off_t(offset + done))
            }
            if got < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "pread")
            }
            if got == 0 { break }
            done += got
        }
        bytes.removeLast(count - done)
        return bytes
    }
}
