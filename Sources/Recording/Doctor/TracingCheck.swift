// Whether this machine may be traced at all.

import LinuxSystem

struct TracingCheck {
    var facts: TracingFacts
    var machine: String
    var system: SystemRoot

    var findings: [Finding] { [privileges, lockdown].compactMap { $0 } + [instance] }

    /// See capabilities(7); the numbers are those of include/uapi/linux/capability.h.
    private static let capabilities: [(name: String, bit: UInt64, without: String)] = [
        ("CAP_DAC_OVERRIDE", 1, "tracefs and debugfs stay closed"),
        (
            "CAP_SYS_PTRACE", 19,
            "what other users' processes have open, and so the devices of their virtual machines, can't be seen"
        ),
        ("CAP_SYS_ADMIN", 21, "tracefs and debugfs can't be mounted, and the TSC's rate may stay unknown"),
    ]

    private var privileges: Finding? {
        let key = "CapEff:"
        let line = TextFile.optional(system.proc + "/self/status")?.split(separator: "\n").first { $0.hasPrefix(key) }
        guard let set = line.flatMap({ UInt64($0.dropFirst(key.count).drop { $0.isWhitespace }, radix: 16) }) else {
            return nil
        }
        let missing = Self.capabilities.filter { set & 1 << $0.bit == 0 }
        guard !missing.isEmpty else {
            return Finding("privileges", .ok, machine, "all capabilities that recording takes")
        }
        return Finding(
            "privileges", .warning, machine, "this process lacks \(missing.map(\.name).joined(separator: ", "))",
            meaning: missing.map(\.without).joined(separator: "; "),
            remedy: "sudo virtlat doctor; or run as root in the initial user namespace")
    }

    /// Documentation/admin-guide, kernel_lockdown(7): confidentiality closes tracefs even to root.
    private var lockdown: Finding? {
        guard TextFile.optional(system.sys + "/kernel/security/lockdown")?.contains("[confidentiality]") == true else {
            return nil
        }
        return Finding(
            "tracing.lockdown", .error, machine, "the kernel is locked down (confidentiality)",
            meaning: "tracefs is closed to everybody",
            remedy: "boot with lockdown=integrity, or without lockdown=")
    }

    private var instance: Finding {
        if let fault = facts.fault {
            return Finding(
                "tracing.instance", .error, machine, fault.text, meaning: "nothing can be recorded on this machine",
                remedy: Self.remedy(fault))
        }
        if let name = facts.remains {
            return Finding(
                "tracing.instance", .warning, machine, "the ftrace instance \(name) was made, and could not be removed",
                meaning: "somebody has one of its files open, and its memory stays taken",
                remedy: "rmdir /sys/kernel/tracing/instances/\(name), once nobody uses it")
        }
        return Finding(
            "tracing.instance", .ok, machine, "tracefs is there, and an ftrace instance was made and removed")
    }

    private static func remedy(_ fault: TracingFault) -> String {
        switch fault {
        case .noTraceFS: "sudo mount -t tracefs tracefs /sys/kernel/tracing; a kernel without it lacks CONFIG_FTRACE"
        case .busy(let folder): "end what has it locked: lslocks | grep \(folder)"
        case .instance(_, let error), .setting(_, _, let error, _), .unreadable(_, let error):
            switch error.errno {
            case 1, 13: "run as root"  // EPERM, EACCES
            case 12: "free some memory"  // ENOMEM
            default: "ls /sys/kernel/tracing/instances, and remove with rmdir what nobody uses"
            }
        default: "dmesg | tail"
        }
    }
}
