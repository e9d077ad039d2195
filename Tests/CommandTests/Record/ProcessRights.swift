// What the kernel says that a process may do: /proc/PID/task/TID/status of proc(5), of each of its threads.

import Foundation
import Testing

struct ProcessRights: Hashable, CustomStringConvertible {
    /// Effective, permitted, inheritable, ambient, and the bounding set.
    var capabilities: [String: UInt64]
    var forbidsNew: Bool
    /// 2 is a filter.
    var seccomp: Int

    /// Different ones among the threads of a process: one, if all have the same.
    static func ofThreads(_ process: Int32) throws -> (threads: Int, rights: Set<ProcessRights>) {
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")
        return (threads.count, Set(try threads.map { try ProcessRights(status: "/proc/\(process)/task/\($0)/status") }))
    }

    static func own() throws -> ProcessRights { try ProcessRights(status: "/proc/self/status") }

    private init(status path: String) throws {
        var fields: [Substring: Substring] = [:]
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].dropLast()] = parts[1] }
        }
        capabilities = [:]
        for set in ["Eff", "Prm", "Inh", "Amb", "Bnd"] {
            capabilities[set] = try UInt64(#require(fields["Cap\(set)"]), radix: 16)
        }
        forbidsNew = fields["NoNewPrivs"] == "1"
        seccomp = Int(fields["Seccomp"] ?? "") ?? -1
    }

    static let bindService: UInt64 = 1 << 10
    static let systemLog: UInt64 = 1 << 34
    static let performanceMonitoring: UInt64 = 1 << 38

    /// An agent's: these capabilities, as far as this machine has them, and no way to more.
    static func agents(besides more: UInt64 = 0) throws -> ProcessRights {
        let kept = try #require(try own().capabilities["Bnd"]) & (systemLog | performanceMonitoring | more)
        var rights = try own()
        rights.capabilities = ["Eff": kept, "Prm": kept, "Bnd": kept, "Inh": 0, "Amb": 0]
        rights.forbidsNew = true
        rights.seccomp = 2
        return rights
    }

    var description: String {
        let sets = capabilities.sorted { $0.key < $1.key }.map { "\($0.key) \(String($0.value, radix: 16))" }
        return "\(sets.joined(separator: ", ")); no_new_privs \(forbidsNew), seccomp \(seccomp)"
    }
}
