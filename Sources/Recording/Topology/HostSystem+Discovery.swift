// The host itself: its kernel, what KVM is set to, its NICs and their interrupts.

import LinuxSystem
import Sessions

extension HostSystem {
    init(discoveredIn system: SystemRoot) {
        let network = NetworkFolder(sys: system.sys)
        self.init(
            name: TextFile.optional(system.proc + "/sys/kernel/hostname") ?? "",
            release: TextFile.optional(system.proc + "/sys/kernel/osrelease") ?? "",
            cpus: TextFile.optional(system.sys + "/devices/system/cpu/online").flatMap(Self.count)
                ?? onlineProcessors(),
            haltPoll: TextFile.number(in: system.sys + "/module/kvm/parameters/halt_poll_ns"),
            postedInterrupts: Self.postedInterrupts(system),
            nics: network.interfaces.filter(network.isHardware).map { NetworkDevice($0, in: network, system) })
        let processors = ProcessorFolders(sys: system.sys)
        cores = processors.cores
        lastLevelCaches = processors.lastLevelCaches
    }

    /// Numbers in a list as the kernel writes it, "0-3,8".
    static func count(_ list: String) -> Int? {
        var count = 0
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, (0...last).contains(first), last < 1 << 20
            else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }

    private static func postedInterrupts(_ system: SystemRoot) -> Bool? {
        for parameter in ["kvm_intel/parameters/enable_apicv", "kvm_amd/parameters/avic"] {
            // A bool is Y or N, an int (as avic once was) 1 or 0.
            switch TextFile.optional("\(system.sys)/module/\(parameter)") {
            case "Y", "1": return true
            case "N", "0": return false
            default: continue
            }
        }
        return nil
    }
}

extension NetworkDevice {
    fileprivate init(_ name: String, in network: NetworkFolder, _ system: SystemRoot) {
        let folder = "\(network.path)/\(name)"
        let queues = Folder.optionalNames(in: folder + "/queues")
        self.init(
            name: name, driver: Link.name(of: folder + "/device/driver"),
            receiveQueues: queues.count { $0.hasPrefix("rx-") }, transmitQueues: queues.count { $0.hasPrefix("tx-") },
            interrupts: Self.interruptNumbers(device: folder + "/device").map { Interrupt($0, in: system) })
    }

    private static func interruptNumbers(device: String) -> [Int] {
        // The interrupts of a virtio device are those of the PCI device it is on. No other parent's are looked at: a
        // PCI port has its own.
        let owner = Link.name(of: device + "/subsystem") == "virtio" ? device + "/.." : device
        let message: [Int] = Folder.numbers(in: owner + "/msi_irqs")
        if !message.isEmpty { return message }
        return TextFile.number(in: owner + "/irq").flatMap { $0 > 0 ? [$0] : nil } ?? []
    }
}

extension Interrupt {
    fileprivate init(_ number: Int, in system: SystemRoot) {
        // The same names that /proc/interrupts ends its lines with, where they can't be told from the columns before
        // them.
        let actions = TextFile.optional("\(system.sys)/kernel/irq/\(number)/actions") ?? ""
        self.init(
            number: number, name: actions.split(separator: ",").joined(separator: ", "),
            cpus: TextFile.optional("\(system.proc)/irq/\(number)/smp_affinity_list") ?? "")
    }
}
