// ovs: as tap, with Open vSwitch's kernel datapath in the place of the bridge.

extension PathDescription {
    package static let ovs = throughTap(
        name: "ovs", summary: "NIC - Open vSwitch - tap - vhost-net - virtio-net", worker: "vhost worker",
        forwarding: [
            PointRule(
                .ovsUpcall, .datapath, [.ovsUpcall], optional: true,
                ends: Stage("ovs-miss", .hostStack),
                "ovs_dp_upcall: no flow of the datapath matches; absent when one does"),
            PointRule(
                .ovsReply, .datapath, [.ovsAction], optional: true,
                ends: Stage("ovs-upcall", .hostStack),
                "ovs_do_execute_action of the packet that ovs-vswitchd gives back; absent without an upcall"),
            PointRule(
                .ovsAction, .datapath, [.ovsAction], optional: true,
                ends: Stage("ovs-lookup", .hostStack),
                "ovs_do_execute_action, the first of the skb; absent after an upcall"),
        ])
}
