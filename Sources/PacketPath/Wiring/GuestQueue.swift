// The two sides of a guest's virtio-net device.

import ClockSync

/// A queue pair of a guest as the host sees it: the tap or macvtap device and the worker that serves it.
struct GuestQueue {
    var path = PathKind.tap
    /// A packet has shown all of the way there is between NIC and device, so that the path will not turn out to be
    /// another.
    var isPathCertain = false
    /// Which of the device's queues it is, counted from 0; -1 while unknown.
    var pair: Int16 = -1
    /// Host device, by name; 0 for a macvtap that has sent nothing yet: receiving, it makes no event with its name.
    var device: UInt16
    /// Index of the interface, where XDP has told it; 0 while unknown.
    var interface: Int32 = 0
    /// Native XDP has put frames on it, and no event tells when the worker copies one.
    var hasFrames = false
    /// The host thread that serves it, none while unknown.
    var worker: ThreadIndex
    /// The guest's device, none while unknown.
    var port = PortID.none
    /// The order of the virtqueue of each direction, by `Direction.index`.
    var rings = InlineArray<2, VirtqueueOrder>(repeating: VirtqueueOrder())
    /// Nothing tells when its worker copies a packet: packets join the ring's order when they are put on the queue.
    var isCopiedUnseen = false
    /// When a packet was last copied to the guest …
    var lastCopy = PointTimes.absent
    /// … and when the worker last signalled or slept, so that all it had copied was on the ring.
    var lastPublished = PointTimes.absent
    /// Vector of the last signal, 0 when unknown.
    var vector: Int32 = 0
    /// The worker's last signals, oldest first; only kept where no event tells what it has copied.
    var signals: [WorkerSignal] = []
    /// Vector that was the only one of its signals to arrive before a packet without an skb: two such packets in a row
    /// tell the receive interrupt's.
    var soleVector: UInt8 = 0
    /// Copied and not yet signalled.
    var unsignalled = FlightQueue()
    /// Its worker looks at packets before it gives them to the guest, and may drop them without an event.
    var isFiltered = false
    /// Packets of several queues pass through it, and events do not say which are whose: there is no one order.
    var hasSeveralOrders = false

    init(device: UInt16, worker: ThreadIndex) {
        self.device = device
        self.worker = worker
    }

    /// So many are kept.
    private static let mostSignals = 16

    mutating func note(_ signal: WorkerSignal) {
        if signals.count == Self.mostSignals { signals.removeFirst() }
        signals.append(signal)
    }

    func hasSignalled(_ vector: Int32) -> Bool { signals.contains { Int32($0.vector) == vector } }

    /// The queue of a macvtap, known by its worker alone.
    init(macvtapOf worker: ThreadIndex) {
        self.init(device: 0, worker: worker)
        path = .macvtap
    }
}

/// A vhost worker tells KVM to interrupt its guest.
struct WorkerSignal: BitwiseCopyable {
    var time: Nanoseconds
    var vector: UInt8
}

/// A queue pair of a guest's network device as the guest sees it.
struct GuestPort {
    var machine: MachineID
    /// Guest device, by name.
    var device: UInt16
    /// Which of its queues, counted from 0.
    var pair: Int16
    /// The queue it is joined to, none while unknown.
    var queue = QueueID.none
    /// Packets received before the queue was known.
    var takens = FlightQueue()
    /// Packets sent before the queue was known.
    var puts = FlightQueue()
    var lastIngress = PointTimes.absent
    /// When its worker had last signalled or slept then.
    var publishedAtIngress = PointTimes.absent
    /// When a poll last ended with the ring empty.
    var lastEmptied = PointTimes.absent
    /// Packets that were let go because no queue turned up for them.
    var unclaimed = 0
    /// Whether the device is the guest's own.
    var passage = Passage.none

    enum Passage {
        /// Not known to be.
        case none
        /// Its interrupts pass through the host.
        case visible
        /// Its interrupts reach the guest without the host: it has never had one.
        case posted
    }

    init(machine: MachineID, device: UInt16, pair: Int16) {
        self.machine = machine
        self.device = device
        self.pair = pair
    }
}

/// A vCPU thread and the guest it runs.
struct VCPU {
    /// On the host.
    var thread: ThreadIndex
    /// None while unknown.
    var guest: MachineID
    /// `vcpu_id` in KVM's events, -1 where they have none.
    var number: Int32
    /// The guest's CPU that it is, none while unknown.
    var lane = LaneID.none
    /// Between kvm_entry and kvm_exit; only meaningful when `isKnown`: once a kvm_entry has been seen.
    var isInGuest = false
    var isKnown = false
    var lastExit = PointTimes.absent
    /// Vector injected since the last exit, for the entry to come.
    var injected: Int32 = 0
    /// Packet whose notification caused the exit being handled.
    var doorbell = FlightID.none
    var doorbellPort = PortID.none
}
