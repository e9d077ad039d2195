// macvtap: NIC, macvtap device, vhost-net worker, KVM, virtio-net in the guest.

extension PathDescription {
    package static let macvtap = PathDescription(
        name: "macvtap",
        summary: "NIC - macvtap - vhost-net - virtio-net",
        receive: fromNIC() + [
            PointRule(
                .vhostWake, .wakeInside, [.waking], optional: true,
                ends: Stage("host-stack", .hostStack),
                "sched_waking of the vhost worker while the stack receives the packet; absent when it was awake")
        ] + workerToReader(),
        transmit: senderToWorker() + [
            PointRule(
                .hostIngress, .ringOrder, [.startXmit],
                ends: Stage("vhost-copy", .vhost),
                "net_dev_start_xmit on the macvtap in the worker: the host's skb begins"),
            PointRule(
                .hostEgress, .sameSKB, [.startXmit],
                ends: Stage("host-stack", .hostStack),
                "net_dev_start_xmit of the skb on the NIC, inside the macvtap's"),
        ] + toNIC)
}
