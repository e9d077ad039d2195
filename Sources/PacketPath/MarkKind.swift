// The marks paths are made of, and the kernel events that make them.

package import TraceData

/// What a mark is; its operands are set by the queries below.
package enum MarkKind: UInt8, CaseIterable, Sendable {
    case irqEntry = 1
    case irqExit, netRxRaised
    case napiReceive, groMerged, napiPoll, stackReceive
    case netQueue, startXmit, xmitDone
    case copy, consume, drop
    case tcpReceive
    case taskSwitch, waking
    case vmEntry, vmExit, injectVirq, msi, doorbell
    case sendEnter, sendExit, filteredExit, submit
    case stackReturn, redirect, bulkXmit
    case ovsUpcall, ovsAction
    case signalHint
    case socketReady, socketRead
}

extension MarkKind {
    /// Every mark's kind is looked up, and a table is faster than so long a switch.
    static let byRawValue: InlineArray<256, MarkKind?> = {
        var kinds = InlineArray<256, MarkKind?>(repeating: nil)
        for kind in allCases { kinds[Int(kind.rawValue)] = kind }
        return kinds
    }()

    /// Where in operand b a device's name, a length and a further number lie.
    enum Layout {
        static let nameBits = 16
        static let lengthShift = 16
        static let extraShift = 48
        /// Where the further number is a device's queue: that many bits of it, and one for a VLAN tag beside the frame.
        static let queueBits = 12
    }

    /// Events that make this mark on a machine of `role`; none when that machine is not asked for it.
    /// - Parameter ofHost: the host's own packets are followed: its applications are asked for, and no guest.
    package func queries(_ role: MachineRole, ofHost: Bool = false) -> [EventQuery] {
        func query(_ event: String, _ operands: [EventQuery.Operand] = [], where condition: EventQuery.Condition? = nil) -> EventQuery {
            EventQuery(event, kind: rawValue, operands, where: condition)
        }
        let skb = EventQuery.Operand.number("skbaddr", to: .a)
        let device = EventQuery.Operand.name("name", "dev_name", to: .b)
        let length = EventQuery.Operand.number("len", to: .b, shift: Layout.lengthShift, width: 32)
        let queue = [
            EventQuery.Operand.number("queue_mapping", to: .b, shift: Layout.extraShift, width: Layout.queueBits, required: false),
            .number("vlan_tagged", to: .b, shift: Layout.extraShift + Layout.queueBits, width: 1, required: false),
        ]
        let isHost = role == .host
        let hasReaders = !isHost || ofHost
        switch self {
        case .irqEntry:
            return [query("irq_handler_entry", [.number("irq", to: .a), .name("name", to: .b)])]
        case .irqExit:
            return [query("irq_handler_exit", [.number("irq", to: .a), .number("ret", to: .b, width: 32, required: false)])]
        case .netRxRaised:
            // NET_RX_SOFTIRQ is 3 in every kernel, include/linux/interrupt.h.
            return [query("softirq_raise", where: .equals("vec", 3))]
        case .napiReceive:
            return ["napi_gro_receive_entry", "napi_gro_frags_entry"].map { query($0, [skb, device, length] + queue) }
        case .groMerged:
            // GRO_MERGED is 0, GRO_MERGED_FREE is 1, include/linux/netdevice.h.
            return [query("napi_gro_receive_exit", where: .below("ret", 2)), query("napi_gro_frags_exit", where: .below("ret", 2))]
        case .napiPoll:
            return [
                query(
                    "napi_poll",
                    [
                        .number("napi", to: .a), device, .number("work", to: .b, shift: 16, width: 16),
                        .number("budget", to: .b, shift: 32, width: 16, required: false),
                    ])
            ]
        case .stackReceive:
            return [query("netif_receive_skb", [skb, device, length])]
        case .netQueue:
            // Of a guest's packet on the host nothing is asked but which it is.
            return [query("net_dev_queue", hasReaders ? [skb, device, length] : [skb])]
        case .startXmit:
            return [query("net_dev_start_xmit", [skb, device, length] + queue)]
        case .xmitDone:
            return [query("net_dev_xmit", [skb, device, .number("rc", to: .b, shift: Layout.lengthShift, width: 32)])]
        case .copy:
            return [query("skb_copy_datagram_iovec", [skb, .number("len", to: .b)])]
        case .consume:
            return [query("consume_skb", [skb])]
        case .drop:
            return [query("kfree_skb", [skb, .number("reason", to: .b, width: 32, required: false)])]
        case .tcpReceive:
            // Before Linux 6.10 it does not tell which skb it is about.
            return hasReaders
                ? [
                    query(
                        "tcp_probe",
                        [
                            .number("skbaddr", to: .a, required: false), .number("sport", to: .b, width: 16),
                            .number("data_len", to: .b, shift: Layout.lengthShift, width: 16),
                            .number("dport", to: .b, shift: 32, width: 16), .number("family", to: .b, shift: Layout.extraShift, width: 16),
                        ])
                ] : []
        case .socketReady:
            return hasReaders
                ? [
                    query(
                        "sk_data_ready",
                        [.number("skaddr", to: .a), .number("family", to: .b, width: 8), .number("protocol", to: .b, shift: 8, width: 8)])
                ] : []
        case .socketRead:
            return hasReaders
                ? [
                    query(
                        "sock_recv_length",
                        [
                            .number("sk", to: .a), .number("ret", to: .b, width: 32), .number("family", to: .b, shift: 32, width: 8),
                            .number("protocol", to: .b, shift: 40, width: 8), .number("flags", to: .b, shift: 48, width: 16),
                        ])
                ] : []
        case .taskSwitch:
            return [query("sched_switch", [.number("next_pid", to: .a, width: 32), .number("prev_state", to: .b)])]
        case .waking:
            return [query("sched_waking", [.number("pid", to: .a, width: 32)])]
        case .vmEntry:
            return isHost ? [query("kvm_entry", [.number("vcpu_id", to: .a, width: 32, required: false)])] : []
        case .vmExit:
            return isHost
                ? [
                    query(
                        "kvm_exit",
                        [
                            .number("exit_reason", "ret", to: .a, width: 32, required: false),
                            .number("isa", to: .b, width: 32, required: false),
                            .number("esr_ec", to: .b, shift: 32, width: 32, required: false),
                        ])
                ] : []
        case .injectVirq:
            return isHost ? [query("kvm_inj_virq", [.number("vector", "irq", to: .a, width: 32)])] : []
        case .msi:
            return isHost
                ? [
                    query("kvm_msi_set_irq", [.number("data", to: .a, width: 8)]), query("kvm_set_irq", where: .equals("level", 1)),
                    query("vgic_update_irq_pending", where: .equals("level", 1)),
                ]
                : []
        case .doorbell:
            // KVM_TRACE_MMIO_WRITE is 2, include/trace/events/kvm.h; KVM_PIO_OUT is 1.
            return isHost
                ? [query("kvm_mmio", where: .equals("type", 2)), query("kvm_fast_mmio"), query("kvm_pio", where: .equals("rw", 1))]
                : []
        case .sendEnter:
            return hasReaders ? (Self.sendingCalls + Self.filteredCalls).map { query("sys_enter_" + $0) } : []
        case .sendExit:
            return hasReaders ? Self.sendingCalls.map { query("sys_exit_" + $0) } : []
        case .filteredExit:
            return hasReaders ? Self.filteredCalls.map { query("sys_exit_" + $0) } : []
        case .submit:
            // io_uring takes up a request, from its caller or in a thread of its own; before Linux 6.0 the event had another name.
            return hasReaders
                ? ["io_uring_submit_req", "io_uring_submit_sqe"].map { query($0, [.number("opcode", to: .a, width: 8, required: false)]) }
                    // What it took up before is done, or is done by another thread.
                    + ["io_uring_complete", "sys_exit_io_uring_enter"].map { query($0) }
                : []
        case .stackReturn:
            return isHost ? [query("netif_receive_skb_exit")] : []
        case .redirect:
            return isHost
                ? [query("xdp_redirect", [.number("ifindex", to: .a, width: 32), .number("to_ifindex", to: .a, shift: 32, width: 32)])]
                : []
        case .bulkXmit:
            return isHost
                ? [
                    query(
                        "xdp_devmap_xmit",
                        [
                            .number("from_ifindex", to: .a, width: 32), .number("to_ifindex", to: .a, shift: 32, width: 32),
                            .number("sent", to: .b, width: 32), .number("drops", to: .b, shift: 32, width: 32),
                        ])
                ] : []
        case .signalHint:
            // An ITS injects without an event of KVM's. Kprobes by the names of these functions tell of it, or the IPI to a running vCPU.
            return isHost ? ["irqfd_wakeup", "vgic_its_inject_cached_translation", "ipi_raise"].map { query($0) } : []
        case .ovsUpcall: return isHost ? [query("ovs_dp_upcall", [skb, .name("dev_name", to: .b), length])] : []
        case .ovsAction: return isHost ? [query("ovs_do_execute_action", [skb, .name("dev_name", to: .b), length])] : []
        }
    }

    /// Tells of an interrupt or of what its handler asks for, not of what it interrupts.
    var isOfInterrupt: Bool {
        switch self {
        case .irqEntry, .irqExit, .netRxRaised: true
        default: false
        }
    }

    /// System calls that send.
    private static let sendingCalls = ["sendto", "sendmsg", "sendmmsg", "sendfile64", "splice"]
    /// Calls that send if they are asked the right thing, and whose begin is recorded only then: setsockopt sends what a socket was told to hold back
    /// (UDP_CORK, TCP_CORK). Their end tells nothing about what they did.
    private static let filteredCalls = ["write", "writev", "pwritev2", "setsockopt"]

    /// Marks that are needed to keep the books, whatever the path.
    static let bookkeeping: Set<MarkKind> = [
        .irqExit, .groMerged, .napiPoll, .consume, .drop, .tcpReceive, .socketReady, .taskSwitch, .netQueue, .xmitDone, .sendExit,
        .filteredExit, .submit, .vmEntry, .vmExit,
    ]

    /// All that is asked of a machine of `role` for `paths`.
    /// - Parameter ofHost: the host's own packets are followed.
    package static func selection(_ role: MachineRole, for paths: [PathDescription], ofHost: Bool = false) -> Selection {
        // A guest has no part in what the host does for itself.
        if ofHost, role == .guest { return Selection([]) }
        var kinds = paths.reduce(into: bookkeeping) { $0.formUnion($1.marks) }
        if ofHost { kinds.subtract([.vmEntry, .vmExit]) }
        return Selection(MarkKind.allCases.filter(kinds.contains).flatMap { $0.queries(role, ofHost: ofHost) })
    }
}

extension Mark {
    /// Device or interrupt name in operand b.
    var name: UInt16 { UInt16(truncatingIfNeeded: b) }
    var length: Int32 { Int32(truncatingIfNeeded: b >> UInt64(MarkKind.Layout.lengthShift)) }
    /// Bytes of the frame as it is without VLAN offloading: a tag that stands beside it counts.
    var frameLength: Int32 { length + (b >> UInt64(MarkKind.Layout.extraShift + MarkKind.Layout.queueBits) & 1 == 1 ? 4 : 0) }
    /// The device's queue it is sent on.
    var transmitQueue: Int16 {
        Int16(truncatingIfNeeded: b >> UInt64(MarkKind.Layout.extraShift) & (1 << UInt64(MarkKind.Layout.queueBits) - 1))
    }
    /// The device's queue it was received on: the kernel counts those from 1, 0 when the driver does not say (skb_record_rx_queue).
    var receiveQueue: Int16 { max(transmitQueue - 1, 0) }
    /// tcp_probe's port on this machine, and both ends' ports; it has 16 bits for the length of the data.
    var localPort: UInt16 { name }
    var ports: UInt32 { UInt32(name) << 16 | UInt32(truncatingIfNeeded: b >> 32 & 0xffff) }
    var dataLength: Int32 { Int32(truncatingIfNeeded: b >> 16 & 0xffff) }
    /// What TCP's packet may be in length, with the Ethernet header, by tcp_probe's data and address family (AF_INET6 is 10).
    var lengthsOfTCP: ClosedRange<Int32> {
        let network: Int32 = UInt16(truncatingIfNeeded: b >> UInt64(MarkKind.Layout.extraShift)) == 10 ? 40 : 20
        return dataLength &+ 14 &+ network &+ 20...dataLength &+ 14 &+ network &+ 60
    }
    /// What sock_recv_length returned: bytes, or a negative error.
    var received: Int32 { Int32(truncatingIfNeeded: b) }
    /// sock_recv_length of a socket that has a queue of packets, when it has taken from that: not with MSG_PEEK (2) and not from the queue of
    /// errors (MSG_ERRQUEUE, 0x2000).
    var isOfDatagramRead: Bool {
        let flags = b >> 48
        return flags & 0x2002 == 0
            && Mark.hasPackets(family: UInt8(truncatingIfNeeded: b >> 32), protocol: UInt8(truncatingIfNeeded: b >> 40))
    }
    var isOfUDPRead: Bool { UInt8(truncatingIfNeeded: b >> 40) == 17 && UInt8(truncatingIfNeeded: b >> 32) != 17 }
    /// sk_data_ready of a socket that has a queue of packets; of UDP's (IPPROTO_UDP is 17); of one that sees what devices do (AF_PACKET is 17).
    var isOfDatagramSocket: Bool {
        Mark.hasPackets(family: UInt8(truncatingIfNeeded: b), protocol: UInt8(truncatingIfNeeded: b >> 8))
    }
    var isOfUDP: Bool { !isOfPacketSocket && UInt8(truncatingIfNeeded: b >> 8) == 17 }
    var isOfPacketSocket: Bool { UInt8(truncatingIfNeeded: b) == 17 }
    /// AF_INET (2), AF_INET6 (10) and AF_PACKET (17), but not TCP (6), nor MPTCP (262, whose low byte is the same), nor SCTP (132): they have streams.
    private static func hasPackets(family: UInt8, protocol number: UInt8) -> Bool {
        family == 17 || (family == 2 || family == 10) && number != 6 && number != 132
    }
    /// Whether io_uring has taken up a request that sends (enum io_uring_op, include/uapi/linux/io_uring.h): WRITEV 2, WRITE_FIXED 5, SENDMSG 9, WRITE 23,
    /// SEND 26, SPLICE 30, SEND_ZC 47, SENDMSG_ZC 48.
    var isSendRequest: Bool { [2, 5, 9, 23, 26, 30, 47, 48].contains(UInt8(truncatingIfNeeded: a)) }
    /// net_dev_xmit's return code.
    var returnCode: Int32 { length }
    /// napi_poll's work and budget; a kernel before 4.8 does not tell the budget, which is 64 then as it is elsewhere.
    var work: Int32 { Int32(UInt16(truncatingIfNeeded: b >> 16)) }
    var budget: Int32 {
        let budget = Int32(UInt16(truncatingIfNeeded: b >> 32))
        return budget == 0 ? 64 : budget
    }
    /// kvm_exit's reason.
    var exitReason: HostReason {
        HostReason(
            exit: UInt32(truncatingIfNeeded: a), isa: UInt32(truncatingIfNeeded: b), exceptionClass: UInt32(truncatingIfNeeded: b >> 32))
    }
    var otherThread: Int32 { Int32(truncatingIfNeeded: a) }
    /// Where an XDP frame comes from and goes to, by interface index.
    var interface: Int32 { Int32(truncatingIfNeeded: a) }
    var targetInterface: Int32 { Int32(truncatingIfNeeded: a >> 32) }
    /// xdp_devmap_xmit's frames that were sent, and that were not.
    var sent: Int { Int(Int32(truncatingIfNeeded: b)) }
    var dropped: Int { Int(Int32(truncatingIfNeeded: b >> 32)) }
}
