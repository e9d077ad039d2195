// Manifests to write and read: one with everything in it, one with as little as there may be.

import Sessions

extension Manifest {
    /// Every optional value is there, and no two numbers of a kind are equal.
    static var full: Manifest {
        var disturbance = Disturbance()
        disturbance.cpuTime = 120_000_000
        disturbance.wakeUps = 14
        disturbance.bytesDuring = 0
        disturbance.bytesAfter = 12_300_000
        disturbance.ownEvents = 214
        disturbance.allEvents = 63_870
        var manifest = Manifest(
            recorder: "virtlat 0.1.0", started: "2026-11-22T18:18:09Z", outcome: .cutOff, traceClock: "x86-tsc",
            transfer: .live,
            machines: [
                RecordedMachine(
                    name: "l1", role: .host, file: "host.dat", release: "6.1.0", cpus: 2, traceID: .max,
                    events: [RecordedEvent(event: "net:netif_receive_skb", filter: "len > 60")],
                    absentEvents: ["kvm:kvm_fast_mmio"],
                    bufferKiB: 8192, lostEvents: 3, disturbance: disturbance),
                RecordedMachine(
                    name: "g3", role: .guest, file: "guest-g3.dat", release: "6.1.1", cpus: 1, traceID: 2,
                    address: "vsock:3:4040",
                    events: [RecordedEvent(event: "sched:sched_switch", filter: nil)], absentEvents: [], bufferKiB: 4096
                ),
            ],
            topology: topology, clocks: [clock], command: ["sleep", "10"])
        manifest.commandStatus = 9
        manifest.faults = ["g3: the connection ended."]
        manifest.measured = Window(begin: 1_000, end: 2_000)
        manifest.binding = Binding(policy: "same-cpu", vcpus: "2,3", scheduling: "fifo:10")
        return manifest
    }

    /// A recording that has just begun.
    static var bare: Manifest {
        var manifest = Manifest(
            recorder: "virtlat 0.1.0", started: "2026-11-22T18:18:09Z", outcome: .recording, traceClock: "mono",
            transfer: .after,
            machines: [
                RecordedMachine(
                    name: "l1", role: .host, file: nil, release: "6.1.0", cpus: 2, traceID: 1, events: [],
                    absentEvents: [], bufferKiB: 8192
                )
            ],
            topology: Topology(
                host: HostSystem(name: "l1", release: "6.1.0", cpus: 2, haltPoll: nil, postedInterrupts: nil, nics: []),
                vms: []))
        manifest.measured = Window(begin: 1_000, end: nil)
        return manifest
    }

    private static var topology: Topology {
        let nic = NetworkDevice(
            name: "nic0", driver: "e1000e", receiveQueues: 1, transmitQueues: 2,
            interrupts: [Interrupt(number: 24, name: "nic0", cpus: "0-1")])
        var vm = VirtualMachine(
            name: "g3", process: 151, cid: 3, vcpus: [VCPU(id: 0, thread: 161, cpus: "0-1", lastCPU: 1)],
            vhostWorkers: [VhostWorker(thread: 160, kind: .kernel, cpus: "0", lastCPU: 0)],
            devices: [
                GuestDevice(
                    kind: .tap, name: "tap0", address: "52:54:00:00:00:03", queues: 1, bridge: "br0", nics: ["nic0"]),
                GuestDevice(kind: .vfio, name: "0000:00:04.0", address: nil, queues: 0, bridge: nil, nics: []),
            ])
        vm.vhostQueues = 7
        var host = HostSystem(
            name: "l1", release: "6.1.0", cpus: 2, haltPoll: 200_000, postedInterrupts: false, nics: [nic])
        host.cores = ["0", "1"]
        host.lastLevelCaches = ["0-1"]
        return Topology(host: host, vms: [vm])
    }

    private static var clock: RecordedClock {
        var clock = RecordedClock(machine: "g3")
        clock.kvm = [
            KVMReading(
                moment: .begin, vcpu: 0, thread: 161, offset: -31_002_625_280, ratio: 4_294_967_296, fractionBits: 32),
            KVMReading(moment: .end, vcpu: 0, thread: 161, offset: -31_002_625_281, ratio: nil, fractionBits: nil),
        ]
        clock.crossTimestamps = [CrossTimestamp(host: 1, realtime: 2, monotonicRaw: 3, before: 4, after: 5)]
        clock.exchanges = [
            Exchange(hostSent: 1, guestReceived: 2, guestSent: 3, hostReceived: 4, roundTrip: 5, offset: -6)
        ]
        clock.hostReadings = [ClockReading(realtime: 1, monotonicRaw: 2, before: 3, after: 4)]
        return clock
    }
}
