// What a program gives up for good, see capabilities(7) and seccomp(2).

internal import CLinux
import Glibc

/// Capabilities, by the numbers of <linux/capability.h>.
package struct Capabilities: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Ports below 1024.
    package static let bindService = Capabilities(rawValue: 1 << 10)
    /// Addresses in /proc/kallsyms.
    package static let systemLog = Capabilities(rawValue: 1 << 34)
    /// perf_event_open(2) where perf_event_paranoid forbids it to others.
    package static let performanceMonitoring = Capabilities(rawValue: 1 << 38)
}

/// All of these hold for the calling thread and whatever it starts from then on, and for no other thread: they are for
/// programs that have one.
package enum Rights {
    /// Whether no other thread of this program would keep its rights.
    package static var concernOneThread: Bool { ProcessEntry.threads(of: processID()).count == 1 }

    /// No program that is started has more rights than the one that starts it, whoever owns it and whatever its mode.
    package static func forbidNew() throws(SystemError) {
        guard clinux_forbid_new_privileges() == 0 else { throw SystemError(call: "prctl(PR_SET_NO_NEW_PRIVS)") }
    }

    /// Drops all capabilities but these.
    package static func keepOnly(_ capabilities: Capabilities) throws(SystemError) {
        // Needs CAP_SETPCAP, which goes afterwards. Where there is none, the other sets go all the same.
        let bounded = clinux_bound_capabilities(capabilities.rawValue)
        let error = SystemError(call: "prctl(PR_CAPBSET_DROP)")
        guard clinux_keep_capabilities(capabilities.rawValue) == 0 else { throw SystemError(call: "capset") }
        guard bounded == 0 else { throw error }
    }

    /// Gives up user and groups, and with root's all capabilities: who is left owns nothing.
    package static func becomeNobody() throws(SystemError) {
        guard unsafe setgroups(0, nil) == 0 else { throw SystemError(call: "setgroups") }
        // Root's own calls change the real, the effective and the saved one.
        guard setgid(nobody) == 0 else { throw SystemError(call: "setgid") }
        guard setuid(nobody) == 0 else { throw SystemError(call: "setuid") }
    }

    /// The kernel's own for ids that it can't tell, /proc/sys/kernel/overflowuid; nobody's everywhere.
    private static let nobody: UInt32 = 65534

    /// Denies system calls that start programs, look into others, mount, load code into the kernel, or change the
    /// machine as a whole.
    package static func denySystemCalls() throws(SystemError) {
        guard clinux_deny_system_calls() == 0 else { throw SystemError(call: "prctl(PR_SET_SECCOMP)") }
    }
}

/// What a process may take, see setrlimit(2).
package enum Limit: Sendable {
    /// Bytes of memory of its own (RLIMIT_DATA).
    case memory
    /// Seconds of CPU time of all its threads; the process is killed then.
    case processorTime
    /// Bytes of any file it writes.
    case fileSize

    package func set(_ value: UInt64) throws(SystemError) {
        let resource =
            switch self {
            case .memory: RLIMIT_DATA
            case .processorTime: RLIMIT_CPU
            case .fileSize: RLIMIT_FSIZE
            }
        var limits = rlimit(rlim_cur: rlim_t(value), rlim_max: rlim_t(value))
        guard unsafe setrlimit(__rlimit_resource_t(resource.rawValue), &limits) == 0 else {
            throw SystemError(call: "setrlimit")
        }
    }
}
