// From the ring buffer to where the trace is kept: one thread, one descriptor for each CPU, no copy where the kernel
// can do without.

internal import CLinux
import Glibc
import LinuxSystem
import Synchronization

/// Takes what is read from the buffers. Called on the drain's thread only.
protocol TraceSink: AnyObject, Sendable {
    /// Takes `count` bytes, whole sub-buffers, out of the pipe `descriptor`.
    func take(cpu: Int, pipe descriptor: Int32, count: Int) throws(SystemError)
    /// Takes the sub-buffer that `bytes` holds.
    func take(cpu: Int, bytes: UnsafeRawBufferPointer) throws(SystemError)
}

/// Reads an instance's per_cpu/cpuN/trace_pipe_raw into a sink.
///
/// It sleeps in poll(2) until a buffer is as full as `buffer_percent` says, so a short recording is not disturbed at
/// all. Kernels before 6.1 wake pollers for any event; then it reads ten times a second. Full sub-buffers are spliced:
/// their pages move, their bytes are not touched; the last, partly filled ones are read, which is all that the kernel
/// allows (tracing_buffers_splice_read).
@safe final class BufferDrain: Sendable {
    private let sink: any TraceSink
    private let pageSize: Int
    private let thread: Mutex<JoinedThread?>
    /// Written to when the thread is to end.
    private let stopSignal: Mutex<Pipe>
    private let state = Mutex(State())
    /// Called once, on the drain's thread, when the sink refuses; draining has ended then.
    private let onFault: @Sendable (SystemError) -> Void

    struct State {
        /// Bytes that were moved, by CPU.
        var moved: [Int: Int] = [:]
        var fault: SystemError?
    }

    /// Most sub-buffers that are moved at once: what a pipe holds by default.
    private static let batch = 16
    private static let shortestPause: Int32 = 100

    init(
        instanceFolder: String, cpus: [Int], pageSize: Int, into sink: any TraceSink,
        onFault: @escaping @Sendable (SystemError) -> Void
    ) throws(TracingFault) {
        self.sink = sink
        self.pageSize = pageSize
        self.onFault = onFault
        let stopPipe: Pipe
        do throws(SystemError) {
            stopPipe = try Pipe()
        } catch {
            throw .unreadable(file: instanceFolder, error)
        }
        let stopEnd = stopPipe.readEnd
        stopSignal = Mutex(stopPipe)
        thread = Mutex(nil)
        var readers: [Reader] = []
        for cpu in cpus {
            let path = "\(instanceFolder)/per_cpu/cpu\(cpu)/trace_pipe_raw"
            let descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            guard descriptor >= 0 else {
                let error = SystemError(call: "open")
                readers.forEach { close($0.descriptor) }
                throw .unreadable(file: path, error)
            }
            readers.append(Reader(cpu: cpu, descriptor: descriptor))
        }
        let opened = readers
        do throws(SystemError) {
            var started: JoinedThread? = try JoinedThread { [self] in run(opened, stopEnd) }
            thread.withLock { $0 = started.take() }
        } catch {
            opened.forEach { close($0.descriptor) }
            throw .unreadable(file: instanceFolder, error)
        }
    }

    private struct Reader {
        var cpu: Int
        var descriptor: Int32
    }

    /// Bytes that have left the buffers.
    var moved: [Int: Int] { state.withLock { $0.moved } }

    /// Ends the draining after everything that the buffers hold now has been moved. Tracing is off by then.
    func finish() throws(SystemError) {
        stopSignal.withLock { $0.writeByte() }
        // Joins the thread.
        thread.withLock { $0 = nil }
        if let fault = state.withLock({ $0.fault }) { throw fault }
    }

    // MARK: The thread

    private func run(_ readers: [Reader], _ stopEnd: Int32) {
        defer { readers.forEach { close($0.descriptor) } }
        do throws(SystemError) {
            let pipe = try Pipe()
            while true {
                let isLast = waitForData(readers, stopEnd)
                for reader in readers { try drain(reader, through: pipe, rest: isLast) }
                if isLast { return }
            }
        } catch {
            state.withLock { $0.fault = error }
            onFault(error)
        }
    }

    /// - Returns: whether the draining is to end.
    private func waitForData(_ readers: [Reader], _ stopEnd: Int32) -> Bool {
        var entries = [pollfd(fd: stopEnd, events: Int16(POLLIN), revents: 0)]
        // Not at once after the last time, whatever woke us then.
        if unsafe poll(&entries, 1, Self.shortestPause) > 0 { return true }
        entries += readers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        while unsafe poll(&entries, nfds_t(entries.count), -1) < 0, errno == EINTR {}
        return entries[0].revents != 0
    }

    private func drain(_ reader: Reader, through pipe: borrowing Pipe, rest: Bool) throws(SystemError) {
        // A buffer that is filled as fast as it is read must not keep the others waiting.
        var rounds = rest ? Int.max : 4096
        while rounds > 0 {
            rounds -= 1
            let count = clinux_splice(reader.descriptor, pipe.writeEnd, Self.batch * pageSize, 1)
            if count > 0 {
                try sink.take(cpu: reader.cpu, pipe: pipe.readEnd, count: count)
                add(count, reader.cpu)
            } else if count < 0, errno == EINTR {
                continue
            } else if count == 0 || errno == EAGAIN {
                break
            } else if errno == EINVAL {
                // No splice here: everything is read.
                try read(reader)
                return
            } else {
                throw SystemError(call: "splice")
            }
        }
        if rest { try read(reader) }
    }

    /// Copies sub-buffers until there is nothing left.
    private func read(_ reader: Reader) throws(SystemError) {
        let page = UnsafeMutableRawBufferPointer.allocate(byteCount: pageSize, alignment: 16)
        defer { unsafe page.deallocate() }
        while true {
            let count = unsafe Glibc.read(reader.descriptor, page.baseAddress, pageSize)
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { return }
                throw SystemError(call: "read")
            }
            if count == 0 { return }
            // The kernel gives whole sub-buffers, so a shorter answer has nothing after it.
            if count < pageSize { unsafe memset(page.baseAddress! + count, 0, pageSize - count) }
            unsafe try sink.take(cpu: reader.cpu, bytes: UnsafeRawBufferPointer(page))
            add(pageSize, reader.cpu)
        }
    }

    private func add(_ count: Int, _ cpu: Int) { state.withLock { $0.moved[cpu, default: 0] += count } }
}
