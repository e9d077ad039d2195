// tracefs as a whole: where it is mounted, what the kernel can trace, and instances that others left behind.

internal import CTraceFS
import Glibc
import LinuxSystem

enum TraceFS {
    /// Where tracefs is mounted; libtracefs mounts it where it is not.
    static func folder() throws(TracingFault) -> String {
        guard let path = unsafe tracefs_tracing_dir() else {
            throw .noTraceFS(SystemError(call: "mount", errno: LinuxSystem.lastError))
        }
        return unsafe String(cString: path)
    }

    static func text(_ file: String) throws(TracingFault) -> String {
        let path = try folder() + "/" + file
        do throws(SystemError) {
            return try TextFile.text(of: path)
        } catch {
            throw .unreadable(file: path, error)
        }
    }

    /// The trace clocks of the kernel, and the one in use in brackets: "[local] global …".
    static func clocks() throws(TracingFault) -> [String] {
        try text("trace_clock").split(separator: " ").map { String($0.filter { $0 != "[" && $0 != "]" }) }
    }

    static func hasEvent(_ event: EventName) throws(TracingFault) -> Bool {
        Folder.exists(try folder() + "/events/" + event.path)
    }
}

/// An instance's name: that it is ours, and, for people, whose. Whether its owner lives is told by a lock
/// (`TraceFS.removeStale`).
///
/// "virtlat-PID-START": START is the process' start time in clock ticks since boot (field 22 of /proc/PID/stat),
/// because process ids come back.
struct InstanceName: Equatable {
    var process: Int32
    var startTime: UInt64

    static let prefix = "virtlat-"

    /// For this process.
    static var own: InstanceName? {
        let process = LinuxSystem.processID()
        return ProcessEntry.startTime(of: process).map { InstanceName(process: process, startTime: $0) }
    }

    init(process: Int32, startTime: UInt64) {
        self.process = process
        self.startTime = startTime
    }

    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: "-")
        guard parts.count == 2, let process = Int32(parts[0]), let start = UInt64(parts[1]) else { return nil }
        self.init(process: process, startTime: start)
        // What we would not have written is not ours.
        guard self.text == text else { return nil }
    }

    var text: String { "\(Self.prefix)\(process)-\(startTime)" }
}

extension TraceFS {
    static func instancesFolder() throws(TracingFault) -> String { try folder() + "/instances" }

    // An owner that can't be seen may live: in another pid namespace it has another process id, or none. So its life is
    // a lock, flock(2), which the kernel drops with the process: on its instance's `tracing_on`, a file that does
    // nothing when it is closed.

    /// Says that the instance in this folder has an owner, as long as what is returned is referred to.
    static func ownership(of instance: String) throws(SystemError) -> FileLock {
        try FileLock(file: lockedFile(of: instance))
    }

    private static func lockedFile(of instance: String) -> String { instance + "/tracing_on" }

    private static let patience: Int64 = 5_000_000_000

    /// One virtlat at a time makes an instance or looks for those without an owner: between its making and its lock an
    /// instance seems to have none.
    static func turn() throws(TracingFault) -> FileLock {
        let folder = try instancesFolder()
        do throws(SystemError) {
            return try FileLock(folder: folder, patience: patience)
        } catch {
            throw error.errno == EWOULDBLOCK ? .busy(folder: folder) : .instance(name: InstanceName.prefix, error)
        }
    }

    /// Removes instances of recorders and agents that are gone; returns their names. Whose turn it is for too long is
    /// not disturbed: they stay then.
    @discardableResult
    package static func removeStale() throws(TracingFault) -> [String] {
        _ = try folder()
        guard let turn = try? Self.turn() else { return [] }
        return try removeStale(turn)
    }

    @discardableResult
    static func removeStale(_ turn: FileLock) throws(TracingFault) -> [String] {
        let instances = try instancesFolder()
        var removed: [String] = []
        for name in try instancesOfOurs() where isStale("\(instances)/\(name)") {
            try? TextFile.write("0", to: "\(instances)/\(name)/tracing_on")
            if Folder.remove("\(instances)/\(name)") { removed.append(name) }
        }
        withExtendedLifetime(turn) {}
        return removed
    }

    /// Nobody owns it. One that can't be looked at is taken to be in use.
    private static func isStale(_ instance: String) -> Bool {
        (try? FileLock(file: lockedFile(of: instance), isShared: true)) != nil
    }

    /// Instances of recorders and agents.
    static func instancesOfOurs() throws(TracingFault) -> [String] {
        ((try? Folder.names(in: try instancesFolder())) ?? []).filter { InstanceName($0) != nil }
    }
}
