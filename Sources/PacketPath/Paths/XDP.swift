// xdp: a program on the NIC redirects frames to the tap, and one on the tap to the NIC, past the stack. Generic XDP
// works on skbs, native XDP before there are any: then a frame is known by its order alone.

extension PathDescription {
    package static let xdp = PathDescription(
        name: "xdp",
        summary: "NIC - XDP redirect - tap - vhost-net - virtio-net",
        receive: interruptOfNIC + [
            PointRule(
                .hostIngress, .arrival, [.napiReceive, .stackReceive, .redirect],
                ends: Stage("irq", .irq),
                "napi_gro_receive_entry, else netif_receive_skb; with native XDP xdp_redirect, the frame's only event"),
            PointRule(
                .hostEgress, .redirected, [.redirect], optional: true,
                ends: Stage("host-stack", .hostStack),
                "xdp_redirect of the skb to the tap; absent with native XDP"),
            PointRule(
                .vhostWake, .wakeInside, [.waking], optional: true,
                "sched_waking of the vhost worker while the NIC's driver polls; absent when it was awake"),
        ] + workerToReader(isCopySeen: false),
        transmit: senderToWorker() + [
            PointRule(
                .hostIngress, .ringOrder, [.stackReceive, .redirect],
                ends: Stage("vhost-copy", .vhost),
                "netif_receive_skb on the tap in the vhost worker: the host's skb begins; with native XDP xdp_redirect"),
            PointRule(
                .hostEgress, .redirected, [.redirect], optional: true,
                ends: Stage("host-stack", .hostStack),
                "xdp_redirect of the skb to the NIC; absent with native XDP"),
            PointRule(
                .nicXmit, .handedOver, [.stackReturn, .bulkXmit],
                ends: Stage("nic", .hostStack),
                "netif_receive_skb_exit, which the NIC's driver has been called inside of; with native XDP xdp_devmap_xmit"
            ),
        ])
}
