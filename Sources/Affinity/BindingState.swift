// What a VM's threads were before they were bound, as it is kept in /run.

import FoundationEssentials
import LinuxSystem

/// One file of the store: what to bring back for one VM. Written before anything is changed.
package struct BindingState: Codable, Equatable, Sendable {
    package static let schema = 1

    package var schema = BindingState.schema
    package var vm: String?
    package var process: Int32
    /// Start of the process, in clock ticks since boot.
    package var processStart: UInt64
    /// The process without which the binding is not to last; none for one that lasts until it is restored.
    package var owner: Owner?
    package var threads: [SavedThread]

    /// Whether it is for a recording, on top of what `virtlat bind` may have done.
    package var isForRecording: Bool

    package struct Owner: Codable, Equatable, Sendable {
        package var process: Int32
        package var start: UInt64

        package init(process: Int32, start: UInt64) {
            self.process = process
            self.start = start
        }

        /// This process.
        package static var own: Owner {
            Owner(process: processID(), start: ProcessEntry.startTime(of: processID()) ?? 0)
        }

        package var lives: Bool { ProcessEntry.startTime(of: process) == start }
    }

    package struct SavedThread: Codable, Equatable, Sendable {
        package var thread: Int32
        package var start: UInt64
        package var name: String
        package var cpus: String
        package var policy: Int32
        package var priority: Int32

        package init(_ status: ThreadStatus) {
            thread = status.id
            start = status.startTime
            name = status.name
            cpus = status.cpus.description
            policy = status.scheduling.policy
            priority = status.scheduling.priority
        }
    }

    package init(
        vm: String?, process: Int32, processStart: UInt64, owner: Owner?, isForRecording: Bool, threads: [SavedThread]
    ) {
        self.vm = vm
        self.process = process
        self.processStart = processStart
        self.owner = owner
        self.isForRecording = isForRecording
        self.threads = threads
    }

    enum CodingKeys: String, CodingKey {
        case schema, vm, process
        case processStart = "process_start"
        case owner, threads
        case isForRecording = "for_recording"
    }

    /// The VM's process has ended, and its threads with it.
    package var isGone: Bool { ProcessEntry.startTime(of: process) != processStart }
    package var label: String { vm ?? "process \(process)" }
    /// One for each VM and kind.
    var fileName: String { "\(process)-\(isForRecording ? "recording" : "bind").json" }

    /// Adds threads that are not in it yet: what was first is what is brought back.
    mutating func add(_ others: [SavedThread]) {
        for other in others {
            // A new thread may have an old one's id.
            threads.removeAll { $0.thread == other.thread && $0.start != other.start }
            if !threads.contains(where: { $0.thread == other.thread }) { threads.append(other) }
        }
    }
}

extension BindingState {
    init(reading path: String) throws(BindingFault) {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try TextFile.bytes(of: path, limit: 1 << 20) } catch {
            throw .unreadable(path: path, error)
        }
        guard let state = try? JSONDecoder().decode(BindingState.self, from: Data(bytes)) else {
            throw .malformed(path: path, reason: "it is not what virtlat writes")
        }
        guard state.schema == Self.schema else {
            throw .malformed(path: path, reason: "schema \(state.schema) is another virtlat's")
        }
        guard path.hasSuffix("/" + state.fileName) else {
            throw .malformed(path: path, reason: "it is about process \(state.process)")
        }
        if let thread = state.threads.first(where: { CPUSet($0.cpus) == nil || $0.thread <= 0 }) {
            throw .malformed(path: path, reason: "thread \(thread.thread) has the CPUs \"\(thread.cpus)\"")
        }
        self = state
    }

    func write(to path: String) throws(BindingFault) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do throws(SystemError) {
            // Numbers and strings only: encoding can't fail.
            guard let data = try? encoder.encode(self) else { throw SystemError(call: "write", errno: 22) }
            var file = try OutputFile(path: path, mode: 0o600, other: .refused)
            try file.stream.write(bytes: Array(data) + [10])
            try file.settle(mode: 0o600)
            try file.commit()
        } catch {
            throw .unwritable(path: path, error)
        }
    }
}
