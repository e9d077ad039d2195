// What all paths through vhost-net and virtio-net have in common, whatever the worker takes packets from and gives them to.

extension PathDescription {
    /// Receive, from the worker's turn on.
    static let workerToReader = [
        PointRule(
            .vhostRun, .switchIn, [.taskSwitch], optional: true,
            ends: Stage("vhost-wakeup", .vhost),
            "sched_switch to the vhost worker; absent when it was running"),
        PointRule(
            .vhostCopy, .taken, [.copy],
            ends: Stage("vhost-copy", .vhost),
            "skb_copy_datagram_iovec of the skb in the worker"),
        PointRule(
            .irqInject, .signal, [.msi], optional: true,
            ends: Stage("vhost-signal", .vhost),
            "kvm_msi_set_irq in the worker, the first after the copy; absent when the guest needed no interrupt"),
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
            "guest irq_handler_entry of the virtio input queue; absent when the guest was polling"),
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
            .guestRead, .consumed, [.copy, .consume],
            ends: Stage("app-read", .app),
            "skb_copy_datagram_iovec, else consume_skb, of the guest's skb in that thread"),
    ]

    /// Transmit, up to the worker's turn.
    static let senderToWorker = [
        PointRule(
            .guestSend, .systemCall, [.sendEnter, .netQueue], optional: true,
            "sys_enter_sendto and its kin; absent when the kernel itself sends"),
        PointRule(
            .guestEgress, .queued, [.startXmit],
            ends: Stage("guest-stack", .guest),
            "guest net_dev_start_xmit: the driver gets the packet"),
        PointRule(
            .kick, .doorbell, [.vmExit, .doorbell], optional: true,
            ends: Stage("guest-exit", .kvm, crosses: true),
            "the kvm_exit of the notification; absent when vhost was busy and wanted none"),
        PointRule(
            .vhostWake, .wakeInside, [.waking], optional: true,
            ends: Stage("kick", .kvm),
            "sched_waking of the vhost worker by that notification; absent when it was awake"),
        PointRule(
            .vhostRun, .switchIn, [.taskSwitch], optional: true,
            ends: Stage("vhost-wakeup", .vhost),
            "sched_switch to the vhost worker; absent when it was running"),
    ]

    /// Transmit, its last point.
    static let toNIC = [
        PointRule(
            .nicXmit, .sameSKB, [.xmitDone],
            ends: Stage("nic", .hostStack),
            "net_dev_xmit: the NIC's driver has the packet")
    ]
}
