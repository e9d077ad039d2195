// One private ftrace instance: its buffers, its clock, its events. It goes when its handle goes, whatever happens.

internal import CTraceFS
import Glibc
import LinuxSystem
import Synchronization

/// An ftrace instance of our own, <tracefs>/instances/virtlat-…; the top-level buffers are never touched.
///
/// Tracing is off from the start. While the instance lives, its file `free_buffer` is held open with the option
/// `disable_on_free`: when the last process that has it ends, even by SIGKILL, the kernel itself switches tracing off
/// and gives the memory back (Documentation/trace/ftrace.rst).
@safe package final class TraceInstance: Sendable {
    package let name: String
    /// Where its files are.
    package let folder: String
    private let handle: Handle
    /// Open for as long as tracing may be on; nil once it is closed.
    private let freeBuffer: Mutex<Int32?>
    /// Tells every virtlat that this instance is in use; nil once it is not. Not `free_buffer`, whose last close
    /// switches tracing off.
    private let ownership: Mutex<FileLock?>

    /// libtracefs says not to share an instance between threads; only its name and paths are used here after it was
    /// made.
    @safe private struct Handle: @unchecked Sendable { let pointer: OpaquePointer }

    /// Makes an instance of this process, after removing those of processes that are gone.
    /// - Parameter percent: how full a CPU's buffer has to be before its reader is woken.
    package init(wakingAt percent: Int = 50) throws(TracingFault) {
        let turn = try TraceFS.turn()
        defer { withExtendedLifetime(turn) {} }
        try TraceFS.removeStale(turn)
        guard let name = InstanceName.own?.text else {
            throw .instance(name: InstanceName.prefix, SystemError(call: "/proc/self/stat", errno: ENOENT))
        }
        let folder = try TraceFS.instancesFolder() + "/" + name
        // One of our own that is in use, or that could not be removed a moment ago.
        guard unsafe !tracefs_instance_exists(name) else {
            throw .instance(name: name, SystemError(call: "mkdir", errno: EEXIST))
        }
        guard let pointer = unsafe tracefs_instance_create(name) else {
            throw .instance(name: name, SystemError(call: "mkdir"))
        }
        do throws(SystemError) {
            ownership = Mutex(try TraceFS.ownership(of: folder))
        } catch {
            unsafe tracefs_instance_destroy(pointer)
            unsafe tracefs_instance_free(pointer)
            throw .instance(name: name, error)
        }
        unsafe handle = Handle(pointer: pointer)
        self.name = name
        self.folder = folder
        let descriptor = unsafe open(folder + "/free_buffer", O_RDONLY | O_CLOEXEC)
        freeBuffer = Mutex(descriptor < 0 ? nil : descriptor)
        try set("tracing_on", "0")
        try set("options/disable_on_free", "1")
        // Wake-ups for every event would be the largest part of our own cost; before Linux 5.0 readers are woken by any
        // event.
        if Folder.hasFile(folder + "/buffer_percent") { try set("buffer_percent", String(percent)) }
    }

    deinit {
        remove()
        unsafe tracefs_instance_free(handle.pointer)
    }

    /// Switches tracing off and removes the instance; a second call does nothing.
    /// - Returns: whether it is gone. It stays while somebody else has one of its files open.
    @discardableResult
    package func remove() -> Bool {
        guard unsafe tracefs_instance_exists(name) else { return true }
        stop()
        freeBuffer.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
        // Whoever finds it from now on may remove it as well; an open file would keep it.
        ownership.withLock { $0 = nil }
        // A child that is just being started has our files open until it is another program.
        for _ in 0..<50 {
            if unsafe tracefs_instance_destroy(handle.pointer) == 0 || !tracefs_instance_exists(name) { return true }
            usleep(20_000)
        }
        return false
    }

    /// The descriptor whose last copy switches tracing off when it is closed. A guard gets a copy: to open the file
    /// again would be another one, and the buffers would go with the first.
    var lifeline: Int32? { freeBuffer.withLock { $0 } }

    // MARK: Settings

    /// Writes one of the instance's files. Not by libtracefs, whose descriptors a child that is started meanwhile would
    /// inherit, and with them the instance would stay.
    func set(_ file: String, _ value: String) throws(TracingFault) {
        do throws(SystemError) {
            try TextFile.write(value, to: folder + "/" + file)
        } catch {
            throw .setting(file: folder + "/" + file, value: value, error, reason: lastReason())
        }
    }

    func text(_ file: String) throws(TracingFault) -> String {
        do throws(SystemError) {
            return try TextFile.text(of: folder + "/" + file)
        } catch {
            throw .unreadable(file: folder + "/" + file, error)
        }
    }

    /// The kernel's last complaint about a filter or command, from error_log.
    private func lastReason() -> String? {
        guard let text = unsafe tracefs_error_last(handle.pointer) else { return nil }
        defer { unsafe free(text) }
        let reason = unsafe String(cString: text)
        _ = unsafe tracefs_error_clear(handle.pointer)
        return reason.isEmpty ? nil : reason
    }

    package func setClock(_ clock: String) throws(TracingFault) {
        let available = try TraceFS.clocks()
        guard available.contains(clock) else { throw .absentClock(clock, available: available) }
        try set("trace_clock", clock)
    }

    /// Sets the ring buffer of each CPU.
    /// - Returns: its size as the kernel rounded it, in KiB.
    package func setBuffer(kibibytes: Int) throws(TracingFault) -> Int {
        try set("buffer_size_kb", String(kibibytes))
        let text = try text("buffer_size_kb")
        return Int(text.prefix { $0.isNumber }) ?? kibibytes
    }

    package func start() throws(TracingFault) { try set("tracing_on", "1") }

    package func stop() { try? set("tracing_on", "0") }

    // MARK: Events

    /// Switches events on, each with its filter.
    /// - Returns: the events that are on, and those that this kernel has not.
    package func enable(_ requests: [EventRequest]) throws(TracingFault) -> (
        enabled: [EventRequest], absent: [EventName]
    ) {
        var enabled: [EventRequest] = []
        var absent: [EventName] = []
        for request in requests {
            guard try TraceFS.hasEvent(request.event) else {
                absent.append(request.event)
                continue
            }
            let file = "events/" + request.event.path
            if let filter = request.filter { try set(file + "/filter", filter) }
            try set(file + "/enable", "1")
            enabled.append(request)
        }
        guard !enabled.isEmpty else { throw .noEvents }
        return (enabled, absent)
    }
}
