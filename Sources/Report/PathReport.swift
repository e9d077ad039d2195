// What a path is made of: its points, the events that mark them, and the stages between them.

package import PacketPath

/// Descriptions of paths, for people and for programs.
package struct PathReport {
    private let paths: [PathDescription]
    private let colour: Bool

    /// - Parameter colour: set headings off with terminal attributes.
    package init(_ paths: [PathDescription], colour: Bool = false) {
        self.paths = paths
        self.colour = colour
    }

    // MARK: Text

    package var text: String { paths.map(text).joined(separator: "\n") }

    private func text(_ path: PathDescription) -> String {
        var lines = ["\(path.name.strong(colour))   \(path.summary)"]
        for direction in Direction.allCases {
            lines += ["", (direction == .receive ? "RECEIVE" : "TRANSMIT").strong(colour)]
            lines.append(
                "  "
                    + ("point".column(15) + "".column(3) + "ends stage".column(15) + "owner".column(12) + "event").strong(colour))
            for rule in path.rules(direction) {
                lines.append(
                    "  " + rule.point.name.column(15) + (rule.isOptional ? "?" : "").column(3)
                        + (rule.stage?.name ?? "").column(15) + (rule.stage?.owner.name ?? "").column(12) + rule.summary)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A list of the paths, a line each.
    package var list: String {
        paths.map { "\($0.name.column(10))\($0.summary)\n" }.joined()
    }

    // MARK: JSON

    /// Schema 1.
    package func json() -> [UInt8] { JSONReport.encoded(Document(paths: paths.map(Path.init))) }

    private struct Document: Encodable {
        var schema = 1
        let paths: [Path]
    }

    private struct Path: Encodable {
        let name: String
        let summary: String
        let rx: [Rule]
        let tx: [Rule]

        init(_ path: PathDescription) {
            name = path.name
            summary = path.summary
            rx = path.receive.map { Rule($0, of: path) }
            tx = path.transmit.map { Rule($0, of: path) }
        }
    }

    private struct Rule: Encodable {
        let point: String
        let optional: Bool
        let stage: String?
        let owner: String?
        let events: [String]
        let summary: String

        init(_ rule: PointRule, of path: PathDescription) {
            point = rule.point.name
            optional = rule.isOptional
            stage = rule.stage?.name
            owner = rule.stage?.owner.name
            events = rule.events(ofHost: path.name == PathDescription.host.name)
            summary = rule.summary
        }

        enum CodingKeys: CodingKey { case point, optional, stage, owner, events, summary }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(point, forKey: .point)
            try values.encode(optional, forKey: .optional)
            // null, not absent, where no stage ends.
            try values.encode(stage, forKey: .stage)
            try values.encode(owner, forKey: .owner)
            try values.encode(events, forKey: .events)
            try values.encode(summary, forKey: .summary)
        }
    }
}
