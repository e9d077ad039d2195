// Which VM a guest is. Several that match are none: a wrong VM would mean a wrong clock.

package import Sessions

extension Topology {
    /// The VM whose vsock device has this context id.
    package func vm(cid: UInt32) -> VirtualMachine? { only { $0.cid == cid } }

    package func vm(named name: String) -> VirtualMachine? { only { $0.name == name } }

    /// The VM that has a device with one of these hardware addresses, in either case of letters.
    package func vm(macAddresses: Set<String>) -> VirtualMachine? {
        let wanted = Set(macAddresses.map { $0.lowercased() })
        return only {
            $0.devices.contains { device in device.address.map { wanted.contains($0.lowercased()) } ?? false }
        }
    }

    /// The VM that a guest is whose agent has said who it is: by what can't be mistaken first.
    ///
    /// An agent may say the hardware addresses of another VM. Where a VM has the name that the user gave, it is that or
    /// none.
    func vm(of target: GuestTarget, _ welcome: Message.Welcome) -> VirtualMachine? {
        if case .vsock(let cid, _) = target.address, let vm = vm(cid: cid) { return vm }
        let named = vm(named: target.name)
        guard let addressed = vm(macAddresses: Set(welcome.networkAddresses)) else {
            return named ?? vm(named: welcome.name)
        }
        return named == nil || named?.process == addressed.process ? addressed : nil
    }

    private func only(_ matches: (VirtualMachine) -> Bool) -> VirtualMachine? {
        let found = vms.filter(matches)
        return found.count == 1 ? found[0] : nil
    }
}
