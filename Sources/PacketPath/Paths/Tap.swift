// tap: NIC, Linux bridge, tap device, vhost-net worker, KVM, virtio-net in the guest.

extension PathDescription {
    package static let tap = PathDescription(
        name: "tap",
        summary: "NIC - Linux bridge - tap - vhost-net - virtio-net",
        receive: [
            PointRule(
                .nicIRQ, .raisingInterrupt, [.irqEntry, .netRxRaised], optional: true,
                "host irq_handler_entry whose handler raises NET_RX; absent when NAPI was already polling"),
            PointRule(
                .hostIngress, .arrival, [.napiReceive, .stackReceive], optional: true,
                ends: Stage("irq", .irq),
                "napi_gro_receive_entry, else netif_receive_skb; absent when the host itself sent the packet"),
            PointRule(
                .hostEgress, .queued, [.startXmit],
                ends: Stage("host-stack", .hostStack),
                "net_dev_start_xmit of the skb on the tap"),
            PointRule(
                .vhostWake, .wakeInside, [.waking], optional: true,
                "sched_waking of the vhost worker inside that transmit; absent when it was awake"),
        ] + workerToReader,
        transmit: senderToWorker + [
            PointRule(
                .hostIngress, .ringOrder, [.stackReceive],
                ends: Stage("vhost-copy", .vhost),
                "netif_receive_skb on the tap in the worker: the host's skb begins"),
            PointRule(
                .hostEgress, .sameSKB, [.startXmit],
                ends: Stage("host-stack", .hostStack),
                "net_dev_start_xmit of the skb on the NIC"),
        ] + toNIC)
}
