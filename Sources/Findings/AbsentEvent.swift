// Events that a recording has none of, and what can't be said without each.

import GuestClocks
import PacketPath

/// An event that a machine's file has none of, where something is missing for it.
package struct AbsentEvent: Sendable {
    package var event: String
    package var consequence: Consequence

    package enum Consequence: Sendable {
        case noInterruptPoints
        case unseenArrival
        case unprovenReceiveOrder
        case noTransmitJourneys
        case noJourneys
        case noNICXmit
        case noVhostCopy
        case noSwitchIns
        case noWakeUps
        case noEntries
        case noExits
        case noInjection
        case noSend
        /// UDP's readers leave no other trace from Linux 6.18 on.
        case silentReaders

        // Of a host's own packets.
        case beginInStack
        case interruptsMistaken
        case incompleteReceive
        case noAppRun
        case noAppSend
    }

    /// - Parameter ofHost: the host's own packets are followed, and no guest's.
    /// - Returns: nil when nothing is missing without it.
    init?(_ event: String, on role: MachineRole, ofHost: Bool) {
        // Readers need not use it: UDP frees with consume_skb.
        if role == .guest || ofHost, event == "skb_copy_datagram_iovec" { return nil }
        guard let consequence = (ofHost ? Self.ofHost[event] : nil) ?? Self.ofGuests[event] else { return nil }
        self.event = event
        self.consequence = consequence
    }

    private static let ofGuests: [String: Consequence] = [
        "irq_handler_entry": .noInterruptPoints,
        "softirq_raise": .noInterruptPoints,
        "napi_gro_receive_entry": .unseenArrival,
        "napi_poll": .unprovenReceiveOrder,
        "netif_receive_skb": .noTransmitJourneys,
        "net_dev_start_xmit": .noJourneys,
        "net_dev_xmit": .noNICXmit,
        "skb_copy_datagram_iovec": .noVhostCopy,
        "sched_switch": .noSwitchIns,
        "sched_waking": .noWakeUps,
        "kvm_entry": .noEntries,
        "kvm_exit": .noExits,
        "kvm_msi_set_irq": .noInjection,
        "sys_enter_sendto": .noSend,
        "sk_data_ready": .silentReaders,
        "sock_recv_length": .silentReaders,
    ]

    /// What a host's own packets lack without an event, where that is something else than what a guest's lack.
    private static let ofHost: [String: Consequence] = [
        // Not every driver has NAPI, or a hardware interrupt: a veth has neither.
        "napi_gro_receive_entry": .beginInStack,
        "napi_poll": .interruptsMistaken,
        "netif_receive_skb": .noWakeUps,
        "net_dev_start_xmit": .noTransmitJourneys,
        "consume_skb": .incompleteReceive,
        "sched_switch": .noAppRun,
        "sys_enter_sendto": .noAppSend,
    ]
}
