// A KVM host made of files: /proc, /sys and debugfs as the kernel would show them, in a temporary folder.

import Foundation
import Recording

/// What a test puts together and `Topology.discover` reads.
struct FabricatedSystem {
    let folder: URL
    var root: SystemRoot { SystemRoot(proc: path("proc"), sys: path("sys"), debug: path("debug")) }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("virtlat-\(UUID().uuidString)")
        try write("l1\n", "proc/sys/kernel/hostname")
        try write("6.1.0-test\n", "proc/sys/kernel/osrelease")
        try write("0-3\n", "sys/devices/system/cpu/online")
        try write("200000\n", "sys/module/kvm/parameters/halt_poll_ns")
        try make("sys/class/net")
        try make("debug/kvm")
        try link("proc/self/ns/net", to: "net:[4026531840]")
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func make(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path(name), withIntermediateDirectories: true)
    }

    func write(_ text: String, _ name: String) throws {
        try make((name as NSString).deletingLastPathComponent)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    /// - Parameter target: what the link says; it need not lead anywhere.
    func link(_ name: String, to target: String) throws {
        try make((name as NSString).deletingLastPathComponent)
        try FileManager.default.createSymbolicLink(atPath: path(name), withDestinationPath: target)
    }

    func delete(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }
}

// MARK: Processes

extension FabricatedSystem {
    /// - Parameter threads: with their names, besides the main thread.
    func process(_ id: Int, name: String = "qemu-system-x86", words: [String], threads: [Int: String] = [:]) throws {
        try write(words.map { $0 + "\0" }.joined(), "proc/\(id)/cmdline")
        try write(name + "\n", "proc/\(id)/comm")
        try link("proc/\(id)/ns/net", to: "net:[4026531840]")
        try make("proc/\(id)/fd")
        for (thread, name) in threads.merging([id: name], uniquingKeysWith: { first, _ in first }) {
            try write(name + "\n", "proc/\(id)/task/\(thread)/comm")
            try write("Name:\t\(name)\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n", "proc/\(id)/task/\(thread)/status")
        }
    }

    /// vhost as before Linux 6.4.
    func kernelThread(_ id: Int, name: String) throws { try process(id, name: name, words: []) }

    func open(_ descriptor: Int, as target: String, in process: Int, details: String = "pos:\t0\n") throws {
        try link("proc/\(process)/fd/\(descriptor)", to: target)
        try write(details, "proc/\(process)/fdinfo/\(descriptor)")
    }

    func openTun(_ descriptor: Int, interface: String, in process: Int) throws {
        try open(
            descriptor, as: "/dev/net/tun", in: process,
            details: "pos:\t0\nflags:\t0104002\nmnt_id:\t6\niff:\t\(interface)\n")
    }

    func kvm(_ process: Int, descriptor: Int = 8, vcpus: [Int: Int]) throws {
        for (vcpu, thread) in vcpus { try write("\(thread)\n", "debug/kvm/\(process)-\(descriptor)/vcpu\(vcpu)/pid") }
    }
}

// MARK: Interfaces

extension FabricatedSystem {
    /// A NIC on a PCI device.
    func nic(
        _ name: String, address: String = "0000:00:02.0", driver: String = "e1000e", interrupts: [Int: String] = [:]
    ) throws {
        let device = "sys/devices/pci0000:00/\(address)"
        try make(device + "/net")
        try link(device + "/driver", to: "../../../bus/pci/drivers/\(driver)")
        try link(device + "/subsystem", to: "../../../bus/pci")
        try interface(name)
        try link("sys/class/net/\(name)/device", to: "../../../devices/pci0000:00/\(address)")
        for (number, action) in interrupts { try interrupt(number, action, of: device) }
    }

    func interrupt(_ number: Int, _ action: String, cpus: String = "0-3", of device: String) throws {
        try write("msix\n", "\(device)/msi_irqs/\(number)")
        try write(action + "\n", "sys/kernel/irq/\(number)/actions")
        try write(cpus + "\n", "proc/irq/\(number)/smp_affinity_list")
    }

    func interface(_ name: String) throws {
        try make("sys/class/net/\(name)/queues/rx-0")
        try make("sys/class/net/\(name)/queues/tx-0")
    }

    func tap(_ name: String, master: String? = nil) throws {
        try interface(name)
        try write("0x5002\n", "sys/class/net/\(name)/tun_flags")
        if let master { try enslave(name, to: master) }
    }

    func enslave(_ interface: String, to master: String) throws {
        try link("sys/class/net/\(interface)/master", to: "../\(master)")
        try put(interface, below: master)
    }

    func put(_ interface: String, below upper: String) throws {
        try link("sys/class/net/\(upper)/lower_\(interface)", to: "../\(interface)")
    }
}
