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

/// Everything one guest device hangs on: NIC, tap, worker, vCPU, reader.
struct Line {
    // Names of devices, as small numbers.
    var nic: UInt16 = 1
    var tap: UInt16 = 2
    var device: UInt16 = 3
    var nicIRQ: Int32 = 32
    var nicNapi: UInt64 = 0xa000
    /// Interrupts and NAPI instances of the guest's virtio-net device, one of each for received packets and sent buffers.
    var inputIRQ: Int32 = 25
    var inputNapi: UInt64 = 0xb000
    var outputIRQ: Int32 = 26
    var outputNapi: UInt64 = 0xc000
    var worker: Int32 = 179
    var vcpu: Int32 = 181
    /// `vcpu_id` of kvm_entry.
    var vcpuNumber: UInt64 = 0
    /// The guest's thread that reads and sends.
    var reader: Int32 = 98
    var nicLane = 0
    var workerLane = 1
    var vcpuLane = 0
    var guestLane = 2
    /// Vector of the receive interrupt, as KVM knows it.
    var vector: UInt8 = 39
}

/// A packet as the kernels of a scene know it, and what truly happened to it.
final class Packet {
    /// With the Ethernet header.
    let length: Int
    /// Its addresses in the two kernels.
    var hostSKB: UInt64
    var guestSKB: UInt64
    var points = Points()
    /// How its journey has to end.
    var fate = Outcome.complete
    /// netif_receive_skb of the NIC, which stands in where napi_gro_receive_entry was not recorded.
    var stackReceive: Nanoseconds?

    init(length: Int, hostSKB: UInt64, guestSKB: UInt64) {
        self.length = length
        self.hostSKB = hostSKB
        self.guestSKB = guestSKB
    }

    /// The points that are one packet's alone.
    static let identity: [Point] = [.hostIngress, .hostEgress, .vhostCopy, .guestIngress, .guestRead, .guestEgress, .nicXmit]

    /// Whether a journey with these points can be this packet's: it may lack some, but has no other packet's.
    func matches(_ found: Points) -> Bool {
        Self.identity.allSatisfy { point in
            guard let time = found[point], time != points[point] else { return true }
            return point == .hostIngress && time == stackReceive
        }
    }

    /// Whether the interrupts, wake-ups, switches and calls in it are the packet's too, as far as they are known.
    func agrees(_ found: Points) -> Bool {
        Point.allCases.allSatisfy { point in
            Self.identity.contains(point) || found[point] == nil || found[point] == points[point]
                || points[point] == nil && point != .guestSend
        }
    }
}

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

    /// Two CPUs in the host and one in each guest, unless their numbers are given.
    init(threads: [[Int: Int32]] = [[0: 181]], hostCPUs: Int = 2, guestCPUs: [Int]? = nil, line: Line = Line()) {
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
            length: length, hostSKB: host ?? 0xffff_8881_0200_0000 + place, guestSKB: guest ?? 0xffff_8880_1e00_0000 + place)
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
            Mark(time: time, a: a, b: b, thread: thread, lane: UInt16(lane), kind: kind.rawValue, flags: context.rawValue))
        now += step
        return time
    }

    /// A mark of a packet event: skb address, device and length.
    @discardableResult
    mutating func skbMark(
        _ kind: MarkKind, _ skb: UInt64, _ device: UInt16 = 0, length: Int = 0, lane: Int, thread: Int32 = 0, _ context: Context
    ) -> Nanoseconds {
        mark(kind, lane: lane, thread: thread, context, a: skb, b: UInt64(device) | UInt64(length) << 16)
    }

    /// sched_switch; the state is TASK_INTERRUPTIBLE for a thread that goes to sleep, TASK_REPORT_MAX for one that is preempted.
    @discardableResult
    mutating func switchTo(_ next: Int32, from previous: Int32 = 0, state: UInt64 = 0, lane: Int) -> Nanoseconds {
        mark(.taskSwitch, lane: lane, thread: previous, a: UInt64(UInt32(bitPattern: next)), b: state)
    }

    static let sleeping: UInt64 = 1
    static let preempted: UInt64 = 0x100

    /// An interrupt whose handler asks for a NAPI poll.
    mutating func interrupt(_ irq: Int32, lane: Int, thread: Int32 = 0) -> Nanoseconds {
        let time = mark(.irqEntry, lane: lane, thread: thread, .hardIRQ, a: UInt64(irq))
        mark(.netRxRaised, lane: lane, thread: thread, .hardIRQ)
        mark(.irqExit, lane: lane, thread: thread, .hardIRQ, a: UInt64(irq))
        return time
    }

    /// An interrupt that has nothing to do with packets: a timer, a disk.
    mutating func otherInterrupt(lane: Int) {
        mark(.irqEntry, lane: lane, .hardIRQ, a: 14)
        mark(.irqExit, lane: lane, .hardIRQ, a: 14)
    }

    mutating func pollEnds(_ napi: UInt64, _ device: UInt16, work: Int, budget: Int = 64, lane: Int, thread: Int32 = 0) {
        mark(.napiPoll, lane: lane, thread: thread, .softIRQ, a: napi, b: UInt64(device) | UInt64(work) << 16 | UInt64(budget) << 32)
    }
}

extension [Packet] {
    /// Something that happened to all of them at once.
    func stamp(_ point: Point, _ time: Nanoseconds?) {
        for packet in self { packet.points[point] = time }
    }
}
