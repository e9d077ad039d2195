// /sys/class/net of one network namespace: what is hardware, what lies under what.

import LinuxSystem

struct NetworkFolder {
    /// …/class/net
    var path: String

    init(sys: String) { path = sys + "/class/net" }

    /// The interfaces a process sees: its own namespace's when that is another one than ours, provided that it has a
    /// /sys of its own.
    init(seenBy process: ProcessFolder, in system: SystemRoot) {
        let theirs = Link.target(of: process.path + "/ns/net")
        let ours = Link.target(of: system.proc + "/self/ns/net")
        self.init(sys: theirs == nil || theirs == ours ? system.sys : process.path + "/root/sys")
    }

    var interfaces: [String] { Folder.optionalNames(in: path) }

    /// Hardware (or a hypervisor's idea of it) stands behind it; a tap has no device.
    func isHardware(_ interface: String) -> Bool {
        Link.target(of: "\(path)/\(interface)/device") != nil
            && TextFile.optional("\(path)/\(interface)/tun_flags") == nil
    }

    /// The bridge or bond it is a port of; `ovs-system` for Open vSwitch's kernel datapath.
    func master(of interface: String) -> String? { Link.name(of: "\(path)/\(interface)/master") }

    /// Hardware that packets of `interface` can leave by: itself, or what is below it, such as a bridge's ports, a
    /// bond's members, a VLAN's or macvtap's device.
    func hardware(below interface: String) -> [String] {
        var seen: Set<String> = []
        var found: [String] = []
        var pending = [interface]
        while let next = pending.popLast() {
            guard seen.insert(next).inserted else { continue }
            if isHardware(next) {
                found.append(next)
                continue
            }
            pending += lower(of: next)
        }
        return found.sorted()
    }

    /// Links named lower_NAME: net/core/dev.c, netdev_adjacent_sysfs_add.
    private func lower(of interface: String) -> [String] {
        Folder.optionalNames(in: "\(path)/\(interface)").filter { $0.hasPrefix("lower_") }.map {
            String($0.dropFirst(6))
        }
    }

    /// Macvtap interfaces by the number of their character device, /dev/tapN.
    var macvtaps: [DeviceNumber: String] {
        var found: [DeviceNumber: String] = [:]
        for interface in interfaces {
            // drivers/net/macvtap.c makes one folder tapIFINDEX of class macvtap below the interface.
            for device in Folder.optionalNames(in: "\(path)/\(interface)") {
                guard device.number(after: "tap", as: Int.self) != nil else { continue }
                let number = TextFile.optional("\(path)/\(interface)/\(device)/dev").flatMap { DeviceNumber($0) }
                if let number { found[number] = interface }
            }
        }
        return found
    }
}
