// Random traffic through a small model of NIC, vhost worker, vCPU and guest, whose marks interleave as they may on real
// CPUs.
//
// Every actor is a list of steps, one mark each; whose step comes next is chance. What happens follows the rules that
// the kernel keeps: rings are emptied in order, nobody sleeps on a ring that has something on it, addresses are free
// before they are used again. So the true way of every packet is known, however the marks lie.

import ClockSync
import PacketPath
import Statistics
import TraceData

/// skb addresses of one kernel: a few, so that each one is many packets in turn.
struct AddressPool {
    private var free: [UInt64]
    private var next: UInt64

    init(at base: UInt64, count: Int) {
        free = (0..<UInt64(count)).map { base + $0 << 8 }
        next = base + UInt64(count) << 8
    }

    /// The address that was freed last, as the kernel's slab does it.
    mutating func take() -> UInt64 {
        if let address = free.popLast() { return address }
        next += 0x100
        return next
    }

    mutating func give(_ address: UInt64) { free.append(address) }
}

final class Traffic {
    enum Actor: Int, CaseIterable { case nic, worker, vcpu }
    /// What joins NIC and tap: a bridge, or native XDP programs.
    enum Plumbing { case bridge, nativeXDP }

    let plumbing: Plumbing
    /// Native programs pass much on to the bridge, and not only ARP now and then.
    var isMixed = false

    var scene: Scene
    var random: SplitMix64
    /// So many packets of each direction are still to come.
    var arrivals: Int
    var departures: Int
    /// What was put on the guest's queue, and what was given to its driver.
    var received: [Packet] = []
    var sent: [Packet] = []

    var hostPool = AddressPool(at: 0xffff_8881_0200_0000, count: 24)
    var guestPool = AddressPool(at: 0xffff_8880_1e00_0000, count: 8)

    // NIC
    var backlog = 0
    var isPolling = false
    var interruptTime: Nanoseconds?
    /// Sent packets whose buffers the NIC still has.
    var inNIC: [Packet] = []
    /// Frames that were redirected and are not on the tap's queue, or not with the NIC, yet.
    var framesToTap: [Packet] = []
    var framesToNIC: [Packet] = []

    // Worker and rings
    enum Sleeper { case asleep, woken, running }
    var worker = Sleeper.asleep
    var tap: [Packet] = []
    var receiveRing: [Packet] = []
    var transmitRing: [Packet] = []
    /// The worker wants to be told of packets on the transmit ring.
    var wantsKick = true

    // vCPU and guest
    enum VCPUState { case asleep, woken, running, inGuest }
    var vcpu = VCPUState.asleep
    /// Vectors that KVM has not delivered yet, then those the guest has not handled yet.
    var pendingVectors: Set<UInt8> = []
    var guestVectors: Set<UInt8> = []
    var wantsInterrupt = true
    /// NAPI instances that are to be polled, with the interrupt that asked for it.
    var napi: [(isInput: Bool, interrupt: Nanoseconds?)] = []
    var reader = Sleeper.asleep
    var socket: [Packet] = []
    /// Sent packets whose buffers the guest may free.
    var done: [Packet] = []

    static let outputVector: UInt8 = 40

    private var steps: [[() -> Void]] = Array(repeating: [], count: 3)

    init(seed: UInt64, packets: Int, plumbing: Plumbing = .bridge) {
        self.plumbing = plumbing
        random = SplitMix64(seed: seed)
        arrivals = packets / 2
        departures = packets / 2
        var line = Line()
        line.vcpuLane = 2
        line.guestLane = 3
        scene = Scene(hostCPUs: 3, line: line)
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// Appends steps to an actor's list.
    func plan(_ actor: Actor, _ more: (() -> Void)...) { steps[actor.rawValue] += more }

    /// Puts steps ahead of the rest of an actor's list.
    func insert(_ actor: Actor, _ next: (() -> Void)...) { steps[actor.rawValue].insert(contentsOf: next, at: 0) }

    func insert(_ actor: Actor, at index: Int, _ next: [() -> Void]) {
        steps[actor.rawValue].insert(contentsOf: next, at: index)
    }

    /// Lets everything happen until nothing is left to do.
    func run() {
        while true {
            if steps[0].isEmpty { planNIC() }
            if steps[1].isEmpty { planWorker() }
            if steps[2].isEmpty { planVCPU() }
            let ready = Actor.allCases.filter { !steps[$0.rawValue].isEmpty }
            guard let actor = ready.randomElement(using: &random) else { return }
            scene.step = Nanoseconds.random(in: 20...2000, using: &random)
            steps[actor.rawValue].removeFirst()()
        }
    }

    /// Mostly one length, sometimes another: order has to do most of the work.
    func length() -> Int { chance(80) ? 106 : [60, 142, 1514].randomElement(using: &random)! }

    /// sched_waking of the worker, if it sleeps.
    func wakeWorker(lane: Int, thread: Int32 = 0, _ context: Scene.Context) -> Nanoseconds? {
        guard worker == .asleep else { return nil }
        worker = .woken
        return scene.wake(scene.line.worker, lane: lane, thread: thread, context)
    }
}
