// How well the machines' clocks can be put on one axis, as far as this machine decides it.

import LinuxSystem

struct ClockCheck {
    var facts: TracingFacts
    var machine: String
    var system: SystemRoot
    var role = EventCheck.Role.host

    /// What takes the exact clock's place.
    static let instead =
        "the trace clock is mono_raw then, and guests' times are known to half a round trip between recorder and agent (tens of µs), or to what the trace's own events bound"

    private var folder: String { system.sys + "/devices/system/clocksource/clocksource0" }
    private var source: String? { TextFile.optional(folder + "/current_clocksource") }
    private var available: [Substring] {
        (TextFile.optional(folder + "/available_clocksource") ?? "").split(separator: " ")
    }

    /// x86-tsc is the TSC itself; the counter of other architectures has no clock of that name.
    var isX86: Bool {
        facts.clocks.contains("x86-tsc")
            || available.contains { $0 == "tsc" || $0 == "acpi_pm" || $0 == "hpet" || $0 == "kvm-clock" }
    }

    var findings: [Finding] {
        facts.clocks.isEmpty ? [sourceFinding].compactMap { $0 } : [traceClock, sourceFinding].compactMap { $0 }
    }

    private var traceClock: Finding {
        guard facts.clocks.contains("x86-tsc") else {
            if facts.clocks.contains("mono_raw") {
                return isX86
                    ? Finding(
                        "clock.tsc", .warning, machine, "this kernel has no trace clock x86-tsc", meaning: Self.instead,
                        remedy: "boot Linux 3.10 or newer on x86")
                    : Finding(
                        "clock.tsc", .note, machine, "the trace clock is mono_raw: this architecture has no x86-tsc",
                        meaning: Self.instead)
            }
            return Finding(
                "clock.tsc", .error, machine,
                "this kernel has neither the trace clock x86-tsc nor mono_raw, but \(facts.clocks.joined(separator: ", "))",
                meaning: "machines have no clock in common", remedy: "boot Linux 4.2 or newer")
        }
        guard let error = facts.conversionError else {
            return Finding("clock.tsc", .ok, machine, "trace clock x86-tsc, with the kernel's own conversion to ns")
        }
        if role == .guest {
            // KVM's offset and ratio lead to the host's TSC, and the host knows the rate of that.
            return Finding(
                "clock.tsc", .note, machine,
                "trace clock x86-tsc; this kernel does not tell its rate, as is usual with kvm-clock",
                meaning: "exchanges of messages can't check what KVM says of this guest's clock")
        }
        return noConversion(error)
    }

    /// arch/x86/events/core.c, arch_perf_update_userpage: the rate is told where the scheduler's clock is the TSC, and
    /// stable.
    private func noConversion(_ error: SystemError) -> Finding {
        let (statement, remedy) =
            switch error.errno {
            case 95:  // EOPNOTSUPP: cap_user_time is not set
                (
                    "its own clock is not the TSC, or not a stable one",
                    "dmesg | grep -i -e tsc -e sched_clock says why; on a host that is a virtual machine itself, boot with no-kvmclock"
                )
            case 1, 13:  // EPERM, EACCES
                ("\(error.call): \(error.text)", "sysctl kernel.perf_event_paranoid=2, or run as root")
            default: ("\(error.call): \(error.text)", "boot a kernel with CONFIG_PERF_EVENTS")
            }
        return Finding(
            "clock.tsc", .warning, machine, "x86-tsc is there, but the kernel does not tell its rate: \(statement)",
            meaning: Self.instead,
            remedy: remedy)
    }

    private var sourceFinding: Finding? {
        guard let source else { return nil }
        if role == .guest { return guestSource(source) }
        // drivers/clocksource/arm_arch_timer.c and arch/x86/kernel/tsc.c: what ptp_kvm can read at one instant.
        if ["tsc", "arch_sys_counter"].contains(source) {
            return Finding("clock.source", .ok, machine, "clocksource \(source)")
        }
        let isThere = available.contains("tsc")
        return Finding(
            "clock.source", .warning, machine, "the clocksource is \(source), not the TSC",
            meaning: "the kernel gives the guests no cross-timestamps (ptp_kvm), and reading a clock takes longer",
            remedy: isThere
                ? "echo tsc > \(folder)/current_clocksource"
                : "dmesg | grep -i -e tsc -e clocksource says why the kernel gave the TSC up")
    }

    /// A guest's own clocksource touches no trace clock, but what its applications pay for the time of day.
    private func guestSource(_ source: String) -> Finding {
        if ["kvm-clock", "tsc", "arch_sys_counter"].contains(source) {
            return Finding("clock.source", .ok, machine, "clocksource \(source)")
        }
        return Finding(
            "clock.source", .note, machine, "the clocksource is \(source)",
            meaning:
                "each reading of the time is a VM exit, which the applications pay: it is part of what is measured",
            remedy: available.contains("kvm-clock") ? "echo kvm-clock > \(folder)/current_clocksource" : nil)
    }
}
