// What a path is made of, for people: its points, the events that mark them, and the stages between them.

package import PacketPath

package struct PathText {
    private let paths: [PathDescription]
    private let colour: Bool

    /// - Parameter colour: set headings off with terminal attributes.
    package init(_ paths: [PathDescription], colour: Bool = false) {
        self.paths = paths
        self.colour = colour
    }

    package var text: String { paths.map(text).joined(separator: "\n") }

    private func text(_ path: PathDescription) -> String {
        var lines = ["\(path.name.strong(colour))   \(path.summary)"]
        for direction in Direction.allCases {
            lines += ["", (direction == .receive ? "RECEIVE" : "TRANSMIT").strong(colour)]
            lines.append(
                "  "
                    + ("point".column(15) + "".column(3) + "ends stage".column(15) + "owner".column(12) + "event")
                    .strong(colour))
            for rule in path.rules(direction) {
                lines.append(
                    "  " + rule.point.name.column(15) + (rule.isOptional ? "?" : "").column(3)
                        + (rule.stage?.name ?? "").column(15) + (rule.stage?.owner.name ?? "").column(12) + rule.summary
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A list of the paths, a line each.
    package var list: String {
        paths.map { "\($0.name.column(10))\($0.summary)\n" }.joined()
    }
}
