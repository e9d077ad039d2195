// The grammar of a path: which point follows which, by what mechanism, on which events. The tracker is its
// hand-written parser: describing a path does not make it followed, and only tests hold the two together.

package import GuestClocks
import TraceData

/// One point of a path.
package struct PointRule: Sendable {
    package var point: Point
    package var mechanism: Mechanism
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
        _ point: Point, _ mechanism: Mechanism, _ marks: [MarkKind], of role: MachineRole? = nil,
        optional: Bool = false,
        ends stage: Stage? = nil, _ summary: String
    ) {
        self.point = point
        self.role = role ?? (point.isGuests ? .guest : .host)
        self.mechanism = mechanism
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
        for query in marks.flatMap({ $0.queries(role, ofHost: ofHost) }) where !events.contains(query.event) {
            events.append(query.event)
        }
        return events
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
