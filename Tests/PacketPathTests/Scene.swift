// A host and its guests as a test stages them: marks in time order, as a stream would deliver them.
//
//     var scene = Scene()
//     let packet = scene.packet()
//     scene.receive([packet])
//     let found = scene.run()
//     #expect(found[packet]?.points == packet.points)

import ClockSync
import PacketPath
import TraceData

struct Scene {
    /// In which context a mark is made.
    enum Context: UInt8 { case thread = 0, hardIRQ = 0x08, softIRQ = 0x10 }

    private(set) var packets: [Packet] = []
    var marks: [Mark] = []
    /// When the next mark comes.
    var now: Nanoseconds = 1000
    /// How much later than the one before every mark comes.
    var step: Nanoseconds = 10
    /// What the acts are about.
    var line: Line
    let lanes: [Lane]
    /// What the host's file says of vCPU threads, by guest.
    var threads: [[Int: Int32]]
    /// TCP ports of agents, by guest.
    let agentPorts: [UInt16?]
    /// Names of interrupts.
    let names = NameTable()
    /// What the host's file calls vhost workers.
    var workers: Set<Int32> = [Line().worker, Line.secondGuest.worker]

    /// … and what it calls otherwise.
    var otherThreads: Set<Int32> = []
    /// By machine: what the files call threads of work queues.
    var queueWorkers: [Set<Int32>] = []
    /// By machine: what its kernel tells.
    var kernels: [KernelTraits] = []

    /// Two CPUs in the host and one in each guest, unless their numbers are given.
    init(
        threads: [[Int: Int32]] = [[0: 181]], agentPorts: [UInt16?] = [], hostCPUs: Int = 2, guestCPUs: [Int]? = nil,
        line: Line = Line()
    ) {
        self.agentPorts = agentPorts
        self.threads = threads
        self.line = line
        var lanes = (0..<hostCPUs).map { Lane(machine: 0, cpu: $0) }
        for (guest, count) in (guestCPUs ?? threads.map { _ in 1 }).enumerated() {
            lanes += (0..<count).map { Lane(machine: guest + 1, cpu: $0) }
        }
        self.lanes = lanes
        rest()
    }

    /// Before its first packet everything on a line has been seen going to sleep.
    mutating func rest() {
        vhostRuns()
        vhostSleeps()
        vcpuRuns()
        vcpuEnters()
        readerRuns()
        readerSleeps()
        vcpuHalts()
    }

    /// A new packet, at addresses that no other one has unless they are given.
    mutating func packet(_ length: Int = 106, host: UInt64? = nil, guest: UInt64? = nil) -> Packet {
        let place = UInt64(packets.count) << 8
        let packet = Packet(
            length: length, hostSKB: host ?? 0xffff_8881_0200_0000 + place,
            guestSKB: guest ?? 0xffff_8880_1e00_0000 + place)
        packets.append(packet)
        return packet
    }

    mutating func packets(_ count: Int, length: Int = 106) -> [Packet] { (0..<count).map { _ in packet(length) } }

    /// Adds a mark and lets time pass.
    /// - Returns: its time.
    @discardableResult
    mutating func mark(
        _ kind: MarkKind, lane: Int, thread: Int32 = 0, _ context: Context = .thread, a: UInt64 = 0, b: UInt64 = 0
    ) -> Nanoseconds {
        let time = now
        marks.append(
            Mark(
                time: time, a: a, b: b, thread: thread, lane: UInt16(lane), kind: kind.rawValue, flags: context.rawValue
            ))
        now += step
        return time
    }

    /// A mark of a packet event: skb address, device and length; the queue as the event has it, and whether a VLAN tag
    /// stands beside the frame.
    @discardableResult
    mutating func skbMark(
        _ kind: MarkKind, _ skb: UInt64, _ device: UInt16 = 0, length: Int = 0, queue: Int = 0, tagged: Bool = false,
        lane: Int,
        thread: Int32 = 0, _ context: Context
    ) -> Nanoseconds {
        let b = UInt64(device) | UInt64(length) << 16 | UInt64(queue) << 48 | (tagged ? 1 << 60 : 0)
        return mark(kind, lane: lane, thread: thread, context, a: skb, b: b)
    }

    /// sched_switch; the state is TASK_INTERRUPTIBLE for a thread that goes to sleep, TASK_REPORT_MAX for one that is
    /// preempted.
    @discardableResult
    mutating func switchTo(_ next: Int32, from previous: Int32 = 0, state: UInt64 = 0, lane: Int) -> Nanoseconds {
        mark(.taskSwitch, lane: lane, thread: previous, a: UInt64(UInt32(bitPattern: next)), b: state)
    }

    static let sleeping: UInt64 = 1
    static let preempted: UInt64 = 0x100

    func nameID(_ name: String) -> UInt64 { name.isEmpty ? 0 : UInt64(names.id(of: name)) }

    /// An interrupt whose handler asks for a NAPI poll.
    mutating func interrupt(_ irq: Int32, _ name: String = "", lane: Int, thread: Int32 = 0) -> Nanoseconds {
        let time = mark(.irqEntry, lane: lane, thread: thread, .hardIRQ, a: UInt64(irq), b: nameID(name))
        mark(.netRxRaised, lane: lane, thread: thread, .hardIRQ)
        mark(.irqExit, lane: lane, thread: thread, .hardIRQ, a: UInt64(irq))
        return time
    }

    /// An interrupt that has nothing to do with packets: a timer, a disk.
    mutating func otherInterrupt(lane: Int) {
        mark(.irqEntry, lane: lane, .hardIRQ, a: 14)
        mark(.irqExit, lane: lane, .hardIRQ, a: 14)
    }

    mutating func pollEnds(_ napi: UInt64, _ device: UInt16, work: Int, budget: Int = 64, lane: Int, thread: Int32 = 0)
    {
        mark(
            .napiPoll, lane: lane, thread: thread, .softIRQ, a: napi,
            b: UInt64(device) | UInt64(work) << 16 | UInt64(budget) << 32)
    }
}

extension UInt64 {
    /// Operand b of a packet's kfree_skb: the reason, and the packet's protocol (ETH_P_IP).
    static func drop(_ reason: UInt64) -> UInt64 { reason | 0x0800 << 32 }
}
