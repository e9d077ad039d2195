// Which events this kernel lacks, and what to do about it; what is not seen without them stands in the catalogue.

import KernelEvents

struct EventCheck {
    var facts: TracingFacts
    var machine: String
    var role: Role
    /// KVM is loaded here; without it its events can't be there.
    var hasKVM = true
    /// Virtual machines use it.
    var hasVMs = false
    /// One of them is on a datapath of Open vSwitch.
    var usesOVS = false
    /// Other architectures have other events of KVM.
    var isX86 = true

    enum Role { case host, guest }

    var findings: [Finding] {
        // Without an instance nothing is known, and that has been said.
        guard facts.fault == nil else { return [] }
        let groups = role == .host ? Self.host : Self.guest
        var found = groups.compactMap { finding($0) }
        found += facts.refused.map {
            Finding(
                "events.refused", .error, machine, $0.fault.text,
                meaning: "a recording would end here, because \($0.event) can't be switched on",
                remedy: "cat /sys/kernel/tracing/error_log")
        }
        if found.allSatisfy({ $0.severity == .ok }) {
            found.insert(
                Finding(
                    "events", .ok, machine,
                    "\(Finding.counted(facts.enabled.count, "event")) can be recorded, none that matters is missing"
                ), at: 0)
        }
        return found
    }

    private func finding(_ group: EventGroup) -> Finding? {
        let events = KernelEvent.all.filter { (role == .host ? $0.blindOnHost : $0.blindInGuest) == group.blindness }
        let missing = facts.absent.map(\.description).filter { name in events.contains { $0.description == name } }
        guard group.blindness.anyIsEnough ? missing.count == events.count : !missing.isEmpty else { return nil }
        // Other architectures have other events of KVM.
        guard isX86 || !events.allSatisfy({ $0.architectures == .x86 }) else { return nil }
        var severity = group.severity
        switch group.need {
        case .always: break
        case .vms where !hasKVM && !hasVMs: return nil
        case .vms where !hasVMs: severity = .note
        case .ovs where !usesOVS: return nil
        case .vms, .ovs: break
        }
        let meaning = group.blindness.meaning
        return Finding(
            "events.\(group.blindness.id)", severity, machine,
            "this kernel has no event \(missing.joined(separator: ", "))",
            meaning: severity < group.severity ? "no virtual machine uses KVM here; with one, \(meaning)" : meaning,
            remedy: group.remedy)
    }
}

/// What is not seen without some events, and how bad that is.
struct EventGroup: Sendable {
    /// Who misses them.
    enum Need: Sendable { case always, vms, ovs }

    var blindness: Blindness
    var severity: Finding.Severity
    var remedy: String
    var need: Need

    init(_ blindness: Blindness, _ severity: Finding.Severity, remedy: String, need: Need = .always) {
        self.blindness = blindness
        self.severity = severity
        self.remedy = remedy
        self.need = need
    }
}

extension EventCheck {
    private static let tracing = "boot a kernel with CONFIG_EVENT_TRACING (grep EVENT_TRACING /boot/config-$(uname -r))"
    private static let network = "boot a kernel with CONFIG_NET and CONFIG_EVENT_TRACING"
    private static let kvm =
        "modprobe kvm_intel, or kvm_amd; where KVM runs already, boot a kernel with CONFIG_EVENT_TRACING"

    static let host: [EventGroup] =
        [
            EventGroup(.guests, .error, remedy: kvm, need: .vms),
            EventGroup(.injection, .warning, remedy: kvm, need: .vms),
            EventGroup(.kick, .warning, remedy: kvm, need: .vms),
            EventGroup(.tsc, .note, remedy: kvm, need: .vms),
            EventGroup(.hostTransmit, .error, remedy: network),
            EventGroup(.copy, .error, remedy: network),
            EventGroup(.stack, .warning, remedy: network),
            EventGroup(.sent, .warning, remedy: network),
            EventGroup(
                .ovs, .note, remedy: "boot Linux 5.14 or newer, with openvswitch as the kernel's own module", need: .ovs
            ),
            EventGroup(.xdp, .note, remedy: "boot a kernel with CONFIG_BPF_SYSCALL"),
        ] + common

    static let guest: [EventGroup] =
        [
            EventGroup(.receive, .error, remedy: network),
            EventGroup(.guestTransmit, .error, remedy: network),
            EventGroup(.read, .error, remedy: network),
            EventGroup(.calls, .warning, remedy: "boot a kernel with CONFIG_FTRACE_SYSCALLS"),
        ] + common

    private static let common: [EventGroup] = [
        EventGroup(.interrupts, .warning, remedy: tracing),
        EventGroup(.poll, .warning, remedy: network),
        EventGroup(.switches, .warning, remedy: tracing),
        EventGroup(.wakeUps, .warning, remedy: tracing),
        EventGroup(.drops, .note, remedy: network),
    ]
}
