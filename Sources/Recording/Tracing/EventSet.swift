// The events that paths are made of, with filters for what no path asks about: volume is what recording disturbs most by.

package import Sessions

package enum EventSet {
    /// On a host, for all the paths that are described.
    ///
    /// - Parameter vms: the machines that are recorded; threads and devices of others are left out by the kernel. Without any, the host
    ///   itself has the applications, and all its threads are recorded.
    package static func host(_ topology: Topology, vms: [VirtualMachine]) -> [EventRequest] {
        let threads = vms.flatMap { vm in [vm.process] + vm.vcpus.map(\.thread) + vm.vhostWorkers.map(\.thread) }
        let vcpus = vms.flatMap { $0.vcpus.map(\.thread) }
        let irqs = interruptFilter(topology, vms: vms)
        return requests([
            ("irq:irq_handler_entry", irqs), ("irq:irq_handler_exit", irqs),
            ("sched:sched_switch", orInterruptThreads(anyOf(["prev_pid", "next_pid"], threads), comms: ["prev_comm", "next_comm"])),
            ("sched:sched_waking", orInterruptThreads(anyOf(["pid"], threads), comms: ["comm"])),
            ("kvm:kvm_entry", anyOf(["common_pid"], vcpus)), ("kvm:kvm_exit", anyOf(["common_pid"], vcpus)),
            ("kvm:kvm_inj_virq", anyOf(["common_pid"], vcpus)),
            ("kvm:kvm_msi_set_irq", nil), ("kvm:kvm_set_irq", "level == 1"),
            // KVM_TRACE_MMIO_WRITE is 2, include/trace/events/kvm.h; KVM_PIO_OUT is 1.
            ("kvm:kvm_mmio", "type == 2"), ("kvm:kvm_fast_mmio", nil), ("kvm:kvm_pio", "rw == 1"),
            // The guest's clock has been set.
            ("kvm:kvm_write_tsc_offset", nil),
            ("xdp:xdp_redirect", nil), ("xdp:xdp_devmap_xmit", nil),
            // NET_RX_DROP is 1, include/linux/netdevice.h: what the stack returns for a packet that generic XDP has taken away.
            ("net:netif_receive_skb_exit", "ret == 1"),
            ("openvswitch:ovs_do_execute_action", nil), ("openvswitch:ovs_dp_upcall", nil),
        ]) + requests(network + injections) + (vms.isEmpty ? requests(applications) : [])
    }

    /// How arm64 injects interrupts: by the distributor, or by an ITS, which only kprobes by these names tell of, or the IPI to a running vCPU.
    package static let injections: [(String, String?)] = {
        #if arch(arm64)
            [
                ("kvm:vgic_update_irq_pending", "level == 1"), ("ipi:ipi_raise", nil), ("kprobes:irqfd_wakeup", nil),
                ("kprobes:vgic_its_inject_cached_translation", nil),
            ]
        #else
            []
        #endif
    }()

    /// In a guest. Who will read the packets is not known before, so all threads are recorded.
    package static var guest: [EventRequest] {
        requests(
            [
                ("irq:irq_handler_entry", nil), ("irq:irq_handler_exit", nil), ("sched:sched_switch", nil), ("sched:sched_waking", nil),
            ] + network + applications)
    }

    /// What applications do with packets, and TCP for them.
    private static let applications: [(String, String?)] =
        [
            ("tcp:tcp_probe", nil), ("sock:sk_data_ready", ofPackets), ("sock:sock_recv_length", ofPackets),
        ]
        + [
            ("io_uring:io_uring_submit_req", nil), ("io_uring:io_uring_submit_sqe", nil), ("io_uring:io_uring_complete", nil),
            ("syscalls:sys_exit_io_uring_enter", nil),
        ]
        + [
            ("sendto", nil), ("sendmsg", nil), ("sendmmsg", nil),
            // Descriptors 0 to 2 are a program's streams: what it prints is no packet.
            ("write", "fd > 2"), ("writev", "fd > 2"), ("pwritev2", "fd > 2"), ("sendfile64", nil), ("splice", nil),
            // What a socket held back goes out: UDP_CORK is 1 of IPPROTO_UDP (17), TCP_CORK is 3 of IPPROTO_TCP (6).
            ("setsockopt", "level == 17 && optname == 1 || level == 6 && optname == 3"),
        ].flatMap { call, filter -> [(String, String?)] in
            // A call's end is only of interest where its begin is, but it does not tell what that was asked for.
            [("syscalls:sys_enter_\(call)", filter), ("syscalls:sys_exit_\(call)", nil)]
        }

    /// What packets do in any kernel.
    private static let network: [(String, String?)] = [
        // NET_RX_SOFTIRQ is 3, include/linux/interrupt.h.
        ("irq:softirq_raise", "vec == 3"),
        ("napi:napi_poll", nil), ("net:napi_gro_receive_entry", nil), ("net:napi_gro_frags_entry", nil),
        // GRO_MERGED is 0, GRO_MERGED_FREE is 1, include/linux/netdevice.h.
        ("net:napi_gro_receive_exit", "ret < 2"), ("net:napi_gro_frags_exit", "ret < 2"),
        ("net:netif_receive_skb", notLoopback), ("net:net_dev_queue", notLoopback), ("net:net_dev_start_xmit", notLoopback),
        ("net:net_dev_xmit", notLoopback),
        ("skb:skb_copy_datagram_iovec", nil), ("skb:consume_skb", nil), ("skb:kfree_skb", nil),
    ]

    /// AF_INET (2) and AF_INET6 (10) but for IPPROTO_TCP (6), and AF_PACKET (17): sockets whose queues hold packets.
    private static let ofPackets = "(family == 2 || family == 10) && protocol != 6 || family == 17"

    private static let notLoopback = "name != \"lo\""

    private static func requests(_ events: [(String, String?)]) -> [EventRequest] {
        events.map { text, filter in
            guard let event = EventName(text) else { preconditionFailure("\(text) is no event") }
            return EventRequest(event, filter: filter)
        }
    }

    /// "pid == 1 || pid == 2"; no filter when there is nothing to ask for, or too much.
    static func anyOf(_ fields: [String], _ numbers: [some BinaryInteger]) -> String? {
        let terms = numbers.flatMap { number in fields.map { "\($0) == \(number)" } }
        let filter = terms.joined(separator: " || ")
        return terms.isEmpty || filter.utf8.count > EventRequest.longestFilter ? nil : filter
    }

    /// With interrupts that are handled by threads of their own (PREEMPT_RT, threadirqs): those are named irq/NUMBER-NAME. Their numbers may
    /// change with any device that is opened, so that they are asked for by name.
    static func orInterruptThreads(_ filter: String?, comms: [String]) -> String? {
        let whole = filter.map { ([$0] + comms.map { "\($0) ~ \"irq/*\"" }).joined(separator: " || ") }
        return whole.flatMap { $0.utf8.count > EventRequest.longestFilter ? nil : $0 }
    }

    /// The vectors of NICs and of devices that were given to the guests; all of them when there is a NIC whose vectors are unknown.
    private static func interruptFilter(_ topology: Topology, vms: [VirtualMachine]) -> String? {
        let nics = topology.host.nics
        guard !nics.isEmpty, nics.allSatisfy({ !$0.interrupts.isEmpty }), vms.allSatisfy({ $0.devices.allSatisfy { $0.kind != .vfio } })
        else { return nil }
        return anyOf(["irq"], nics.flatMap { $0.interrupts.map(\.number) })
    }
}
