// The columns of a table of journeys: the one place that says what each is called, what it holds and where that comes
// from.

package import PacketPath
package import TraceData

/// One column of `--packets`. The header, the rows and Documentation/packets.md are made of these.
package struct JourneyColumn: Sendable {
    package enum Kind: String, Sendable {
        /// A name, as a person or the kernel gave it.
        case name
        /// One of a few words.
        case word
        case integer
        /// Host time; empty where the packet did not pass the point.
        case time
    }

    package enum Unit: String, Sendable {
        case none = ""
        case bytes
        case nanoseconds = "ns"
    }

    /// How a cell is read out of a journey: a plain call for each, since a table has millions of cells.
    package enum Value: Sendable {
        case name(@Sendable (borrowing Journey, borrowing JourneyNames) -> String)
        case word(@Sendable (borrowing Journey) -> String)
        case integer(@Sendable (borrowing Journey) -> Int)
        case time(Point)
    }

    package let name: String
    package let unit: Unit
    package let value: Value
    /// One line.
    package let summary: String

    package var kind: Kind {
        switch value {
        case .name: .name
        case .word: .word
        case .integer: .integer
        case .time: .time
        }
    }
}

/// Names for the numbers in journeys.
package struct JourneyNames: Sendable {
    package let machines: [String]
    package let devices: NameTable

    package init(machines: [String], devices: NameTable) {
        self.machines = machines
        self.devices = devices
    }
}

package enum JourneyColumns {
    /// In the order of the table.
    package static let all = facts + points

    private static let facts = [
        JourneyColumn(
            name: "machine", unit: .none, value: .name { $1.machines[$0.machine] },
            summary: "the guest; the host on path `host`"),
        JourneyColumn(
            name: "device", unit: .none, value: .name { $1.devices.name($0.device) },
            summary: "the guest's device; the host's NIC on path `host`"),
        JourneyColumn(
            name: "direction", unit: .none, value: .word { $0.direction.name },
            summary: "`rx` to the application, `tx` from it"),
        JourneyColumn(
            name: "path", unit: .none, value: .word { $0.path.name },
            summary: "which plumbing it took; `virtlat paths` lists them"),
        JourneyColumn(
            name: "queue", unit: .none, value: .integer { $0.queue }, summary: "the device's queue pair, from 0"),
        JourneyColumn(name: "length", unit: .bytes, value: .integer { $0.length }, summary: "with the Ethernet header"),
        JourneyColumn(
            name: "status", unit: .none, value: .word { $0.outcome == .complete ? "complete" : "incomplete" },
            summary: "`complete` or `incomplete`"),
        JourneyColumn(
            name: "reason", unit: .none, value: .word { $0.outcome == .complete ? "" : $0.outcome.name },
            summary: "why it is incomplete: "
                + Outcome.allCases.filter { $0 != .complete }.map { "`\($0.name)`" }.joined(separator: ", ")),
        JourneyColumn(
            name: "delivery", unit: .none,
            value: .word { $0.isDelivered || $0.delivery != .unknown ? $0.delivery.name : "" },
            summary: "how a complete received packet's interrupt came: "
                + Delivery.allCases.map { "`\($0.name)`" }.joined(separator: ", ")),
    ]

    private static let points = Point.allCases.map { point in
        JourneyColumn(name: point.name, unit: .nanoseconds, value: .time(point), summary: summary(point))
    }

    /// What marks a point, in the words of the first path that has it.
    private static func summary(_ point: Point) -> String {
        for path in PathDescription.all {
            for rule in path.receive + path.transmit where rule.point == point { return rule.summary }
        }
        return ""
    }
}
