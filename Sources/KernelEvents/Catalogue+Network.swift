// What packets do in any kernel: drivers' polls, the stack, devices, and the ends of skbs.

extension KernelEvent {
    static let ofNetwork: [KernelEvent] = [
        softirqRaise, napiPoll, napiGROReceiveEntry, napiGROFragsEntry, napiGROReceiveExit, napiGROFragsExit,
        netifReceiveSKB,
        netDevQueue, netDevStartXmit, netDevXmit, skbCopyDatagramIovec, consumeSKB, kfreeSKB,
    ]

    private static let notLoopback = "name != \"lo\""

    package static let napiPoll = KernelEvent(
        "napi", "napi_poll",
        [
            .number("napi", to: .a), .device, .number("work", to: .b, shift: 16, width: 16),
            .number("budget", to: .b, shift: 32, width: 16, required: false),
        ], blindOnHost: .poll, blindInGuest: .poll,
        absent: Absence(
            "the order of the receive queue can't be proven", alone: "interrupts may be mistaken for each other"))

    package static let napiGROReceiveEntry = KernelEvent(
        "net", "napi_gro_receive_entry", [.skb, .device, .length] + Operand.queue, blindInGuest: .receive,
        // Not every driver has NAPI, or a hardware interrupt: a veth has neither.
        absent: Absence("packets are not seen to come in", alone: "packets begin with netif_receive_skb"))
    package static let napiGROFragsEntry = KernelEvent(
        "net", "napi_gro_frags_entry", [.skb, .device, .length] + Operand.queue, blindInGuest: .receive)
    // GRO_MERGED is 0, GRO_MERGED_FREE is 1, include/linux/netdevice.h.
    package static let napiGROReceiveExit = KernelEvent("net", "napi_gro_receive_exit", where: .below("ret", 2))
    package static let napiGROFragsExit = KernelEvent("net", "napi_gro_frags_exit", where: .below("ret", 2))

    /// Of lo's packets too: nothing else tells that an address, freed without an event, is one of theirs by now, before
    /// somebody reads it.
    package static let netifReceiveSKB = KernelEvent(
        "net", "netif_receive_skb", [.skb, .device, .length], blindOnHost: .stack,
        absent: Absence("no transmit journeys", alone: "no wake-up points"))
    /// NET_RX_DROP is 1, include/linux/netdevice.h: what the stack returns for a packet that generic XDP has taken
    /// away.
    package static let netifReceiveSKBExit = KernelEvent(
        "net", "netif_receive_skb_exit", at: .host, recorded: "ret == 1")

    package static let netDevQueue = KernelEvent(
        "net", "net_dev_queue", [.skb, .device, .length], recorded: notLoopback)
    package static let netDevStartXmit = KernelEvent(
        "net", "net_dev_start_xmit", [.skb, .device, .length] + Operand.queue, recorded: notLoopback,
        blindOnHost: .hostTransmit, blindInGuest: .guestTransmit,
        absent: Absence("no journeys", alone: "no transmit journeys"))
    package static let netDevXmit = KernelEvent(
        "net", "net_dev_xmit", [.skb, .device, .number("rc", to: .b, shift: Layout.lengthShift, width: 32)],
        recorded: notLoopback,
        blindOnHost: .sent, absent: Absence("no nic.xmit, transmit journeys stay incomplete"))

    package static let skbCopyDatagramIovec = KernelEvent(
        "skb", "skb_copy_datagram_iovec", [.skb, .number("len", to: .b)], blindOnHost: .copy,
        // Readers need not use it: UDP frees with consume_skb.
        absent: Absence(
            onHost: "no vhost.copy: vhost-copy is part of vhost-signal; what comes by a macvtap is not seen"))
    package static let consumeSKB = KernelEvent(
        "skb", "consume_skb", [.skb], blindInGuest: .read,
        absent: Absence(alone: "receive journeys stay incomplete, except TCP's"))
    package static let kfreeSKB = KernelEvent(
        "skb", "kfree_skb",
        [
            .skb, .number("reason", to: .b, width: 32, required: false),
            .number("protocol", to: .b, shift: 32, width: 16),
        ],
        blindOnHost: .drops, blindInGuest: .drops)
}
