// Where a thread may run, and in which scheduling class: sched_setaffinity(2), sched_setscheduler(2).

internal import CLinux
import Glibc

/// A scheduling policy with its priority, see sched(7).
package struct Scheduling: Hashable, Sendable {
    /// The kernel's number, SCHED_RESET_ON_FORK included.
    package var policy: Int32
    /// 1 to 99 for fifo and rr, else 0.
    package var priority: Int32

    package init(policy: Int32, priority: Int32) {
        self.policy = policy
        self.priority = priority
    }

    package static let other = Scheduling(policy: SCHED_OTHER, priority: 0)

    /// A thread's own.
    package init(of thread: Int32) throws(SystemError) {
        let policy = sched_getscheduler(thread)
        var parameter = sched_param()
        guard policy >= 0, unsafe sched_getparam(thread, &parameter) == 0 else {
            throw SystemError(call: "sched_getscheduler")
        }
        self.init(policy: policy, priority: parameter.sched_priority)
    }

    /// Makes it a thread's; what it is niced to stays.
    package func set(on thread: Int32) throws(SystemError) {
        var parameter = sched_param(sched_priority: priority)
        guard unsafe sched_setscheduler(thread, policy, &parameter) == 0 else {
            throw SystemError(call: "sched_setscheduler")
        }
    }
}

extension Scheduling: CustomStringConvertible {
    private static let resetOnFork: Int32 = 0x4000_0000

    /// "fifo:50", "other".
    package var description: String {
        let names: [Int32: String] = [
            SCHED_OTHER: "other", SCHED_FIFO: "fifo", SCHED_RR: "rr", 3: "batch", 5: "idle", 6: "deadline",
        ]
        let number = policy & ~Self.resetOnFork
        return (names[number] ?? "policy \(number)") + (priority == 0 ? "" : ":\(priority)")
    }

    /// "other", "fifo:PRIORITY" or "rr:PRIORITY": what may be asked for.
    package init?(_ text: String) {
        if text == "other" {
            self = .other
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let policy = ["fifo": SCHED_FIFO, "rr": SCHED_RR][String(parts[0])],
            let priority = Int32(parts[1]),
            (1...99).contains(priority)
        else { return nil }
        self.init(policy: policy, priority: priority)
    }
}

extension CPUSet {
    /// Lets a thread run on these CPUs only, see sched_setaffinity(2).
    package func set(on thread: Int32) throws(SystemError) {
        var words = [UInt64](repeating: 0, count: Self.mostCPUs / 64)
        for cpu in cpus { words[cpu / 64] |= 1 << UInt64(cpu % 64) }
        guard unsafe clinux_set_affinity(thread, words, words.count * 8) == 0 else {
            throw SystemError(call: "sched_setaffinity")
        }
    }
}
