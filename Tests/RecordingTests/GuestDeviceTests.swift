// What a guest's network devices are found to be: taps, macvtaps, what is passed through; and what lies behind them.

import Recording
import Sessions
import Testing

@Suite struct GuestDeviceTests {
    /// The devices of a QEMU with these words, on a system that `build` adds to.
    private func devices(_ words: [String], _ build: (FabricatedSystem) throws -> Void) throws -> [GuestDevice] {
        let system = try FabricatedSystem()
        defer { system.remove() }
        try system.process(100, words: ["qemu-system-x86_64"] + words, threads: [110: "CPU 0/KVM"])
        try system.kvm(100, vcpus: [0: 110])
        try build(system)
        return try #require(Topology.ofThisHost(in: system.root).vms.first).devices
    }

    @Test func `descriptors of one tap are its queues`() throws {
        let words = [
            "-netdev", "tap,id=n0,fds=30:31,vhost=on", "-device",
            "virtio-net-pci,netdev=n0,mq=on,mac=52:54:00:00:00:03",
        ]
        let found = try devices(words) { system in
            try system.tap("tap0")
            try system.tap("tap9")
            for descriptor in [30, 31] { try system.openTun(descriptor, interface: "tap0", in: 100) }
            // Not attached to any interface.
            try system.openTun(32, interface: "", in: 100)
        }
        #expect(
            found == [
                GuestDevice(kind: .tap, name: "tap0", address: "52:54:00:00:00:03", queues: 2, bridge: nil, nics: [])
            ])
    }

    @Test func `libvirt's JSON says the same as words do`() throws {
        let words = [
            "-name", "guest=web,,1,debug-threads=on", "-netdev",
            #"{"type":"tap","fd":"30","vhost":true,"vhostfd":"32","id":"hostnet0"}"#, "-device",
            #"{"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:6b:3c:58","bus":"pci.1","rombar":1}"#,
            "-device",
            #"{"driver":"vhost-vsock-pci","id":"vsock0","guest-cid":7,"vhostfd":"33","bus":"pci.5"}"#,
        ]
        let system = try FabricatedSystem()
        defer { system.remove() }
        try system.process(100, words: ["/usr/bin/qemu-system-x86_64"] + words, threads: [110: "CPU 0/KVM"])
        try system.kvm(100, vcpus: [0: 110])
        try system.tap("vnet0")
        try system.openTun(30, interface: "vnet0", in: 100)
        let vm = try #require(Topology.ofThisHost(in: system.root).vms.first)
        #expect(vm.name == "web,1")
        #expect(vm.cid == 7)
        #expect(vm.devices.map(\.address) == ["52:54:00:6b:3c:58"])
    }

    @Test func `an address is given only where the command line leaves no doubt`() throws {
        let nic = { (id: String, mac: String) in
            ["-netdev", "tap,id=\(id)", "-device", "e1000e,netdev=\(id),mac=\(mac)"]
        }
        let one = try devices(nic("n0", "52:54:00:00:00:03")) { try $0.openTun(9, interface: "tap0", in: 100) }
        #expect(one.map(\.address) == ["52:54:00:00:00:03"])
        let two = try devices(nic("n0", "52:54:00:00:00:03") + nic("n1", "52:54:00:00:00:04")) { system in
            try system.openTun(9, interface: "tap0", in: 100)
            try system.openTun(10, interface: "tap1", in: 100)
        }
        #expect(two.map(\.name) == ["tap0", "tap1"])
        #expect(two.map(\.address) == [nil, nil])
        let both = try devices(["-nic", "tap,ifname=tap0,model=e1000e,mac=52:54:00:00:00:05"]) {
            try $0.openTun(9, interface: "tap0", in: 100)
        }
        #expect(both.map(\.address) == ["52:54:00:00:00:05"])
    }

    @Test func `a macvtap is known by its device's number, whatever the node is called`() throws {
        let words = [
            "-netdev", "tap,id=n0,fd=33,vhost=on", "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:03",
        ]
        let found = try devices(words) { system in
            try system.nic("nic0")
            for (name, number) in [("macvtap0", "1:3"), ("macvtap1", "1:99")] {
                try system.interface(name)
                try system.put("nic0", below: name)
                try system.write(number + "\n", "sys/class/net/\(name)/tap7/dev")
            }
            // A character device that every machine has stands for the node; it has the number 1:3.
            try system.open(33, as: "/dev/null", in: 100)
            try system.open(34, as: "/dev/zero", in: 100)
        }
        let device = GuestDevice(
            kind: .macvtap, name: "macvtap0", address: "52:54:00:00:00:03", queues: 1, bridge: nil, nics: ["nic0"])
        #expect(found == [device])
    }

    @Test func `ports of Open vSwitch have its datapath as their bridge`() throws {
        let found = try devices(["-netdev", "tap,id=n0,ifname=tap0"]) { system in
            try system.nic("nic0")
            try system.nic("nic1", address: "0000:00:03.0")
            try system.interface("ovsbr0")
            try system.tap("tap0", master: "ovs-system")
            for port in ["nic0", "ovsbr0"] { try system.enslave(port, to: "ovs-system") }
            try system.openTun(9, interface: "tap0", in: 100)
        }
        #expect(found.map(\.bridge) == ["ovs-system"])
        #expect(found.map(\.nics) == [["nic0"]])
    }

    @Test func `bonds and VLANs are seen through`() throws {
        let found = try devices([]) { system in
            try system.nic("nic0")
            try system.nic("nic1", address: "0000:00:03.0")
            try system.tap("tap0", master: "br0")
            for name in ["bond0", "bond0.7"] { try system.interface(name) }
            try system.enslave("bond0.7", to: "br0")
            try system.put("bond0", below: "bond0.7")
            try system.enslave("nic0", to: "bond0")
            try system.enslave("nic1", to: "bond0")
            try system.openTun(9, interface: "tap0", in: 100)
        }
        #expect(found.map(\.nics) == [["nic0", "nic1"]])
    }

    @Test func `what vfio passes through is found by the command line and by open groups`() throws {
        let json = #"{"driver":"vfio-pci","host":"0000:00:05.0","id":"hostdev0"}"#
        let found = try devices([
            "-device", "vfio-pci,host=00:04.0", "-device", json, "-device", "vfio-pci,host=0000:00:06.0",
        ]) { system in
            // 06.0 is a display; 07.0 was plugged in later; the bridge in its group stays with its driver.
            let classes = [
                "04.0": "0x020000", "05.0": "0x020000", "06.0": "0x030000", "07.0": "0x028000", "01.0": "0x060400",
            ]
            for (address, number) in classes {
                let device = "sys/bus/pci/devices/0000:00:\(address)"
                try system.write(number + "\n", device + "/class")
                try system.link(
                    device + "/driver", to: address == "01.0" ? "../drivers/pcieport" : "../drivers/vfio-pci")
            }
            try system.make("sys/bus/pci/devices/0000:00:05.0/physfn/net/nic0")
            for (group, address) in [(4, "04.0"), (7, "07.0"), (7, "01.0")] {
                try system.make("sys/kernel/iommu_groups/\(group)/devices/0000:00:\(address)")
            }
            try system.open(20, as: "/dev/vfio/vfio", in: 100)
            try system.open(21, as: "/dev/vfio/4", in: 100)
            try system.open(22, as: "/dev/vfio/7", in: 100)
        }
        #expect(found.map(\.name) == ["0000:00:04.0", "0000:00:05.0", "0000:00:07.0"])
        #expect(found.allSatisfy { $0.kind == .vfio && $0.queues == 0 && $0.address == nil })
        #expect(found.map(\.nics) == [[], ["nic0"], []])
    }

    @Test func `a tap in another network namespace is not taken for ours of the same name`() throws {
        let found = try devices(["-netdev", "tap,id=n0,ifname=tap0"]) { system in
            try system.nic("nic0")
            try system.enslave("nic0", to: "br0")
            try system.tap("tap0", master: "br0")
            try system.openTun(9, interface: "tap0", in: 100)
            try system.delete("proc/100/ns/net")
            try system.link("proc/100/ns/net", to: "net:[4026532000]")
            try system.link("proc/100/root/sys/class/net/tap0/master", to: "../podbr")
        }
        #expect(found == [GuestDevice(kind: .tap, name: "tap0", address: nil, queues: 1, bridge: "podbr", nics: [])])
    }
}
