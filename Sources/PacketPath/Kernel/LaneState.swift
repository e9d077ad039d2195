// What is going on on one CPU: its interrupt, the NAPI polls it owes, the packets its drivers are being handed.

import ClockSync
import TraceData

/// An interrupt that raised NET_RX and has not been answered by a poll.
struct PendingInterrupt: BitwiseCopyable {
    var irq: Int32 = -1
    var time: Nanoseconds = PointTimes.absent
    /// When it woke the thread that serves it, and when that got a CPU; absent where there is no such thread.
    var wake: Nanoseconds = PointTimes.absent
    var run: Nanoseconds = PointTimes.absent
    /// A packet has been attributed to it.
    var isClaimed = false
}

/// Which pending interrupt's poll it is that brings a packet in.
enum PollCause {
    /// The one with this index.
    case interrupt(Int)
    /// None: the driver polled for more by itself.
    case none
    /// One of several: which is not known.
    case unknown

    var index: Int? { if case .interrupt(let index) = self { index } else { nil } }
}

/// A packet between net_dev_start_xmit and net_dev_xmit.
struct Handover: BitwiseCopyable {
    var skb: UInt64 = 0
    var flight: FlightID = .none
    var port = PortID.none
    /// The thread that hands it over, none for a softirq.
    var thread = ThreadID.none
}

struct LaneState {
    var machine: MachineID
    var cpu: Int
    /// The vCPU this guest CPU is, none while unknown and on the host.
    var vcpu = VCPUID.none
    /// The thread that made the last mark.
    var threadID = ThreadID.idle
    var thread: ThreadIndex
    /// One of those that end with whatever happens next (`wakingFor`, `fresh`, `segmented`, `split`) may be set.
    private(set) var isHolding = false
    /// Something has shown that no softirq has been running here since before the recording, or since a hole in it.
    var isSoftIRQKnown = false

    // The hardware interrupt being handled.
    var irq: Int32 = -1
    var irqTime: Nanoseconds = 0
    /// An interrupt that was left to its thread, as long as nothing else has happened here; -1 for none.
    var wakingFor: Int32 = -1 { didSet { if wakingFor >= 0 { isHolding = true } } }

    /// Interrupts whose poll is to come, oldest first. More at once are as good as unknown.
    private static let mostPending = 4
    var pending = InlineArray<4, PendingInterrupt>(repeating: PendingInterrupt())
    var pendingCount = 0

    /// Devices stack (VLAN on bond on NIC), so deep at the most.
    private static let mostStacked = 4
    var handovers = InlineArray<4, Handover>(repeating: Handover())
    var handoverCount = 0

    /// The packet the stack is receiving, for wake-ups that happen on its behalf.
    var receiving = FlightID.none
    /// The socket it was put on last, 0 for none.
    var readySocket: UInt64 = 0
    /// When it was.
    var readyTime = PointTimes.absent
    /// When the stack began to receive it.
    var receivedAt = PointTimes.absent
    /// The packets the stack has been given in this poll: it takes several at once, and then hands them to their
    /// protocols one by one.
    private var batch = InlineArray<16, FlightID>(repeating: .none)
    private static let mostBatched = 16
    /// The packet that the stack was given last, and the thread that gave it, none for a softirq.
    private var carried = FlightID.none
    private var carrier = ThreadID.none
    private var batchCount = 0
    /// TCP is at work on a packet of the recorder's: what is sent now answers it, and what is freed now is it. In
    /// softirq, or in this thread.
    private var recordersContext = Context.none

    private enum Context: Equatable {
        case none, softIRQ
        case thread(ThreadID)
    }
    /// The packet the stack was given last, as long as nothing else has happened here.
    var fresh = FlightID.none { didSet { if !fresh.isNone { isHolding = true } } }
    /// What was cut into segments, as long as nothing but their sending happens here.
    var segmented: Segmented? { didSet { if segmented != nil { isHolding = true } } }
    /// A packet that was freed while the stack received it, as long as that goes on.
    var split = FlightID.none { didSet { if !split.isNone { isHolding = true } } }
    /// The packet that a thread is writing to a tap.
    var written = FlightID.none
    /// The packet the driver gave to GRO last.
    var polled = FlightID.none
    /// The guest's queue pair it came from, none outside a poll and on the host.
    var polledPort = PortID.none

    /// - Parameter thread: the idle thread.
    init(machine: MachineID, cpu: Int, thread: ThreadIndex) {
        self.machine = machine
        self.cpu = cpu
        self.thread = thread
    }

    /// Forgets everything that a hole in the recording makes doubtful.
    mutating func forget() {
        irq = -1
        wakingFor = -1
        isSoftIRQKnown = false
        pendingCount = 0
        handoverCount = 0
        stopReceiving()
        fresh = .none
        segmented = nil
        split = .none
        written = .none
        polled = .none
        polledPort = .none
    }

    /// Takes note of what has ended.
    mutating func releaseHold() { isHolding = wakingFor >= 0 || !fresh.isNone || segmented != nil || !split.isNone }

    // MARK: The stack

    /// Of several packets that the stack has, the one that it is known to deliver.
    var delivering = FlightID.none

    mutating func receive(_ flight: FlightID, at time: Nanoseconds) {
        receiving = flight
        delivering = .none
        receivedAt = time
        readySocket = 0
        // More than fit are as good as unknown.
        if batchCount < Self.mostBatched { batch[batchCount] = flight }
        batchCount += 1
        recordersContext = .none
    }

    /// The packets of the batch; none where there are more than can be told.
    var batched: [FlightID] {
        mutating get {
            guard batchCount <= Self.mostBatched else { return [] }
            var packets: [FlightID] = []
            for index in 0..<batchCount { packets.append(batch[index]) }
            return packets
        }
    }

    /// Those of the batch that have been delivered are no longer asked for.
    mutating func keepBatched(_ kept: [FlightID]) {
        guard batchCount <= Self.mostBatched else { return }
        for (index, id) in kept.enumerated() { batch[index] = id }
        batchCount = kept.count
    }

    /// The stack has several packets, of which it delivers one after the other.
    var isBatched: Bool { batchCount > 1 }

    mutating func batchContains(_ flight: FlightID) -> Bool {
        for index in 0..<min(batchCount, Self.mostBatched) where batch[index] == flight { return true }
        return false
    }

    mutating func stopReceiving() {
        carried = .none
        delivering = .none
        receiving = .none
        readySocket = 0
        batchCount = 0
        recordersContext = .none
    }

    /// The one packet of the batch that `fits`; none where none or several do.
    func received(where fits: (FlightID) -> Bool) -> FlightID {
        guard batchCount <= Self.mostBatched else { return .none }
        var found = FlightID.none
        for index in 0..<batchCount where fits(batch[index]) {
            guard found.isNone else { return .none }
            found = batch[index]
        }
        return found
    }

    /// TCP begins with a packet, the recorder's or another one.
    mutating func takeUpTCP(ofRecorder isRecorders: Bool, _ mark: Mark) {
        recordersContext = !isRecorders ? .none : mark.inSoftIRQ ? .softIRQ : .thread(mark.threadID)
    }

    /// The CPU does something else.
    mutating func leaveRecorder() { recordersContext = .none }

    func isOnRecorders(_ mark: Mark) -> Bool {
        switch recordersContext {
        case .none: false
        case .softIRQ: mark.inSoftIRQ
        case .thread(let thread): mark.inThread && mark.threadID == thread
        }
    }

    // MARK: NAPI

    mutating func enterIRQ(_ number: Int32, _ time: Nanoseconds) {
        irq = number
        irqTime = time
    }

    /// NET_RX was raised; by the interrupt being handled if there is one.
    mutating func raise() {
        if irq >= 0 { raise(PendingInterrupt(irq: irq, time: irqTime)) }
    }

    mutating func raise(_ interrupt: PendingInterrupt) {
        for index in 0..<pendingCount where pending[index].irq == interrupt.irq {
            // Raised again before its poll: the first interrupt is the packet's.
            return
        }
        guard pendingCount < Self.mostPending else { return }
        pending[pendingCount] = interrupt
        pendingCount += 1
    }

    /// Why packets of `device` are polled for.
    /// - Parameter port: the guest's queue pair they come from, none on the host.
    func pollCause(receiving device: UInt16, port: PortID = .none, _ instances: borrowing NapiInstances) -> PollCause {
        var unknown: Int?
        var unknowns = 0
        for index in 0..<pendingCount {
            switch instances.role(of: pending[index].irq, device, port) {
            case .receives: return .interrupt(index)
            case .other: continue
            case .unknown:
                unknowns += 1
                unknown = index
            }
        }
        guard let unknown, !instances.hasReceiver(device, port) else { return .none }
        return unknowns == 1 ? .interrupt(unknown) : .unknown
    }

    /// A poll ended: the interrupt that asked for it is answered.
    mutating func polled(_ instance: UInt64, _ instances: inout NapiInstances) {
        // One interrupt, one poll: that speaks for their belonging together, unless the poll was asked for by an
        // interrupt before the recording.
        if pendingCount == 1, isSoftIRQKnown { instances.vote(pending[0].irq, instance) }
        var firstUnknown: Int?
        for index in 0..<pendingCount {
            let owner = instances.instance(of: pending[index].irq)
            if owner == instance {
                removePending(index)
                return
            }
            if owner == 0, firstUnknown == nil { firstUnknown = index }
        }
        // Polls come in the order they were asked for: good enough to answer one, not to learn from it.
        if let firstUnknown { removePending(firstUnknown) }
    }

    /// Whether an interrupt of this number has not been answered by a poll yet.
    func isPending(_ irq: Int32) -> Bool {
        for index in 0..<pendingCount where pending[index].irq == irq { return true }
        return false
    }

    mutating func removePending(_ index: Int) {
        for later in index + 1..<max(pendingCount, index + 1) { pending[later - 1] = pending[later] }
        pendingCount -= 1
    }

    // MARK: Carrying packets through the stack
    //
    // What only looks into an inline array is mutating all the same: a borrowed array of that kind is copied, with all
    // that it is part of.

    /// The stack is given a packet, by a thread or in softirq: until the next one, what leaves with its address is this
    /// packet.
    mutating func carry(_ flight: FlightID, _ mark: Mark) {
        carried = flight
        carrier = mark.actingThread
    }

    /// Whether the stack is still at work on a packet that it was given on this CPU.
    mutating func isCarrying(_ flight: FlightID, _ mark: Mark) -> Bool {
        if flight.isNone { return false }
        if carried == flight, carrier == mark.actingThread { return true }
        // It may take several before it handles the first.
        guard !mark.inThread, batchCount <= Self.mostBatched else { return false }
        for index in 0..<batchCount where batch[index] == flight { return true }
        return false
    }

    // MARK: Handing packets to drivers

    mutating func beginHandover(_ mark: Mark, _ flight: FlightID, port: PortID) {
        // More have begun than devices stack: ends were lost, and which ones is not known.
        if handoverCount == Self.mostStacked { handoverCount = 0 }
        handovers[handoverCount] = Handover(skb: mark.a, flight: flight, port: port, thread: mark.actingThread)
        handoverCount += 1
    }

    /// Whether a driver has been given the packet on this CPU, and has not returned.
    mutating func isHandingOver(_ flight: FlightID) -> Bool {
        for index in 0..<handoverCount where handovers[index].flight == flight { return true }
        return false
    }

    /// A thread enters or leaves a system call: whatever it handed over, the driver has returned, and no event said so.
    mutating func forgetHandovers(by thread: ThreadID, _ lost: (FlightID) -> Void) {
        while handoverCount > 0, handovers[handoverCount - 1].thread == thread {
            handoverCount -= 1
            lost(handovers[handoverCount].flight)
        }
    }

    /// The innermost packet being handed over.
    var handover: Handover? { handoverCount > 0 ? handovers[handoverCount - 1] : nil }

    mutating func endHandover(_ skb: UInt64) -> Handover? {
        for index in stride(from: handoverCount - 1, through: 0, by: -1) where handovers[index].skb == skb {
            let ended = handovers[index]
            handoverCount = index
            return ended
        }
        return nil
    }
}
