// What paths are made of, machine-readable, schema 1. `schema` is raised on any change to it.

import Notation
package import PacketPath

package enum PathJSON {
    package static let schema = 1

    /// As UTF-8 with a newline at the end.
    package static func bytes(_ paths: [PathDescription]) -> [UInt8] {
        JSONReport.encoded(Document(paths: paths.map { Path($0) }))
    }

    private struct Document: Encodable {
        let schema = PathJSON.schema
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
        /// Nil where no stage ends.
        @Nullable var stage: String?
        @Nullable var owner: String?
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
    }
}
