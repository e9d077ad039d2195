// What applications do with packets, and sockets for them: reads, and system calls that send.

extension KernelEvent {
    static let ofApplications: [KernelEvent] =
        [tcpProbe, skDataReady, sockRecvLength] + ofRequests + calls.flatMap { [$0.enter, $0.exit] }

    /// Before Linux 6.10 it tells neither the skb nor the socket: the address family and the other port stand there
    /// instead.
    package static let tcpProbe = KernelEvent(
        "tcp", "tcp_probe", at: .applications,
        [
            .number("skbaddr", "family", to: .a), .number("sport", to: .b, width: 16),
            .number("data_len", to: .b, shift: Layout.lengthShift, width: 16),
            .number("skaddr", "dport", to: .b, shift: 32, width: 32),
        ])

    /// Recorded of AF_INET (2) and AF_INET6 (10) but for IPPROTO_TCP (6), and of AF_PACKET (17): sockets whose queues
    /// hold packets.
    package static let skDataReady = KernelEvent(
        "sock", "sk_data_ready", at: .applications,
        [
            .number("skaddr", to: .a), .number("family", to: .b, width: 8),
            .number("protocol", to: .b, shift: 8, width: 8),
        ],
        recorded: "(family == 2 || family == 10) && protocol != 6 || family == 17", since: Release(6, 3),
        absent: .silentReaders)

    /// Recorded of all sockets: it tells what was copied in the call, which may have a packet's address by then.
    package static let sockRecvLength = KernelEvent(
        "sock", "sock_recv_length", at: .applications,
        [
            .number("sk", to: .a), .number("ret", to: .b, width: 32), .number("family", to: .b, shift: 32, width: 6),
            .number("protocol", to: .b, shift: 38, width: 10), .number("flags", to: .b, shift: 48, width: 16),
        ], since: Release(6, 3), absent: .silentReaders)
}

extension KernelEvent {
    static let ofRequests: [KernelEvent] = [ioUringSubmitReq, ioUringSubmitSQE, ioUringComplete, sysExitIOUringEnter]

    /// io_uring takes up a request, from its caller or in a thread of its own.
    package static let ioUringSubmitReq = KernelEvent(
        "io_uring", "io_uring_submit_req", at: .applications, [.number("opcode", to: .a, width: 8, required: false)],
        since: Release(6, 0))
    /// The same by its old name.
    package static let ioUringSubmitSQE = KernelEvent(
        "io_uring", "io_uring_submit_sqe", at: .applications, [.number("opcode", to: .a, width: 8, required: false)],
        until: Release(6, 0))
    package static let ioUringComplete = KernelEvent("io_uring", "io_uring_complete", at: .applications)
    package static let sysExitIOUringEnter = KernelEvent("syscalls", "sys_exit_io_uring_enter", at: .applications)
}

/// A system call that sends, or may.
package struct SendingCall: Sendable {
    package var enter: KernelEvent
    package var exit: KernelEvent
    /// It sends only if it is asked the right thing, and its begin is recorded only then. Its end tells nothing about
    /// what it did.
    package var isFiltered: Bool

    fileprivate init(
        _ name: String, recorded filter: String? = nil, _ blindness: Blindness? = nil, absent absence: Absence? = nil
    ) {
        enter = KernelEvent(
            "syscalls", "sys_enter_\(name)", at: .applications, recorded: filter, blindInGuest: blindness,
            absent: absence)
        // A call's end is only of interest where its begin is, but it does not tell what that was asked for.
        exit = KernelEvent("syscalls", "sys_exit_\(name)", at: .applications)
        isFiltered = filter != nil
    }
}

extension KernelEvent {
    /// Descriptors 0 to 2 are a program's streams: what it prints is no packet.
    private static let noStream = "fd > 2"

    package static let calls: [SendingCall] = [
        SendingCall("sendto", .calls, absent: Absence("no guest.send", alone: "no app.send")),
        SendingCall("sendmsg", .calls), SendingCall("sendmmsg", .calls),
        SendingCall("write", recorded: noStream, .calls), SendingCall("writev", recorded: noStream, .calls),
        SendingCall("pwritev2", recorded: noStream), SendingCall("sendfile64"), SendingCall("splice"),
        // What a socket held back goes out: UDP_CORK is 1 of IPPROTO_UDP (17), TCP_CORK is 3 of IPPROTO_TCP (6).
        SendingCall("setsockopt", recorded: "level == 17 && optname == 1 || level == 6 && optname == 3"),
    ]
}
