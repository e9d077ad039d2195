// Which events this kernel lacks, and which points and stages are blind without them.

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
                    "events", .ok, machine, "\(Finding.counted(facts.enabled.count, "event")) can be recorded, none that matters is missing"
                ), at: 0)
        }
        return found
    }

    private func finding(_ group: EventGroup) -> Finding? {
        let missing = facts.absent.map(\.description).filter { group.events.contains($0) }
        guard group.needsAll ? missing.count == group.events.count : !missing.isEmpty else { return nil }
        var severity = group.severity
        switch group.need {
        case .always: break
        case .x86 where !isX86: return nil
        case .vms where !hasKVM && !hasVMs, .x86 where !hasKVM && !hasVMs: return nil
        case .vms where !hasVMs, .x86 where !hasVMs: severity = .note
        case .ovs where !usesOVS: return nil
        case .vms, .x86, .ovs: break
        }
        return Finding(
            group.id, severity, machine, "this kernel has no event \(missing.joined(separator: ", "))",
            meaning: severity < group.severity ? "no virtual machine uses KVM here; with one, \(group.meaning)" : group.meaning,
            remedy: group.remedy)
    }
}

/// Events that are missed for the same reason.
struct EventGroup: Sendable {
    /// Who misses them.
    enum Need: Sendable { case always, vms, x86, ovs }

    var id: String
    var events: [String]
    var severity: Finding.Severity
    var meaning: String
    var remedy: String
    var need = Need.always
    /// Each does the same, so that one of them is enough.
    var needsAll = false
}

extension EventCheck {
    private static let tracing = "boot a kernel with CONFIG_EVENT_TRACING (grep EVENT_TRACING /boot/config-$(uname -r))"
    private static let network = "boot a kernel with CONFIG_NET and CONFIG_EVENT_TRACING"
    private static let kvm = "modprobe kvm_intel, or kvm_amd; where KVM runs already, boot a kernel with CONFIG_EVENT_TRACING"

    static let host: [EventGroup] =
        [
            EventGroup(
                id: "events.kvm", events: ["kvm:kvm_entry", "kvm:kvm_exit"], severity: .error,
                meaning: "no journey leads into a guest: no vcpu.entry, no kick, and the trace can't check the guests' clocks", remedy: kvm,
                need: .vms),
            EventGroup(
                id: "events.inject", events: ["kvm:kvm_msi_set_irq"], severity: .warning,
                meaning: "no irq.inject: vhost-signal is part of the next stage", remedy: kvm, need: .x86),
            EventGroup(
                id: "events.kick", events: ["kvm:kvm_mmio", "kvm:kvm_fast_mmio", "kvm:kvm_pio"], severity: .warning,
                meaning: "no kick: guest-exit is part of vhost-wakeup in transmit", remedy: kvm, need: .vms, needsAll: true),
            EventGroup(
                id: "events.tsc", events: ["kvm:kvm_write_tsc_offset"], severity: .note,
                meaning: "a guest whose TSC is set anew while it is recorded is found at the end only", remedy: kvm, need: .x86),
            EventGroup(
                id: "events.transmit", events: ["net:net_dev_start_xmit"], severity: .error, meaning: "no host.egress, so no journeys",
                remedy: network),
            EventGroup(
                id: "events.copy", events: ["skb:skb_copy_datagram_iovec"], severity: .error,
                meaning: "no vhost.copy, so receive journeys stay incomplete", remedy: network),
            EventGroup(
                id: "events.stack", events: ["net:netif_receive_skb"], severity: .warning,
                meaning: "no host.ingress on the tap, so transmit journeys stay incomplete", remedy: network),
            EventGroup(
                id: "events.sent", events: ["net:net_dev_xmit"], severity: .warning,
                meaning: "no nic.xmit, so transmit journeys stay incomplete",
                remedy: network),
            EventGroup(
                id: "events.ovs", events: ["openvswitch:ovs_do_execute_action"], severity: .note,
                meaning: "what Open vSwitch does with a packet is not seen apart: it is part of host-stack",
                remedy: "boot Linux 5.14 or newer, with openvswitch as the kernel's own module", need: .ovs),
            EventGroup(
                id: "events.xdp", events: ["xdp:xdp_redirect"], severity: .note, meaning: "packets that XDP redirects can't be followed",
                remedy: "boot a kernel with CONFIG_BPF_SYSCALL"),
        ] + common

    static let guest: [EventGroup] =
        [
            EventGroup(
                id: "events.receive", events: ["net:napi_gro_receive_entry", "net:napi_gro_frags_entry"], severity: .error,
                meaning: "no guest.ingress, so receive journeys stay incomplete", remedy: network, needsAll: true),
            EventGroup(
                id: "events.transmit", events: ["net:net_dev_start_xmit"], severity: .error,
                meaning: "no guest.egress, so no transmit journeys", remedy: network),
            EventGroup(
                id: "events.read", events: ["skb:consume_skb"], severity: .error,
                meaning: "no guest.read of datagrams, and an skb address that is used again can't be told from the packet before",
                remedy: network),
            EventGroup(
                id: "events.calls", events: ["sendto", "sendmsg", "sendmmsg", "write", "writev"].map { "syscalls:sys_enter_\($0)" },
                severity: .warning, meaning: "no guest.send: a transmit journey begins at guest.egress, without guest-stack",
                remedy: "boot a kernel with CONFIG_FTRACE_SYSCALLS"),
        ] + common

    private static let common: [EventGroup] = [
        EventGroup(
            id: "events.irq", events: ["irq:irq_handler_entry", "irq:irq_handler_exit", "irq:softirq_raise"], severity: .warning,
            meaning: "no interrupt points (nic.irq, guest.irq), and no stage irq", remedy: tracing),
        EventGroup(
            id: "events.poll", events: ["napi:napi_poll"], severity: .warning,
            meaning: "the order of the receive queue can't be proven, so packets become ambiguous", remedy: network),
        EventGroup(
            id: "events.sched", events: ["sched:sched_switch"], severity: .warning,
            meaning: "no vhost.run, vcpu.run and guest.run: vhost-wakeup, kvm-wakeup and app-wakeup are part of the next stages",
            remedy: tracing),
        EventGroup(
            id: "events.waking", events: ["sched:sched_waking"], severity: .warning,
            meaning: "no wake-up points: what a wake-up costs is not seen",
            remedy: tracing),
        EventGroup(
            id: "events.drop", events: ["skb:kfree_skb"], severity: .note,
            meaning: "packets that are dropped are not told from those that are lost",
            remedy: network),
    ]
}
