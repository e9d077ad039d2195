// qemu: a tap without vhost-net (vhost=off). A thread of the VMM takes the place of the vhost worker, and its points
// bear the same names.

extension PathDescription {
    package static let qemu = throughTap(
        name: "qemu", summary: "NIC - Linux bridge - tap - QEMU itself (vhost=off) - virtio-net",
        worker: "VMM's thread that serves the tap"
    )
}
