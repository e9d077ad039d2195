// What a guest's network devices are on the host, from what its process has open.

import LinuxSystem
import Sessions

extension GuestDevice {
    /// In the order they were opened, what is passed through last.
    static func all(of process: ProcessFolder, _ words: QEMUCommandLine, in system: SystemRoot) -> [GuestDevice] {
        let descriptors = process.descriptors
        let network = NetworkFolder(seenBy: process, in: system)
        let macvtaps = network.macvtaps
        var order: [String] = []
        var open: [String: (kind: Kind, descriptors: [Int])] = [:]
        for descriptor in descriptors {
            let kind = descriptor.interface == nil ? Kind.macvtap : .tap
            guard let name = descriptor.interface ?? descriptor.device.flatMap({ macvtaps[$0] }) else { continue }
            if open[name] == nil { order.append(name) }
            open[name, default: (kind, [])].descriptors.append(descriptor.number)
        }
        let interfaces = order.compactMap { name in open[name].map { (name, $0.kind, $0.descriptors) } }
        return interfaces.map { name, kind, descriptors in
            let master = kind == .tap ? network.master(of: name) : nil
            return GuestDevice(
                kind: kind, name: name,
                address: words.address(of: name, descriptors: descriptors, isOnlyDevice: interfaces.count == 1),
                queues: descriptors.count, bridge: master, nics: network.hardware(below: master ?? name))
        } + passedThrough(words, descriptors, in: system)
    }

    /// Network devices that vfio gave to the guest.
    private static func passedThrough(
        _ words: QEMUCommandLine, _ descriptors: [ProcessFolder.Descriptor], in system: SystemRoot
    ) -> [GuestDevice] {
        let devices = system.sys + "/bus/pci/devices"
        var addresses = words.passedThrough
        let groups = descriptors.compactMap { $0.link?.number(after: "/dev/vfio/", as: Int.self) }
        for group in groups {
            // One that was plugged in later is on no command line; its group is open all the same.
            let members = Folder.optionalNames(in: "\(system.sys)/kernel/iommu_groups/\(group)/devices")
            guard addresses.allSatisfy({ !members.contains($0) }) else { continue }
            addresses += members.filter { Link.name(of: "\(devices)/\($0)/driver") == "vfio-pci" }
        }
        return addresses.filter { isNetwork("\(devices)/\($0)") }.map { address in
            // The packets of a virtual function leave by the port of its physical one.
            GuestDevice(
                kind: .vfio, name: address, address: nil, queues: 0, bridge: nil,
                nics: Folder.optionalNames(in: "\(devices)/\(address)/physfn/net"))
        }
    }

    /// PCI class 02 is network; without a class there is no reason to leave it out.
    private static func isNetwork(_ device: String) -> Bool {
        TextFile.optional(device + "/class")?.hasPrefix("0x02") ?? true
    }
}
