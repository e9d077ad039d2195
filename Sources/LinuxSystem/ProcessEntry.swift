// /proc/PID: who a process is, see proc(5).

import Glibc

package enum ProcessEntry {
    /// When the process started, in clock ticks since boot; nil when there is no such process.
    package static func startTime(of process: Int32) -> UInt64? {
        let fields = statFields("/proc/\(process)/stat")
        // A zombie's parent has not asked for it yet; it holds nothing any more.
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }

    /// The CPU that a thread runs on, or ran on last.
    /// - Parameter stat: a file of /proc, of a process or a thread.
    package static func lastCPU(stat: String) -> Int? {
        let fields = statFields(stat)
        return fields.count > 36 ? Int(fields[36]) : nil
    }

    /// From field 3 on, since the name before it may hold blanks and parentheses.
    private static func statFields(_ path: String) -> [Substring] {
        guard let text = TextFile.optional(path), let name = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: name)...].split(separator: " ")
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
