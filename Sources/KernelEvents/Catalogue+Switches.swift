// What takes the place of a bridge: XDP, and Open vSwitch's datapath.

extension KernelEvent {
    static let ofXDP: [KernelEvent] = [xdpRedirect, xdpDevmapXmit]

    package static let xdpRedirect = KernelEvent(
        "xdp", "xdp_redirect", at: .host,
        [.number("ifindex", to: .a, width: 32), .number("to_ifindex", to: .a, shift: 32, width: 32)], blindOnHost: .xdp)
    package static let xdpDevmapXmit = KernelEvent(
        "xdp", "xdp_devmap_xmit", at: .host,
        [
            .number("from_ifindex", to: .a, width: 32), .number("to_ifindex", to: .a, shift: 32, width: 32),
            .number("sent", to: .b, width: 32), .number("drops", to: .b, shift: 32, width: 32),
        ])
}

extension KernelEvent {
    static let ofOVS: [KernelEvent] = [ovsDoExecuteAction, ovsDPUpcall]

    package static let ovsDoExecuteAction = KernelEvent(
        "openvswitch", "ovs_do_execute_action", at: .host, [.skb, .text("dev_name", to: .b), .length],
        since: Release(5, 14),
        blindOnHost: .ovs)
    package static let ovsDPUpcall = KernelEvent(
        "openvswitch", "ovs_dp_upcall", at: .host, [.skb, .text("dev_name", to: .b), .length], since: Release(5, 14))
}
