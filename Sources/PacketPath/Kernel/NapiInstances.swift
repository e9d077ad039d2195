// Which NAPI instance an interrupt asks to poll, and which of them bring packets in.

/// NAPI instances of one machine: whose interrupts are whose, and which of them receive.
///
/// A device has several: virtio-net polls for received packets and for transmitted buffers in different instances,
/// and both interrupts raise NET_RX. Only an instance that has reported work receives packets.
struct NapiInstances: ~Copyable {
    private struct Instance {
        var address: UInt64
        var device: UInt16
        /// The guest's queue pair whose packets it brings in, none while unknown and on the host.
        var port: PortID
        var receives: Bool

        func brings(_ device: UInt16, _ port: PortID) -> Bool {
            receives && self.device == device && (port.isNone || self.port.isNone || self.port == port)
        }
    }

    enum Role { case receives, other, unknown }

    private var instances: [Instance] = []
    /// What is known of an interrupt number: the instance it schedules, and how many polls speak for it.
    private struct Interrupt {
        var instance: UInt64 = 0
        var votes = 0
    }

    private var interrupts: [Interrupt] = []

    private static let mostVotes = 8

    /// Address of the instance an interrupt schedules, 0 while unknown.
    func instance(of irq: Int32) -> UInt64 {
        // No interrupt has a negative number, and a file may say so all the same.
        irq >= 0 && Int(irq) < interrupts.count ? interrupts[Int(irq)].instance : 0
    }

    func role(of irq: Int32, _ device: UInt16, _ port: PortID) -> Role {
        let address = instance(of: irq)
        guard address != 0, let known = instances.first(where: { $0.address == address }) else { return .unknown }
        return known.brings(device, port) ? .receives : .other
    }

    /// A poll of `address` came while only `irq` was waiting for one. Polls without an interrupt happen too (a driver
    /// polls for freed buffers when it sends), so it takes more than one to overturn what many have shown.
    mutating func vote(_ irq: Int32, _ address: UInt64) {
        guard irq >= 0, irq < 1 << 16 else { return }
        // As sure as can be, which most polls find: nothing that follows would change that.
        if Int(irq) < interrupts.count, interrupts[Int(irq)].instance == address,
            interrupts[Int(irq)].votes == Self.mostVotes
        {
            return
        }
        if Int(irq) >= interrupts.count {
            interrupts += [Interrupt](repeating: Interrupt(), count: Int(irq) + 1 - interrupts.count)
        }
        // An instance that is some other interrupt's for certain is polled on and on, or was asked for by its driver.
        if let owner = owner(of: address), owner != Int(irq), interrupts[owner].votes > 1 { return }
        var known = interrupts[Int(irq)]
        if known.instance == address {
            known.votes = min(known.votes + 1, Self.mostVotes)
        } else if known.votes > 1 {
            known.votes -= 1
        } else {
            known = Interrupt(instance: address, votes: 1)
        }
        interrupts[Int(irq)] = known
    }

    /// Whether it is known which interrupt brings packets of `device` in; then it is no other one.
    func hasReceiver(_ device: UInt16, _ port: PortID) -> Bool {
        interrupts.contains { interrupt in
            interrupt.votes > 0 && instances.contains { $0.address == interrupt.instance && $0.brings(device, port) }
        }
    }

    private func owner(of address: UInt64) -> Int? { interrupts.firstIndex { $0.instance == address } }

    /// Takes note of a poll's result, and of the queue pair whose packets came in it.
    /// - Returns: the queue pair that is the instance's, none while unknown.
    mutating func note(_ address: UInt64, device: UInt16, work: Int32, port: PortID) -> PortID {
        var index = instances.firstIndex { $0.address == address } ?? -1
        if index < 0 {
            guard instances.count < 4096 else { return port }
            instances.append(Instance(address: address, device: device, port: port, receives: false))
            index = instances.count - 1
        }
        if work > 0 { instances[index].receives = true }
        if !port.isNone { instances[index].port = port }
        return instances[index].port
    }
}
