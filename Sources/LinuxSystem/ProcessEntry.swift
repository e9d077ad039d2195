// /proc/PID: who a process is, see proc(5).

import Glibc

package enum ProcessEntry {
    /// When the process started, in clock ticks since boot; nil when there is no such process.
    package static func startTime(of process: Int32) -> UInt64? {
        guard let text = TextFile.optional("/proc/\(process)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        // The name may hold blanks and parentheses; field 3 follows it, field 22 is the start time.
        let fields = text[text.index(after: name)...].split(separator: " ")
        // A zombie's parent has not asked for it yet; it holds nothing any more.
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }

    /// Threads of a process by id; none when it is gone.
    package static func threads(of process: Int32) -> [Int32] {
        ((try? Folder.names(in: "/proc/\(process)/task")) ?? []).compactMap { Int32($0) }
    }

    /// Names of all threads of the machine, as far as they can be read.
    package static func allThreadNames() -> [Int32: String] {
        var names: [Int32: String] = [:]
        for process in (try? Folder.names(in: "/proc")) ?? [] {
            guard let process = Int32(process) else { continue }
            for thread in threads(of: process) {
                if let name = TextFile.optional("/proc/\(process)/task/\(thread)/comm") { names[thread] = name }
            }
        }
        return names
    }
}

package func processID() -> Int32 { getpid() }

/// errno of the call before.
package var lastError: Int32 { errno }
