// Topology as it is read from the kernel's files: who belongs to which VM.

import LinuxSystem
import Recording
import Sessions
import Testing

@Suite struct TopologyTests {
    static let first = [
        "qemu-system-x86_64", "-name", "guest=g3,debug-threads=on", "-netdev", "tap,id=n0,ifname=tap0,vhost=on",
        "-device",
        "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:03", "-device", "vhost-vsock-pci,guest-cid=3",
    ]

    /// Two guests on one bridge, as on Linux 6.1.
    static func twoGuests() throws -> FabricatedSystem {
        let system = try FabricatedSystem()
        try system.nic("nic0")
        try system.enslave("nic0", to: "br0")
        try system.tap("tap0", master: "br0")
        try system.tap("tap1", master: "br0")
        try system.process(100, words: first, threads: [101: "qemu-system-x86", 110: "CPU 0/KVM", 111: "CPU 1/KVM"])
        try system.process(
            200,
            words: [
                "qemu-system-x86_64", "-name", "g4", "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:04",
                "-netdev",
                "tap,id=n0,ifname=tap1", "-device", "vhost-vsock-pci,guest-cid=0x4",
            ], threads: [210: "CPU 0/KVM"])
        try system.openTun(9, interface: "tap0", in: 100)
        try system.openTun(9, interface: "tap1", in: 200)
        try system.kvm(100, vcpus: [0: 110, 1: 111])
        try system.kvm(200, vcpus: [0: 210])
        for (id, owner) in [(301, 100), (302, 200), (303, 100)] { try system.kernelThread(id, name: "vhost-\(owner)") }
        return system
    }

    @Test func `two guests on a bridge keep their threads and devices apart`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        let (topology, gaps) = Topology.discover(in: system.root)
        #expect(gaps.isEmpty)
        #expect(topology.vms.map(\.name) == ["g3", "g4"])
        #expect(topology.vms.map(\.cid) == [3, 4])
        #expect(topology.vms.map(\.process) == [100, 200])
        let worker = { (thread: Int32) in VhostWorker(thread: thread, kind: .kernel, cpus: "0-1") }
        #expect(topology.vms[0].vhostWorkers == [worker(301), worker(303)])
        #expect(topology.vms[1].vhostWorkers == [worker(302)])
        #expect(
            topology.vms[0].vcpus == [VCPU(id: 0, thread: 110, cpus: "0-1"), VCPU(id: 1, thread: 111, cpus: "0-1")])
        let device = GuestDevice(
            kind: .tap, name: "tap0", address: "52:54:00:00:00:03", queues: 1, bridge: "br0", nics: ["nic0"])
        #expect(topology.vms[0].devices == [device])
        #expect(topology.vms[1].devices.map(\.address) == ["52:54:00:00:00:04"])
    }

    @Test func `vhost workers that are threads of QEMU are found there`() throws {
        let system = try FabricatedSystem()
        defer { system.remove() }
        // A worker bears the id of the thread that opened vhost, which need not be the main one.
        try system.process(
            100, words: Self.first,
            threads: [101: "vhost-100", 102: "vhost-105", 105: "IO iothread1", 110: "CPU 0/KVM"])
        try system.kvm(100, vcpus: [0: 110])
        try system.kernelThread(400, name: "vhost-105")
        let vm = try #require(Topology.ofThisHost(in: system.root).vms.first)
        #expect(vm.vhostWorkers.map(\.thread) == [101, 102, 400])
        #expect(vm.vhostWorkers.map(\.kind) == [.process, .process, .kernel])
    }

    @Test func `queues that vhost serves are counted by who has its device open, and last CPUs are told`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        for descriptor in [20, 21] { try system.open(descriptor, as: "/dev/vhost-net", in: 100) }
        try system.open(22, as: "/dev/vhost-vsock", in: 100)
        let fields = (4...52).map { $0 == 39 ? "3" : "\($0)" }.joined(separator: " ")
        try system.write("110 (CPU 0/KVM) S \(fields)\n", "proc/100/task/110/stat")
        let vms = Topology.ofThisHost(in: system.root).vms
        #expect(vms.map(\.vhostQueues) == [2, 0])
        #expect(vms[0].vcpus.map(\.lastCPU) == [3, nil])
    }

    @Test func `a process that only calls itself a vhost worker is none`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        try system.process(500, name: "vhost-100", words: ["sleep", "10"])
        try system.kernelThread(501, name: "vhost-100x")
        #expect(Topology.ofThisHost(in: system.root).vms[0].vhostWorkers.map(\.thread) == [301, 303])
    }

    @Test func `vCPUs may have gaps, threads without names, and threads that are gone`() throws {
        let system = try FabricatedSystem()
        defer { system.remove() }
        try system.process(100, words: ["firecracker"], threads: [110: "fc_vcpu 0", 111: "fc_vcpu 10"])
        // vCPU 3 was unplugged, vCPU 4 has never run.
        try system.kvm(100, vcpus: [0: 110, 10: 111, 3: 109, 4: 0])
        let vm = try #require(Topology.ofThisHost(in: system.root).vms.first)
        #expect(vm.vcpus.map(\.id) == [0, 10])
        #expect(vm.vcpus.map(\.thread) == [110, 111])
        #expect(vm.name == nil && vm.cid == nil)
    }

    @Test func `a kernel that does not say which thread a vCPU has is helped by the threads' names`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        try system.delete("debug/kvm/100-8/vcpu0/pid")
        #expect(Topology.ofThisHost(in: system.root).vms[0].vcpus.map(\.thread) == [110, 111])
    }

    @Test func `a VM whose process has ended is left out`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        try system.delete("proc/100")
        try system.delete("proc/200/task/210/status")
        let vms = Topology.ofThisHost(in: system.root).vms
        #expect(vms.map(\.process) == [200])
        #expect(vms[0].vcpus == [VCPU(id: 0, thread: 210, cpus: "")])
    }

    @Test func `without debugfs VMs are found by their threads' names, and it is said`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        let whole = Topology.ofThisHost(in: system.root)
        try system.delete("debug/kvm")
        let (topology, gaps) = Topology.discover(in: system.root)
        #expect(topology == whole)
        #expect(gaps == [.noDebugfs(path: system.root.debug)])
    }

    @Test func `what can't be read is named with what the system says of it`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        try system.delete("debug/kvm")
        try system.write("", "debug/kvm")
        try system.delete("proc/200/fd")
        let (topology, gaps) = Topology.discover(in: system.root)
        let notAFolder = SystemError(call: "opendir", errno: 20)
        #expect(gaps == [.unreadableDebugfs(path: system.root.debug + "/kvm", notAFolder), .closedProcesses([200])])
        #expect(topology.vms.map(\.vcpus.count) == [2, 1])
        #expect(topology.vms.map(\.devices.count) == [1, 0])
    }

    @Test func `a kernel without KVM has no VMs and nothing that could not be seen`() throws {
        let system = try FabricatedSystem()
        defer { system.remove() }
        try system.delete("debug/kvm")
        try system.delete("sys/module")
        let (topology, gaps) = Topology.discover(in: system.root)
        #expect(topology.vms.isEmpty && gaps.isEmpty)
        #expect(topology.host.haltPoll == nil)
    }

    @Test func `nothing at all is no crash`() {
        let nowhere = SystemRoot(proc: "/nowhere", sys: "/nowhere", debug: "/nowhere")
        let (topology, gaps) = Topology.discover(in: nowhere)
        #expect(topology.vms.isEmpty && gaps.isEmpty && topology.host.nics.isEmpty)
    }

    @Test func `a guest is found by CID, name and hardware address, unless several are meant`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        var topology = Topology.ofThisHost(in: system.root)
        #expect(topology.vm(cid: 4)?.process == 200)
        #expect(topology.vm(cid: 5) == nil)
        #expect(topology.vm(named: "g3")?.process == 100)
        #expect(topology.vm(macAddresses: ["52:54:00:00:00:0A", "52:54:00:00:00:04"])?.process == 200)
        topology.vms[0].devices[0].address = "52:54:00:ab:cd:ef"
        #expect(topology.vm(macAddresses: ["52:54:00:AB:CD:EF"])?.process == 100)
        #expect(topology.vm(macAddresses: ["52:54:00:AB:CD:EF", "52:54:00:00:00:04"]) == nil)
        #expect(topology.vm(macAddresses: []) == nil)
        topology.vms[1].name = "g3"
        #expect(topology.vm(named: "g3") == nil)
    }

    @Test func `the TSC of each vCPU is read where the kernel has it`() throws {
        let system = try Self.twoGuests()
        defer { system.remove() }
        for (file, text) in [
            "tsc-offset": "-9034561", "tsc-scaling-ratio": "4294967296", "tsc-scaling-ratio-frac-bits": "32",
        ] {
            try system.write(text + "\n", "debug/kvm/100-8/vcpu0/\(file)")
        }
        try system.write("-9034561\n", "debug/kvm/100-8/vcpu1/tsc-offset")
        let topology = Topology.ofThisHost(in: system.root)
        #expect(
            topology.vms[0].kvmReadings(.begin, in: system.root) == [
                KVMReading(moment: .begin, vcpu: 0, thread: 110, offset: -9_034_561, ratio: 1 << 32, fractionBits: 32),
                KVMReading(moment: .begin, vcpu: 1, thread: 111, offset: -9_034_561, ratio: nil, fractionBits: nil),
            ])
        #expect(topology.vms[1].kvmReadings(.end, in: system.root).isEmpty)
    }
}
