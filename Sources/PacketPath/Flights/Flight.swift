// A packet on its way: the points it has passed so far, and what is known of it.

import ClockSync

/// Names a flight; stale once the flight is released, which `FlightTable` can tell.
struct FlightID: Equatable, BitwiseCopyable {
    var index: Int32
    var generation: UInt32

    static let none = FlightID(index: -1, generation: 0)
    @inline(__always) var isNone: Bool { index < 0 }
}

struct Flight {
    struct Flags: OptionSet {
        var rawValue: UInt32
        /// It was put on a guest's queue, or taken from one: it counts.
        static let seen = Flags(rawValue: 1)
        /// Events may be missing from its way.
        static let lost = Flags(rawValue: 2)
        /// Its place in the ring's order was contradicted.
        static let ambiguous = Flags(rawValue: 4)
        /// Only one half is known so far: the other one waits on its side of the ring.
        static let half = Flags(rawValue: 8)
        /// Joined by order, the order not yet proven.
        static let unconfirmed = Flags(rawValue: 16)
        /// Ended; kept until its identity is settled.
        static let ended = Flags(rawValue: 32)
        /// A tx packet that is queued in the guest and not yet with the driver.
        static let queued = Flags(rawValue: 64)
        /// The interrupt that brought it had brought another packet already.
        static let sharedInterrupt = Flags(rawValue: 128)
        /// The other machine's recording does not reach to where it began.
        static let cut = Flags(rawValue: 256)
        /// Counted in `VirtqueueOrder.counted`.
        static let owed = Flags(rawValue: 512)
        /// It was sent by a thread that may have entered its system call before the recording, or in a hole.
        static let callUnknown = Flags(rawValue: 1024)
        /// A packet of an established TCP connection.
        static let tcp = Flags(rawValue: 2048)
        /// A packet between the recorder and its agent: it would not be there if nobody measured.
        static let recorders = Flags(rawValue: 4096)
        /// It has no skb on the host (native XDP): its order alone tells it from others.
        static let bare = Flags(rawValue: 8192)
        /// Perhaps read as part of another packet, which could not be told.
        static let perhapsRead = Flags(rawValue: 16384)
        /// Read in the order of its socket, which is not proven yet.
        static let unproven = Flags(rawValue: 1 << 15)
        /// The stack freed it while it received it: what it was cut into is read in its place, or nothing is.
        static let split = Flags(rawValue: 1 << 16)
        /// The stack had it a second time, by a bridge or the like: the host itself was meant.
        static let up = Flags(rawValue: 1 << 17)
        /// Put on a guest's queue whose worker's copies are not recorded: it joins the ring's order when it is put on
        /// the queue.
        static let uncopied = Flags(rawValue: 1 << 18)
        /// One of several interrupts brought it to the guest, and which one is not known.
        static let interruptUnknown = Flags(rawValue: 1 << 21)
        /// It waits with others for the datagram that they make to be read.
        static let fragment = Flags(rawValue: 1 << 20)
        /// Given back by ovs-vswitchd while others like it were still waiting: that it is this one is not proven yet.
        static let givenBack = Flags(rawValue: 1 << 19)
    }

    var times = PointTimes()
    /// Address in the kernel that has it now; 0 when none does.
    var skb: UInt64 = 0
    /// With the Ethernet header.
    var length: Int32 = 0
    /// The same as the device has it that delivers it to the stack last, out of a tunnel for example.
    var delivered: Int32 = 0
    /// When that was.
    var deliveredAt = PointTimes.absent
    /// That device, by name.
    var deliverer: UInt16 = 0
    var direction = Direction.receive
    var delivery = Delivery.unknown
    var outcome = Outcome.complete
    var flags: Flags = []
    /// Machine in whose table `skb` stands.
    var machine = MachineID.host
    /// Lane of the CPU that polled it in the guest.
    var guestLane = LaneID.none
    /// The guest's queue on the host (its tap), by name.
    var device: UInt16 = 0
    /// The queue of that device it was put on, counted from 0.
    var pair: Int16 = 0
    /// Index of the interface an XDP program sent it to, 0 for none.
    var interface: Int32 = 0
    /// The host's NIC, by name; 0 while unknown.
    var nic: UInt16 = 0
    /// The guest queue it went through, none before that is known.
    var queue = QueueID.none
    /// The guest's network device, none before that is known.
    var port = PortID.none
    /// Thread that was woken when the packet was handed over on the host.
    var wokenThread = ThreadID.none
    /// The host thread that took it.
    var worker = ThreadIndex.none
    /// The thread that sent it, none where that is of no interest.
    var sender = ThreadIndex.none
    /// Vector of the interrupt that was injected for it, 0 when unknown.
    var vector: UInt8 = 0
    /// What its vCPU was doing when its interrupt was signalled.
    var vcpuState = VCPUState.unknown
    /// The host's part in its stages in the guest.
    var host = HostTimes()
    /// The guest's net_dev_xmit, for the case that the device turns out to be the guest's own.
    var handedOver = PointTimes.absent
    var dropReason: UInt32 = 0
    /// Its TCP connection (`Mark.connection`); 0 where that is not known.
    var connection: UInt32 = 0
    /// Address of the socket it was put on, 0 for none.
    var socket: UInt64 = 0
    /// Joins what a guest sent to what another one on this host received of it; 0 for none.
    var relay: UInt32 = 0
    var generation: UInt32 = 0
    var nextFree: Int32 = -1

    /// How it came if no interrupt is known to have brought it.
    var deliveryWithoutInterrupt: Delivery { flags.contains(.interruptUnknown) ? .unknown : .suppressed }
}
