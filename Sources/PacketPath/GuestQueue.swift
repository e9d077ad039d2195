// The two sides of a guest's virtio-net device, and the order that joins them.

import ClockSync

/// Flights in the order they came.
struct FlightQueue {
    private var items: [FlightID] = []
    private var head = 0

    var count: Int { items.count - head }
    var isEmpty: Bool { head == items.count }
    var first: FlightID? { isEmpty ? nil : items[head] }
    subscript(index: Int) -> FlightID { items[head + index] }

    /// The newest are looked at first: they are what is asked for.
    func contains(_ id: FlightID) -> Bool { items[head...].lastIndex(of: id) != nil }

    mutating func append(_ id: FlightID) { items.append(id) }

    mutating func popFirst() -> FlightID? {
        guard head < items.count else { return nil }
        let id = items[head]
        head += 1
        if head == items.count {
            items.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 4096 {
            items.removeFirst(head)
            head = 0
        }
        return id
    }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        head = 0
    }

    /// Takes out the newest occurrence of `id`.
    mutating func removeLast(_ id: FlightID) {
        if let index = items[head...].lastIndex(of: id) { items.remove(at: index) }
    }
}

/// One virtqueue: packets put on one side are taken from the other in the same order.
///
/// Order alone joins the two sides, so it must be proven: whenever the ring is known to be empty, nothing may be
/// left over. At the start of a recording and after a hole the sides are collected until such a moment comes, and
/// then joined from the end backwards.
struct RingOrder {
    /// Put on the ring and not yet taken.
    var puts = FlightQueue()
    /// Taken from the ring while it was not known which put they are.
    var takens = FlightQueue()
    /// Joined since the ring was last known to be empty.
    var unconfirmed = FlightQueue()
    /// The order is known: the next one taken is the first one put.
    var isSynced = false
    /// What becomes of packets that have no partner when the order is found.
    var leftover = Outcome.traceEdge
    /// Packets that were taken but, as far as recorded, never put count as packets of their own. Not so after a hole
    /// on the taking side only: then every packet has been counted where it was put.
    var countsTakens = true
    /// Packets that were counted as put when the order broke, and whose other halves are still to come.
    var counted = 0
    /// When the last one was taken.
    var lastTaken = PointTimes.absent

    /// So many flights wait for a proof at the most; a ring that never runs empty is believed without.
    static let mostWaiting = 4096
}

/// A queue pair of a guest as the host sees it: the tap or macvtap device and the worker that serves it.
struct GuestQueue {
    var path = PathKind.tap
    /// A packet has shown all of the way there is between NIC and device, so that the path will not turn out to be another.
    var isPathCertain = false
    /// Which of the device's queues it is, counted from 0; -1 while unknown.
    var pair: Int16 = -1
    /// Host device, by name; 0 for a macvtap that has sent nothing yet: receiving, it makes no event with its name.
    var device: UInt16
    /// Index of the interface, where XDP has told it; 0 while unknown.
    var interface: Int32 = 0
    /// Native XDP has put frames on it, and no event tells when the worker copies one.
    var hasFrames = false
    /// Index of the host thread that serves it, -1 while unknown.
    var worker: Int32
    /// Index of the guest's device, -1 while unknown.
    var port: Int16 = -1
    /// The virtqueue of each direction, by `Direction.index`.
    var rings = InlineArray<2, RingOrder>(repeating: RingOrder())
    /// Nothing tells when its worker copies a packet: packets join the ring's order when they are put on the queue.
    var isCopiedUnseen = false
    /// When a packet was last copied to the guest …
    var lastCopy = PointTimes.absent
    /// … and when the worker last signalled or slept, so that all it had copied was on the ring.
    var lastSettled = PointTimes.absent
    /// Vector of the last signal, 0 when unknown.
    var vector: Int32 = 0
    /// The worker's last signals, oldest first; only kept where no event tells what it has copied.
    var signals: [WorkerSignal] = []
    /// Vector that was the only one of its signals to arrive before a packet without an skb: two such packets in a row tell the receive interrupt's.
    var soleVector: UInt8 = 0
    /// Copied and not yet signalled.
    var unsignalled = FlightQueue()
    /// Its worker looks at packets before it gives them to the guest, and may drop them without an event.
    var isFiltered = false
    /// Packets of several queues pass through it, and events do not say which are whose: there is no one order.
    var hasSeveralOrders = false

    init(device: UInt16, worker: Int32) {
        self.device = device
        self.worker = worker
    }

    mutating func note(_ signal: WorkerSignal) {
        if signals.count == 16 { signals.removeFirst() }
        signals.append(signal)
    }

    func hasSignalled(_ vector: Int32) -> Bool { signals.contains { Int32($0.vector) == vector } }

    /// The queue of a macvtap, known by its worker alone.
    init(macvtapOf worker: Int32) {
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
    var machine: UInt8
    /// Guest device, by name.
    var device: UInt16
    /// Which of its queues, counted from 0.
    var pair: Int16
    /// Index of the queue it is joined to, -1 while unknown.
    var queue: Int16 = -1
    /// Packets received before the queue was known.
    var takens = FlightQueue()
    /// Packets sent before the queue was known.
    var puts = FlightQueue()
    var lastIngress = PointTimes.absent
    /// When the queue's worker had last settled then.
    var settledAtIngress = PointTimes.absent
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

    init(machine: UInt8, device: UInt16, pair: Int16) {
        self.machine = machine
        self.device = device
        self.pair = pair
    }
}

/// A vCPU thread and the guest it runs.
struct VCPU {
    /// Index of the host thread.
    var thread: Int32
    /// Guest machine, -1 while unknown.
    var guest: Int16
    /// `vcpu_id` in KVM's events, -1 where they have none.
    var number: Int32
    /// Lane of the guest CPU it is, -1 while unknown.
    var lane: Int32 = -1
    /// Between kvm_entry and kvm_exit; only meaningful when `isKnown`: once a kvm_entry has been seen.
    var isInGuest = false
    var isKnown = false
    var lastExit = PointTimes.absent
    /// Vector injected since the last exit, for the entry to come.
    var injected: Int32 = 0
    /// Packet whose notification caused the exit being handled.
    var doorbell = FlightID.none
    var doorbellPort: Int16 = -1
}
