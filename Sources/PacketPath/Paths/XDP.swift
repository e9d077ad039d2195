// xdp: a program on the NIC redirects frames to the tap, and one on the tap to the NIC, past the stack. Generic XDP works on
// skbs, native XDP before there are any: then a frame is known by its order alone.

extension PathDescription {
    package static let xdp = PathDescription(
        name: "xdp",
        summary: "NIC - XDP redirect - tap - vhost-net - virtio-net",
        receive: interruptOfNIC + [
            PointRule(
                .hostIngress, .arrival, [.napiReceive, .stackReceive], optional: true,
                ends: Stage("irq", .irq),
                "napi_gro_receive_entry, else netif_receive_skb; absent with native XDP"),
            PointRule(
                .hostEgress, .redirected, [.redirect],
                ends: Stage("host-stack", .hostStack),
                "xdp_redirect to the tap"),
            PointRule(
                .vhostWake, .wakeInside, [.waking], optional: true,
                "sched_waking of the vhost worker while the NIC's driver polls; absent when it was awake"),
        ] + workerToReader(isCopySeen: false),
        transmit: senderToWorker() + [
            PointRule(
                .hostIngress, .ringOrder, [.stackReceive], optional: true,
                ends: Stage("vhost-copy", .vhost),
                "netif_receive_skb on the tap in the vhost worker: the host's skb begins; absent with native XDP"),
            PointRule(
                .hostEgress, .redirected, [.redirect],
                ends: Stage("host-stack", .hostStack),
                "xdp_redirect to the NIC, in the vhost worker"),
            PointRule(
                .nicXmit, .handedOver, [.stackReturn, .bulkXmit],
                ends: Stage("nic", .hostStack),
                "netif_receive_skb_exit, which the NIC's driver has been called inside of; with native XDP xdp_devmap_xmit"),
        ])
}
