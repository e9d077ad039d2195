// What a QEMU was started with: its name, its vsock CID, and which address its network devices have in the guest.

import LinuxSystem

/// The words of a process, as far as they are QEMU's.
struct QEMUCommandLine {
    /// `-name guest=NAME,…` or `-name NAME`.
    var name: String?
    /// Context id of the vhost-vsock device.
    var cid: UInt32?
    var backends: [Backend] = []
    /// What is passed through, by PCI address.
    var passedThrough: [String] = []

    /// The host's side of a network device: `-netdev` or `-nic`.
    struct Backend: Equatable {
        var interface: String?
        /// Descriptors QEMU was started with, one for each queue.
        var descriptors: [Int] = []
        /// Hardware address of the device on it.
        var address: String?
    }

    /// - Parameter words: argv, with the program itself.
    init(_ words: [String]) {
        var devices: [OptionProperties] = []
        var netdevs: [(id: String?, properties: OptionProperties)] = []
        for (option, value) in zip(words.dropFirst(), words.dropFirst(2)) {
            // QEMU takes its options with one dash or two.
            switch option.hasPrefix("--") ? String(option.dropFirst()) : option {
            case "-name": name = OptionProperties(value, impliedKey: "guest")["guest"]
            case "-device": devices.append(OptionProperties(value, impliedKey: "driver"))
            case "-netdev":
                let netdev = OptionProperties(value, impliedKey: "type")
                netdevs.append((netdev["id"], netdev))
            case "-nic": netdevs.append((nil, OptionProperties(value, impliedKey: "type")))
            default: break
            }
        }
        cid = devices.lazy.compactMap { $0.number("guest-cid") }.first
        // "tap" makes or opens an interface, "bridge" has a program of QEMU's make one.
        for (id, netdev) in netdevs where netdev["type"] == "tap" || netdev["type"] == "bridge" {
            // A -nic is backend and device in one.
            let device = id.map { id in devices.first { $0["netdev"] == id } } ?? netdev
            backends.append(
                Backend(
                    interface: netdev["ifname"],
                    descriptors: (netdev["fds"] ?? netdev["fd"] ?? "").split(separator: ":").compactMap { Int($0) },
                    address: device?["mac"]))
        }
        passedThrough = devices.compactMap { device in
            guard device["driver"]?.hasPrefix("vfio-pci") == true else { return nil }
            // sysfsdev names a folder of sysfs; a mediated device there has no PCI address.
            let address =
                device["host"] ?? device["sysfsdev"].flatMap { $0.split(separator: "/").last.map { String($0) } }
            return address.flatMap(Self.pciAddress)
        }
    }

    /// With the domain, which QEMU lets one leave out.
    static func pciAddress(_ text: String) -> String? {
        let parts = text.lowercased().split(separator: ":")
        guard (2...3).contains(parts.count), parts[parts.count - 1].contains(".") else { return nil }
        return parts.count == 2 ? "0000:\(text.lowercased())" : text.lowercased()
    }
}

extension QEMUCommandLine {
    /// The address of the device that `interface` carries, when the command line leaves no doubt: by the interface's
    /// name, by the descriptors it was handed, or because there is only one of each.
    func address(of interface: String, descriptors: [Int], isOnlyDevice: Bool) -> String? {
        if let named = backends.first(where: { $0.interface == interface }) { return named.address }
        if let handed = backends.first(where: { !Set($0.descriptors).isDisjoint(with: descriptors) }) {
            return handed.address
        }
        guard isOnlyDevice, backends.count == 1, backends[0].interface == nil, backends[0].descriptors.isEmpty else {
            return nil
        }
        return backends[0].address
    }
}
