// A path is described, not programmed: which point follows which, what event marks it, and by which mechanism it is found.

import TraceData

/// How a point is found. The mechanisms are the tracker's; which of them a path uses, on which events, is the path's.
package enum Finding: Sendable {
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

/// One point of a path.
package struct PointRule: Sendable {
    package var point: Point
    package var finding: Finding
    /// Marks that can make the point, the preferred one first.
    package var marks: [MarkKind]
    /// A journey is complete without it.
    package var isOptional: Bool
    /// Set where a stage ends at this point.
    package var stage: Stage?
    /// Whose events mark it.
    package var role: MachineRole
    /// For people: which event this is.
    package var summary: String

    /// - Parameter role: whose events mark it; nil for what the point's name says.
    package init(
        _ point: Point, _ finding: Finding, _ marks: [MarkKind], of role: MachineRole? = nil, optional: Bool = false,
        ends stage: Stage? = nil, _ summary: String
    ) {
        self.point = point
        self.role = role ?? (point.isGuests ? .guest : .host)
        self.finding = finding
        self.marks = marks
        isOptional = optional
        self.stage = stage
        self.summary = summary
    }
}

extension PointRule {
    /// Kernel events that can make the point.
    package func events(ofHost: Bool) -> [String] {
        var events: [String] = []
        for query in marks.flatMap({ $0.queries(role, ofHost: ofHost) }) where !events.contains(query.event) { events.append(query.event) }
        return events
    }

    /// Kinds of marks without which the point is never found, on a machine that has none of those in `isAbsent`.
    func missing(_ isAbsent: (MarkKind) -> Bool) -> [MarkKind] {
        switch finding {
        case .raisingInterrupt, .entry, .doorbell, .systemCall: marks.filter(isAbsent)
        // The others are no more than a substitute.
        case .signal: marks.prefix(1).filter(isAbsent)
        // Not on every way that a path can take.
        case .redirected, .datapath: []
        case .taken where isOptional: []
        // Any of them will do.
        default: marks.allSatisfy(isAbsent) ? Array(marks.prefix(1)) : []
        }
    }
}

/// A point in its place on a path.
package struct Waypoint: BitwiseCopyable, Sendable {
    package var point: Point
    package var isOptional: Bool
    package var endsStage: Bool
}

/// The interval that ends at a point.
package struct Stage: Sendable, Equatable {
    package var name: String
    package var owner: Owner
    /// Begins on one machine and ends on another, so the error of the clocks is in it.
    package var crossesMachines: Bool

    package init(_ name: String, _ owner: Owner, crosses: Bool = false) {
        self.name = name
        self.owner = owner
        crossesMachines = crosses
    }
}

/// Which of the paths a queue, and every packet through it, takes.
package enum PathKind: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case tap, macvtap, ovs, xdp, qemu, vfio, host

    package var description: PathDescription {
        switch self {
        case .tap: .tap
        case .macvtap: .macvtap
        case .ovs: .ovs
        case .xdp: .xdp
        case .qemu: .qemu
        case .vfio: .vfio
        case .host: .host
        }
    }

    package var name: String { description.name }
    package var index: Int { Int(rawValue) }
}

/// A kind of plumbing between NIC and guest.
package struct PathDescription: Sendable {
    /// All that are followed.
    package static let all = PathKind.allCases.map(\.description)

    package var name: String
    package var summary: String
    package var receive: [PointRule]
    package var transmit: [PointRule]

    package func rules(_ direction: Direction) -> [PointRule] { direction == .receive ? receive : transmit }

    /// The rules as they are needed for every journey, without what only people read.
    package func waypoints(_ direction: Direction) -> [Waypoint] {
        rules(direction).map { Waypoint(point: $0.point, isOptional: $0.isOptional, endsStage: $0.stage != nil) }
    }

    /// All marks the path is made of.
    package var marks: Set<MarkKind> { Set((receive + transmit).flatMap(\.marks)) }
}

/// The waypoints of every path that is followed, made once.
package struct PathTable: Sendable {
    private let waypoints = PathDescription.all.map { path in Direction.allCases.map { path.waypoints($0) } }

    package init() {}

    package subscript(path: PathKind, direction: Direction) -> [Waypoint] { waypoints[path.index][direction.index] }
}
