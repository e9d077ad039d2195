// Rows of --packets, and the paths they must follow as the design gives them, written down once more without looking at
// the program.

import Export
import Testing

/// The order of a direction's points, which of them end a stage, and which no complete journey is without.
struct PathGrammar: Sendable {
    struct Step: Sendable {
        var point: String
        /// The stage that ends here and who it belongs to.
        var stage: (name: String, owner: String)?
        var isRequired = false
    }

    var steps: [Step]

    static func of(_ direction: String) -> PathGrammar { direction == "rx" ? receive : transmit }

    static let receive = PathGrammar(steps: [
        Step(point: "nic.irq"),
        // Where a thread handles the interrupt.
        Step(point: "nic.wake"),
        Step(point: "nic.run", stage: ("irq-wakeup", "irq")),
        Step(point: "host.ingress", stage: ("irq", "irq")),
        Step(point: "host.egress", stage: ("host-stack", "host-stack"), isRequired: true),
        Step(point: "vhost.wake"),
        Step(point: "vhost.run", stage: ("vhost-wakeup", "vhost")),
        Step(point: "vhost.copy", stage: ("vhost-copy", "vhost"), isRequired: true),
        Step(point: "irq.inject", stage: ("vhost-signal", "vhost")),
        Step(point: "vcpu.wake"),
        Step(point: "vcpu.run", stage: ("kvm-wakeup", "kvm")),
        Step(point: "vcpu.entry", stage: ("kvm-entry", "kvm")),
        Step(point: "guest.irq"),
        Step(point: "guest.ingress", stage: ("guest-irq", "guest"), isRequired: true),
        Step(point: "guest.wake", stage: ("guest-stack", "guest")),
        Step(point: "guest.run", stage: ("app-wakeup", "app")),
        Step(point: "guest.read", stage: ("app-read", "app"), isRequired: true),
    ])

    static let transmit = PathGrammar(steps: [
        Step(point: "guest.send"),
        Step(point: "guest.egress", stage: ("guest-stack", "guest"), isRequired: true),
        Step(point: "kick", stage: ("guest-exit", "kvm")),
        Step(point: "vhost.wake", stage: ("kick", "kvm")),
        Step(point: "vhost.run", stage: ("vhost-wakeup", "vhost")),
        Step(point: "host.ingress", stage: ("vhost-copy", "vhost"), isRequired: true),
        Step(point: "host.egress", stage: ("host-stack", "host-stack"), isRequired: true),
        Step(point: "nic.xmit", stage: ("nic", "host-stack"), isRequired: true),
    ])

    static let points: Set<String> = Set((receive.steps + transmit.steps).map(\.point))
    static let reasons: Set<String> = [
        "trace-edge", "lost-events", "kernel-consumed", "dropped", "ambiguous", "not-recorded",
    ]
    static let deliveries: Set<String> = [
        "woken", "halt-poll", "kick", "preempted", "posted", "suppressed", "coalesced", "unknown",
    ]
}

/// One journey as --packets writes it.
struct JourneyRow: Sendable {
    var machine: String
    var device: String
    var direction: String
    var path: String
    var queue: Int64
    var length: Int64
    var status: String
    var reason: String
    var delivery: String
    /// Host time (ns) of the points it passed.
    var times: [String: Int64] = [:]
    /// The line itself.
    var text: String

    var isComplete: Bool { status == "complete" }
    var grammar: PathGrammar { .of(direction) }

    /// The points it passed, in the order of its path.
    var way: [(point: String, time: Int64)] {
        grammar.steps.compactMap { step in times[step.point].map { (step.point, $0) } }
    }

    /// The stages of a complete journey: an absent point's time belongs to the next stage that has an end.
    var stages: [(name: String, length: Int64)] {
        var stages: [(String, Int64)] = []
        var begin: Int64?
        for step in grammar.steps {
            guard let time = times[step.point] else { continue }
            guard let start = begin else {
                begin = time
                continue
            }
            guard let stage = step.stage else { continue }
            stages.append((stage.name, time - start))
            begin = time
        }
        return stages
    }

    /// All rows of a packet table.
    static func rows(_ text: String) throws -> [JourneyRow] {
        let table = Table(text)
        return try table.rows.map { cells in
            var row = JourneyRow(
                machine: try table.word(cells, "machine"), device: try table.word(cells, "device"),
                direction: try table.word(cells, "direction"), path: try table.word(cells, "path"),
                queue: try table.number(cells, "queue"), length: try table.number(cells, "length"),
                status: try table.word(cells, "status"), reason: try table.word(cells, "reason"),
                delivery: try table.word(cells, "delivery"), text: cells.joined(separator: ","))
            for column in JourneyColumns.all where column.kind == .time {
                if try !table.word(cells, column.name).isEmpty {
                    row.times[column.name] = try table.number(cells, column.name)
                }
            }
            return row
        }
    }
}
