// The marks paths are made of, and the kernel events that make them.

package import GuestClocks
import KernelEvents
package import TraceData

/// What a mark is; the rows of its events in the catalogue (`KernelEvents`) say what its operands are.
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

    /// The events that make this mark, the preferred one first.
    private var events: [KernelEvent] {
        switch self {
        case .irqEntry: [.irqHandlerEntry]
        case .irqExit: [.irqHandlerExit]
        case .netRxRaised: [.softirqRaise]
        case .napiReceive: [.napiGROReceiveEntry, .napiGROFragsEntry]
        case .groMerged: [.napiGROReceiveExit, .napiGROFragsExit]
        case .napiPoll: [.napiPoll]
        case .stackReceive: [.netifReceiveSKB]
        case .netQueue: [.netDevQueue]
        case .startXmit: [.netDevStartXmit]
        case .xmitDone: [.netDevXmit]
        case .copy: [.skbCopyDatagramIovec]
        case .consume: [.consumeSKB]
        case .drop: [.kfreeSKB]
        case .tcpReceive: [.tcpProbe]
        case .socketReady: [.skDataReady]
        case .socketRead: [.sockRecvLength]
        case .taskSwitch: [.schedSwitch]
        case .waking: [.schedWaking]
        case .vmEntry: [.kvmEntry]
        case .vmExit: [.kvmExit]
        case .injectVirq: [.kvmInjVirq]
        case .msi: [.kvmMSISetIRQ, .kvmSetIRQ, .vgicUpdateIRQPending]
        case .doorbell: [.kvmMMIO, .kvmFastMMIO, .kvmPIO]
        case .sendEnter: (Self.sendingCalls + Self.filteredCalls).map(\.enter)
        case .sendExit: Self.sendingCalls.map(\.exit)
        case .filteredExit: Self.filteredCalls.map(\.exit)
        // What io_uring took up before is done, or is done by another thread.
        case .submit: [.ioUringSubmitReq, .ioUringSubmitSQE, .ioUringComplete, .sysExitIOUringEnter]
        case .stackReturn: [.netifReceiveSKBExit]
        case .redirect: [.xdpRedirect]
        case .bulkXmit: [.xdpDevmapXmit]
        // An ITS injects without an event of KVM's.
        case .signalHint: [.irqfdWakeup, .vgicITSInjectCachedTranslation, .ipiRaise]
        case .ovsUpcall: [.ovsDPUpcall]
        case .ovsAction: [.ovsDoExecuteAction]
        }
    }

    /// Calls whose end tells that they have sent, and others.
    private static let sendingCalls = KernelEvent.calls.filter { !$0.isFiltered }
    private static let filteredCalls = KernelEvent.calls.filter(\.isFiltered)

    /// What is asked of a machine of `role` for this mark; nothing when that machine is not asked for it.
    /// - Parameter ofHost: the host's own packets are followed: its applications are asked for, and no guest.
    package func queries(_ role: MachineRole, ofHost: Bool = false) -> [EventQuery] {
        let hasApplications = role == .guest || ofHost
        let asked = events.filter { event in
            switch event.place {
            case .everywhere: true
            case .host: role == .host
            case .applications: hasApplications
            }
        }
        var queries = asked.map { EventQuery($0, kind: rawValue) }
        // Of a guest's packet on the host nothing is asked but which it is.
        if self == .netQueue, !hasApplications { queries[0].operands.removeSubrange(1...) }
        return queries
    }

    /// Tells of an interrupt or of what its handler asks for, not of what it interrupts.
    var isOfInterrupt: Bool {
        switch self {
        case .irqEntry, .irqExit, .netRxRaised: true
        default: false
        }
    }

    /// Marks that are needed to keep the books, whatever the path.
    static let bookkeeping: Set<MarkKind> = [
        .irqExit, .groMerged, .napiPoll, .consume, .drop, .tcpReceive, .socketReady, .taskSwitch, .netQueue, .xmitDone,
        .sendExit,
        .filteredExit, .submit, .vmEntry, .vmExit,
    ]
}

extension Mark {
    private typealias Layout = KernelEvent.Layout

    /// Device or interrupt name in operand b.
    var name: UInt16 { UInt16(truncatingIfNeeded: b) }
    var length: Int32 { Int32(truncatingIfNeeded: b >> UInt64(Layout.lengthShift)) }
    /// Bytes of the frame as it is without VLAN offloading: a tag that stands beside it counts.
    var frameLength: Int32 { length + (b >> UInt64(Layout.extraShift + Layout.queueBits) & 1 == 1 ? 4 : 0) }
    /// The device's queue it is sent on.
    var transmitQueue: Int16 {
        Int16(truncatingIfNeeded: b >> UInt64(Layout.extraShift) & (1 << UInt64(Layout.queueBits) - 1))
    }
    /// The device's queue it was received on: the kernel counts those from 1, 0 when the driver does not say
    /// (skb_record_rx_queue).
    var receiveQueue: Int16 { max(transmitQueue - 1, 0) }
    /// tcp_probe's port on this machine; it has 16 bits for the length of the data.
    var localPort: UInt16 { name }
    var dataLength: Int32 { Int32(truncatingIfNeeded: b >> 16 & 0xffff) }
    /// Whether tcp_probe tells the skb and the socket: no address is as small as an address family.
    var tellsSKB: Bool { a > UInt64(UInt16.max) }
    /// What tells tcp_probe's connection from others: the lower half of its socket's address, or both ports.
    var connection: UInt32 {
        let other = UInt32(truncatingIfNeeded: b >> 32)
        return tellsSKB ? other : UInt32(localPort) << 16 | other
    }
    /// What TCP's packet may be in length, with the Ethernet header, by tcp_probe's data and address family (AF_INET6
    /// is 10).
    var lengthsOfTCP: ClosedRange<Int32> {
        let network: Int32 = a == 10 ? 40 : 20
        return dataLength &+ 14 &+ network &+ 20...dataLength &+ 14 &+ network &+ 60
    }
    /// What sock_recv_length returned: bytes, or a negative error.
    var received: Int32 { Int32(truncatingIfNeeded: b) }
    /// sock_recv_length of a socket that has a queue of packets, when it has taken from that: not with MSG_PEEK (2) and
    /// not from the queue of errors (MSG_ERRQUEUE, 0x2000).
    var isOfDatagramRead: Bool {
        let flags = b >> 48
        return flags & 0x2002 == 0 && isOfPacketsRead
    }
    var isOfUDPRead: Bool { readProtocol == 17 && readFamily != 17 }
    /// sock_recv_length of TCP's socket (IPPROTO_TCP is 6), or MPTCP's (262), which has sockets of TCP's of its own.
    var isOfTCPRead: Bool { (readFamily == 2 || readFamily == 10) && (readProtocol == 6 || isOfMPTCPRead) }
    /// … of a socket whose queue holds packets.
    var isOfPacketsRead: Bool { Mark.hasPackets(family: readFamily, protocol: readProtocol) }
    var isOfMPTCPRead: Bool { readProtocol == 262 }
    private var readFamily: Int { Int(b >> 32 & 0x3f) }
    private var readProtocol: Int { Int(b >> 38 & 0x3ff) }
    /// sk_data_ready of a socket that has a queue of packets; of UDP's (IPPROTO_UDP is 17); of one that sees what
    /// devices do (AF_PACKET is 17).
    var isOfDatagramSocket: Bool {
        Mark.hasPackets(family: Int(b & 0xff), protocol: Int(b >> 8 & 0xff))
    }
    var isOfUDP: Bool { !isOfPacketSocket && UInt8(truncatingIfNeeded: b >> 8) == 17 }
    var isOfPacketSocket: Bool { UInt8(truncatingIfNeeded: b) == 17 }
    /// AF_INET (2), AF_INET6 (10) and AF_PACKET (17), but not TCP (6), nor MPTCP (262, whose low byte is the same), nor
    /// SCTP (132): they have streams.
    private static func hasPackets(family: Int, protocol number: Int) -> Bool {
        family == 17 || (family == 2 || family == 10) && number & 0xff != 6 && number != 132
    }
    /// Whether io_uring has taken up a request that sends (enum io_uring_op, include/uapi/linux/io_uring.h): WRITEV 2,
    /// WRITE_FIXED 5, SENDMSG 9, WRITE 23, SEND 26, SPLICE 30, SEND_ZC 47, SENDMSG_ZC 48.
    var isSendRequest: Bool { [2, 5, 9, 23, 26, 30, 47, 48].contains(UInt8(truncatingIfNeeded: a)) }
    /// kfree_skb's reason.
    var dropReason: UInt32 { UInt32(truncatingIfNeeded: b) }
    /// kfree_skb of something that has no protocol of a link's, as every packet has that the stack was given: a Unix
    /// socket's, netlink's, vsock's.
    var isOfNoPacket: Bool { b >> 32 & 0xffff == 0 }
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
            exit: UInt32(truncatingIfNeeded: a), isa: UInt32(truncatingIfNeeded: b),
            exceptionClass: UInt32(truncatingIfNeeded: b >> 32))
    }
    var otherThread: Int32 { Int32(truncatingIfNeeded: a) }
    /// Where an XDP frame comes from and goes to, by interface index.
    var interface: Int32 { Int32(truncatingIfNeeded: a) }
    var targetInterface: Int32 { Int32(truncatingIfNeeded: a >> 32) }
    /// xdp_devmap_xmit's frames that were sent, and that were not.
    var sent: Int { Int(Int32(truncatingIfNeeded: b)) }
    var dropped: Int { Int(Int32(truncatingIfNeeded: b >> 32)) }
}
