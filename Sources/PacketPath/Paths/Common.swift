// What paths have in common: the way in from the NIC, and the way through a worker and virtio-net, whoever that worker
// is.

extension PathDescription {
    /// Receive, from the NIC's interrupt to the host's stack.
    static func fromNIC(canBeSentByHost: Bool = false) -> [PointRule] {
        interruptOfNIC + [
            PointRule(
                .hostIngress, .arrival, [.napiReceive, .stackReceive], optional: canBeSentByHost,
                ends: Stage("irq", .irq),
                "napi_gro_receive_entry, else netif_receive_skb"
                    + (canBeSentByHost ? "; absent when the host itself sent the packet" : ""))
        ]
    }

    /// The NIC's interrupt, and the thread it wakes where interrupts are threaded (PREEMPT_RT, threadirqs).
    static let interruptOfNIC = [
        PointRule(
            .nicIRQ, .raisingInterrupt, [.irqEntry, .netRxRaised], optional: true,
            "host irq_handler_entry whose handler raises NET_RX; absent when NAPI was already polling"),
        PointRule(
            .nicWake, .wakeInside, [.waking], optional: true,
            "sched_waking of the interrupt's thread (irq/N-…) by the handler; absent where interrupts are not threaded"),
        PointRule(
            .nicRun, .switchIn, [.taskSwitch], optional: true,
            ends: Stage("irq-wakeup", .irq),
            "sched_switch to that thread; absent where interrupts are not threaded"),
    ]

    /// Receive, from the worker's turn on.
    static func workerToReader(_ worker: String = "vhost worker", isCopySeen: Bool = true) -> [PointRule] {
        [
            PointRule(
                .vhostRun, .switchIn, [.taskSwitch], optional: true,
                ends: Stage("vhost-wakeup", .vhost),
                "sched_switch to the \(worker); absent when it was running"),
            PointRule(
                .vhostCopy, .taken, [.copy], optional: !isCopySeen,
                ends: Stage("vhost-copy", .vhost),
                "skb_copy_datagram_iovec of the skb in the \(worker)"
                    + (isCopySeen ? "" : "; absent where there is no skb")),
            PointRule(
                .irqInject, .signal, [.msi, .signalHint, .waking], optional: true,
                ends: Stage("vhost-signal", .vhost),
                "kvm_msi_set_irq in the \(worker), the first after the copy; on arm64, where an ITS has no such event, the worker's wake-up of the "
                    + "vCPU or its IPI; absent when the guest needed no interrupt"),
        ] + injectionToReader
    }

    /// Receive, from the interrupt's injection on.
    static let injectionToReader = [
        PointRule(
            .vcpuWake, .wakeInside, [.waking], optional: true,
            "sched_waking of the vCPU thread by that injection; absent when the vCPU was running"),
        PointRule(
            .vcpuRun, .switchIn, [.taskSwitch], optional: true,
            ends: Stage("kvm-wakeup", .kvm),
            "sched_switch to the vCPU thread; absent when it was running"),
        PointRule(
            .vcpuEntry, .entry, [.vmEntry, .injectVirq], optional: true,
            ends: Stage("kvm-entry", .kvm),
            "the kvm_entry that carries the interrupt in"),
        PointRule(
            .guestIRQ, .raisingInterrupt, [.irqEntry, .netRxRaised], optional: true,
            "guest irq_handler_entry of the receive queue; absent when the guest was polling"),
        PointRule(
            .guestIngress, .ringOrder, [.napiReceive],
            ends: Stage("guest-irq", .guest, crosses: true),
            "guest napi_gro_receive_entry: the guest's skb begins"),
        PointRule(
            .guestWake, .wakeInside, [.waking], optional: true,
            ends: Stage("guest-stack", .guest),
            "guest sched_waking of the thread that reads; absent when it was awake"),
        PointRule(
            .guestRun, .switchIn, [.taskSwitch], optional: true,
            ends: Stage("app-wakeup", .app),
            "guest sched_switch to that thread; absent when it was running"),
        PointRule(
            .guestRead, .consumed, [.copy, .consume, .socketRead],
            ends: Stage("app-read", .app),
            "skb_copy_datagram_iovec, else consume_skb, of the guest's skb in that thread; from Linux 6.18 on sock_recv_length for UDP"
        ),
    ]

    /// Transmit, up to the guest's driver.
    static let senderToDriver = [
        PointRule(
            .guestSend, .systemCall, [.sendEnter, .netQueue], optional: true,
            "sys_enter_sendto and its kin; absent when the kernel itself sends"),
        PointRule(
            .guestEgress, .queued, [.startXmit],
            ends: Stage("guest-stack", .guest),
            "guest net_dev_start_xmit: the driver gets the packet"),
    ]

    /// Transmit, up to the worker's turn.
    static func senderToWorker(_ worker: String = "vhost worker") -> [PointRule] {
        senderToDriver + [
            PointRule(
                .kick, .doorbell, [.vmExit, .doorbell], optional: true,
                ends: Stage("guest-exit", .kvm, crosses: true),
                "the kvm_exit of the notification; absent when vhost was busy and wanted none"),
            PointRule(
                .vhostWake, .wakeInside, [.waking], optional: true,
                ends: Stage("kick", .kvm),
                "sched_waking of the \(worker) by that notification; absent when it was awake"),
            PointRule(
                .vhostRun, .switchIn, [.taskSwitch], optional: true,
                ends: Stage("vhost-wakeup", .vhost),
                "sched_switch to the \(worker); absent when it was running"),
        ]
    }

    /// Transmit, its last point.
    static let toNIC = [
        PointRule(
            .nicXmit, .sameSKB, [.xmitDone],
            ends: Stage("nic", .hostStack),
            "net_dev_xmit: the NIC's driver has the packet")
    ]
}
