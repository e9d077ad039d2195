// host: no guest at all. NIC, the host's stack, an application on the host: the row that all others are held against.

extension PathDescription {
    package static let host = PathDescription(
        name: "host",
        summary: "NIC - the host's own stack and application",
        receive: fromNIC() + [
            PointRule(
                .appWake, .wakeInside, [.waking], optional: true,
                ends: Stage("host-stack", .hostStack),
                "sched_waking of the thread that reads; absent when it was awake"),
            PointRule(
                .appRun, .switchIn, [.taskSwitch], optional: true,
                ends: Stage("app-wakeup", .app),
                "sched_switch to that thread; absent when it was running"),
            PointRule(
                .appRead, .consumed, [.copy, .consume, .socketRead],
                ends: Stage("app-read", .app),
                "skb_copy_datagram_iovec, else consume_skb, of the skb in that thread; from Linux 6.18 on sock_recv_length for UDP"
            ),
        ],
        transmit: [
            PointRule(
                .appSend, .systemCall, [.sendEnter, .netQueue], optional: true,
                "sys_enter_sendto and its kin; absent when the kernel itself sends"),
            PointRule(
                .hostEgress, .queued, [.startXmit],
                ends: Stage("host-stack", .hostStack),
                "net_dev_start_xmit of the skb on the NIC"),
        ] + toNIC)
}
