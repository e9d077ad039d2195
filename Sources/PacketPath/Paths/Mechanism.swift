// How a point is found. The mechanisms are the tracker's; which of them a path uses, on which events, is the path's.

package enum Mechanism: Sendable {
    /// The hardware interrupt whose handler raised NET_RX on the CPU that then polled the packet in.
    case raisingInterrupt
    /// The first event of a new skb on a NIC: its identity in this kernel begins.
    case arrival
    /// The same skb, until it is freed.
    case sameSKB
    /// The same skb is put on the queue of a guest.
    case queued
    /// The same skb is taken from the queue by the thread that serves it.
    case taken
    /// A thread is woken on the same CPU while the packet is being handed to it.
    case wakeInside
    /// The thread that handles the packet next gets a CPU; absent when it had one already.
    case switchIn
    /// The serving thread signals the guest after handling the packet.
    case signal
    /// The vCPU enters the guest with the interrupt.
    case entry
    /// The packet's place in the virtqueue's order, confirmed by its length.
    case ringOrder
    /// The skb is copied or consumed in a thread's own context.
    case consumed
    /// The thread entered a sending system call and is still in it when the skb is queued.
    case systemCall
    /// The VM exit of the notification written while the driver sent the packet.
    case doorbell
    /// The first event of the packet in the kernel it is read in, where no ring is crossed to get there.
    case handedOver
    /// The same skb in Open vSwitch; after a miss another one, told by its device and length.
    case datapath
    /// The frame's XDP program says where it goes; without an skb it is known by its order alone.
    case redirected
}

extension Mechanism {
    /// How many of a point's marks have to be in a recording for the point to be found.
    private enum Need {
        case all, any
        /// The others are no more than a substitute.
        case first
        case none
    }

    private func need(isOptional: Bool) -> Need {
        switch self {
        case .raisingInterrupt, .entry, .doorbell, .systemCall: .all
        case .signal: .first
        // Not on every way that a path can take.
        case .redirected, .datapath: .none
        case .taken: isOptional ? .none : .any
        case .arrival, .sameSKB, .queued, .wakeInside, .switchIn, .ringOrder, .consumed, .handedOver: .any
        }
    }

    /// Kinds of marks without which it never finds a point, on a machine that has none of those in `isAbsent`.
    /// - Parameters:
    ///   - marks: those that can make the point, the preferred one first.
    ///   - isOptional: a journey is complete without the point.
    func missing(of marks: [MarkKind], isOptional: Bool, _ isAbsent: (MarkKind) -> Bool) -> [MarkKind] {
        switch need(isOptional: isOptional) {
        case .all: marks.filter(isAbsent)
        case .first: marks.prefix(1).filter(isAbsent)
        case .any: marks.allSatisfy(isAbsent) ? Array(marks.prefix(1)) : []
        case .none: []
        }
    }
}
