// tracefs as a whole: where it is mounted, what the kernel can trace, and instances that others left behind.

internal import CTraceFS
import LinuxSystem

enum TraceFS {
    /// Where tracefs is mounted; libtracefs mounts it where it is not.
    static func folder() throws(TracingFault) -> String {
        guard let path = unsafe tracefs_tracing_dir() else { throw .noTraceFS(SystemError(call: "mount", errno: LinuxSystem.lastError)) }
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

/// An instance's name says whose it is, so that one whose owner is gone can be told from one in use.
///
/// "virtlat-PID-START": START is the process' start time in clock ticks since boot (field 22 of /proc/PID/stat), because
/// process ids come back.
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
    var ownerLives: Bool { ProcessEntry.startTime(of: process) == startTime }
}

extension TraceFS {
    /// Removes instances of recorders and agents that are gone; returns their names.
    @discardableResult
    package static func removeStale() throws(TracingFault) -> [String] {
        let instances = try folder() + "/instances"
        var removed: [String] = []
        for name in (try? Folder.names(in: instances)) ?? [] {
            guard let owner = InstanceName(name), !owner.ownerLives else { continue }
            try? TextFile.write("0", to: "\(instances)/\(name)/tracing_on")
            if Folder.remove("\(instances)/\(name)") { removed.append(name) }
        }
        return removed
    }

    /// Instances of recorders and agents that live.
    static func instancesOfOurs() throws(TracingFault) -> [String] {
        ((try? Folder.names(in: try folder() + "/instances")) ?? []).filter { InstanceName($0) != nil }
    }
}
