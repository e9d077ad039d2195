// Arms made up in code: sessions of one guest on one path, whose journeys have the stages they are given.

package import Findings
package import PacketPath
import Statistics

package struct MadeFlow {
    package var machine: String
    package var direction: Direction
    package var path: PathKind
    /// A journey's stages by name, ns; its end-to-end time is their sum.
    package var journeys: [[String: Int64]]
    package var incomplete: Int
    package var length: Int64

    package init(
        machine: String = "g3", direction: Direction = .receive, path: PathKind = .tap, journeys: [[String: Int64]],
        incomplete: Int = 0, length: Int64 = 106
    ) {
        self.machine = machine
        self.direction = direction
        self.path = path
        self.journeys = journeys
        self.incomplete = incomplete
        self.length = length
    }

    package var flow: ComparedFlow {
        var flow = ComparedFlow(machine: machine, direction: direction, path: path)
        flow.seen = journeys.count + incomplete
        for journey in journeys {
            flow.endToEnd.append(journey.values.reduce(0, +))
            flow.lengths.add(length)
            for index in flow.stages.indices {
                if let time = journey[flow.stages[index].stage.name] { flow.stages[index].samples.append(time) }
            }
        }
        flow.span = 0...Int64(journeys.count) * 10_000_000
        return flow
    }
}

/// An arm of one session for each list of flows.
package func arm(_ name: String, _ sessions: [MadeFlow]...) -> ComparedArm {
    ComparedArm(
        name: name,
        sessions: sessions.enumerated().map { ComparedSession(name: "\(name)-\($0)", flows: $1.map(\.flow)) })
}

/// So many journeys whose two stages swing around means of their own, the second one absent from every fourth.
package func journeys(_ count: Int, irq: Int64 = 20_000, wakeup: Int64 = 50_000) -> [[String: Int64]] {
    (0..<count).map { index in
        // Neither has a period that a stretch could follow.
        let swing = Int64((index * 7919) % 1013)
        var stages = ["irq": irq + swing]
        if index % 4 != 3 { stages["vhost-wakeup"] = wakeup + swing * 3 }
        return stages
    }
}

/// Two arms, the second of which has an irq stage that is 2 µs slower.
package func slowerInterrupts() -> Comparison {
    let sent = MadeFlow(direction: .transmit, journeys: journeys(200))
    return Comparison(
        [
            arm("a", [MadeFlow(journeys: journeys(200)), sent]),
            arm("b", [MadeFlow(journeys: journeys(200, irq: 22_000)), sent]),
        ], seed: 1)
}
