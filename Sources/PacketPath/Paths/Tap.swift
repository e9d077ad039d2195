// tap: NIC, Linux bridge, tap device, vhost-net worker, KVM, virtio-net in the guest.

extension PathDescription {
    package static let tap = throughTap(
        name: "tap", summary: "NIC - Linux bridge - tap - vhost-net - virtio-net", worker: "vhost worker")

    /// Paths that put packets on a tap with net_dev_start_xmit, and take the guest's from it with netif_receive_skb.
    /// - Parameters:
    ///   - worker: who serves the tap.
    ///   - forwarding: points between the stack's receipt and the next device.
    static func throughTap(name: String, summary: String, worker: String, forwarding: [PointRule] = [])
        -> PathDescription
    {
        PathDescription(
            name: name,
            summary: summary,
            receive: fromNIC(canBeSentByHost: true) + forwarding + [
                PointRule(
                    .hostEgress, .queued, [.startXmit],
                    ends: Stage("host-stack", .hostStack),
                    "net_dev_start_xmit of the skb on the tap"),
                PointRule(
                    .vhostWake, .wakeInside, [.waking], optional: true,
                    "sched_waking of the \(worker) inside that transmit; absent when it was awake"),
            ] + workerToReader(worker),
            transmit: senderToWorker(worker) + [
                PointRule(
                    .hostIngress, .ringOrder, [.stackReceive],
                    ends: Stage("vhost-copy", .vhost),
                    "netif_receive_skb on the tap in the \(worker): the host's skb begins")
            ] + forwarding + [
                PointRule(
                    .hostEgress, .sameSKB, [.startXmit],
                    ends: Stage("host-stack", .hostStack),
                    "net_dev_start_xmit of the skb on the NIC")
            ] + toNIC)
    }
}
