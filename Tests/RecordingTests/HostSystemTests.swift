// The host's own facts: settings of KVM, NICs and their interrupts.

import Recording
import Sessions
import Testing

@Suite struct HostSystemTests {
    private func host(_ build: (FabricatedSystem) throws -> Void) throws -> HostSystem {
        let system = try FabricatedSystem()
        defer { system.remove() }
        try build(system)
        return Topology.ofThisHost(in: system.root).host
    }

    @Test func `name, release, CPUs and halt polling are the kernel's`() throws {
        let found = try host { _ in }
        #expect(
            found
                == HostSystem(
                    name: "l1", release: "6.1.0-test", cpus: 4, haltPoll: 200_000, postedInterrupts: nil, nics: []))
    }

    @Test(arguments: [("0", 1), ("0-3,8", 5), ("0-1,4-5,7", 5)])
    func `online CPUs are counted`(list: String, count: Int) throws {
        #expect(try host { try $0.write(list + "\n", "sys/devices/system/cpu/online") }.cpus == count)
    }

    @Test func `cores and caches are each told once, by the CPUs that share them`() throws {
        let found = try host { system in
            for cpu in 0..<4 {
                let folder = "sys/devices/system/cpu/cpu\(cpu)"
                try system.write(cpu % 2 == 0 ? "0,2\n" : "1,3\n", folder + "/topology/thread_siblings_list")
                // An instruction cache is never the last one, whatever its level.
                for (index, cache) in [
                    ("1", "Data", "\(cpu)"), ("9", "Instruction", "\(cpu)"), ("3", "Unified", "0-3"),
                    ("2", "Unified", "0,2"),
                ]
                .enumerated() {
                    try system.write(cache.0 + "\n", "\(folder)/cache/index\(index)/level")
                    try system.write(cache.1 + "\n", "\(folder)/cache/index\(index)/type")
                    try system.write(cache.2 + "\n", "\(folder)/cache/index\(index)/shared_cpu_list")
                }
            }
        }
        #expect(found.cores == ["0,2", "1,3"])
        #expect(found.lastLevelCaches == ["0-3"])
        // Half of the truth would be taken for all of it.
        let half = try host { try $0.write("0\n", "sys/devices/system/cpu/cpu0/topology/thread_siblings_list") }
        #expect(half.cores == nil && half.lastLevelCaches == nil)
    }

    @Test(arguments: [
        ("kvm_intel/parameters/enable_apicv", "Y", true), ("kvm_intel/parameters/enable_apicv", "N", false),
        ("kvm_amd/parameters/avic", "1", true), ("kvm_amd/parameters/avic", "0", false),
        ("kvm_amd/parameters/avic", "N", false),
    ])
    func `posted interrupts are what KVM's module was told`(file: String, text: String, posted: Bool) throws {
        #expect(try host { try $0.write(text + "\n", "sys/module/\(file)") }.postedInterrupts == posted)
    }

    @Test func `NICs have their interrupts in numerical order, and taps are no NICs`() throws {
        let found = try host { system in
            try system.nic("nic0", interrupts: [100: "nic0-tx-0", 29: "nic0-rx-0", 101: ""])
            try system.make("sys/class/net/nic0/queues/rx-1")
            try system.tap("tap0")
            try system.interface("br0")
        }
        let interrupts = [(29, "nic0-rx-0"), (100, "nic0-tx-0"), (101, "")].map {
            Interrupt(number: $0.0, name: $0.1, cpus: "0-3")
        }
        let nic = NetworkDevice(
            name: "nic0", driver: "e1000e", receiveQueues: 2, transmitQueues: 1, interrupts: interrupts)
        #expect(found.nics == [nic])
    }

    @Test func `a virtio NIC has the interrupts of its PCI device`() throws {
        let found = try host { system in
            let pci = "sys/devices/pci0000:00/0000:00:09.0"
            try system.link(pci + "/virtio3/subsystem", to: "../../../../bus/virtio")
            try system.link(pci + "/virtio3/driver", to: "../../../../bus/virtio/drivers/virtio_net")
            try system.interface("eth0")
            try system.link("sys/class/net/eth0/device", to: "../../../devices/pci0000:00/0000:00:09.0/virtio3")
            try system.interrupt(40, "virtio3-input.0", cpus: "2", of: pci)
        }
        #expect(found.nics.map(\.driver) == ["virtio_net"])
        #expect(found.nics.first?.interrupts == [Interrupt(number: 40, name: "virtio3-input.0", cpus: "2")])
    }

    @Test func `a NIC without message-signalled interrupts has its line, and never its parent's`() throws {
        let found = try host { system in
            try system.nic("nic0", address: "0000:01:00.0")
            try system.nic("nic1", address: "0000:02:00.0")
            try system.write("16\n", "sys/devices/pci0000:00/0000:01:00.0/irq")
            try system.write("0\n", "sys/devices/pci0000:00/0000:02:00.0/irq")
            try system.write("i8042,nic0\n", "sys/kernel/irq/16/actions")
            try system.interrupt(24, "pcieport", of: "sys/devices/pci0000:00")
        }
        #expect(found.nics.map(\.interrupts) == [[Interrupt(number: 16, name: "i8042, nic0", cpus: "")], []])
    }
}
