// vfio: the NIC is the guest's own. The host sees its interrupts at most, and with posted interrupts nothing.

import GuestClocks

extension PathDescription {
    package static let vfio = PathDescription(
        name: "vfio",
        summary: "NIC given to the guest",
        receive: [
            PointRule(
                .nicIRQ, .raisingInterrupt, [.irqEntry], optional: true,
                "host irq_handler_entry of the device's vector (vfio-msi…); absent with posted interrupts, when the guest was polling, and when "
                    + "the interrupt may be another packet's"),
            PointRule(
                .irqInject, .signal, [.msi], optional: true,
                ends: Stage("irq", .irq),
                "kvm_msi_set_irq inside that handler"),
        ] + injectionToReader,
        transmit: senderToDriver + [
            PointRule(
                .nicXmit, .sameSKB, [.xmitDone], of: .guest,
                ends: Stage("nic", .guest),
                "guest net_dev_xmit: the NIC's driver has the packet")
        ])
}
