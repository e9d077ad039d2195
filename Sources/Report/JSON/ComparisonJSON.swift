// The machine-readable comparison, schema 2. `schema` is raised on any change to it.

package import Findings
import Notation
import PacketPath
import Statistics

package enum ComparisonJSON {
    package static let schema = 2

    /// The comparison as UTF-8 with a newline at the end.
    package static func bytes(_ comparison: Comparison) -> [UInt8] { JSONReport.encoded(Document(comparison)) }

    private struct Document: Encodable {
        let schema = ComparisonJSON.schema
        let arms: [Arm]
        let flows: [FlowValue]
        let warnings: [String]

        init(_ comparison: Comparison) {
            arms = comparison.arms.map { Arm(name: $0.name, sessions: $0.sessions.map(\.name), journeys: $0.journeys) }
            let names = comparison.arms.map(\.name)
            flows = comparison.flows.map { FlowValue($0, names) }
            warnings = comparison.warnings.map(\.text)
        }
    }

    private struct Arm: Encodable {
        let name: String
        let sessions: [String]
        let journeys: Int
    }

    private struct FlowValue: Encodable {
        let machine: String
        let direction: String
        let path: String
        let from_driver: Bool
        let end_to_end: Row
        let stages: [StageRow]

        init(_ flow: FlowComparison, _ names: [String]) {
            machine = flow.machine
            direction = flow.direction.name
            path = flow.path
            from_driver = flow.isFromDriver
            end_to_end = Row(flow.endToEnd, names)
            stages = flow.stages.map {
                StageRow(stage: $0.stage.name, owner: $0.stage.owner.name, row: Row($0.row, names))
            }
        }
    }

    private struct Row: Encodable {
        let arms: [ArmValue]
        let versus_first: [Versus]

        init(_ row: ComparedRow, _ names: [String]) {
            arms = zip(names, row.arms).map { ArmValue(name: $0, value: $1) }
            versus_first = zip(names.dropFirst(), row.versusFirst).map { Versus(arm: $0, comparison: $1) }
        }
    }

    /// A stage's own keys and its row's, side by side in one object.
    private struct StageRow: Encodable {
        let stage: String
        let owner: String
        let row: Row

        enum CodingKeys: CodingKey { case stage, owner }

        func encode(to encoder: any Encoder) throws {
            try row.encode(to: encoder)
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(stage, forKey: .stage)
            try values.encode(owner, forKey: .owner)
        }
    }

    private struct ArmValue: Encodable {
        let name: String
        let value: ComparedRow.ArmValue

        enum CodingKeys: CodingKey { case name, contribution_ns }

        func encode(to encoder: any Encoder) throws {
            try JSONReport.SummaryValue(value.summary).encode(to: encoder)
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(name, forKey: .name)
            try values.encode(value.contribution, forKey: .contribution_ns)
        }
    }

    private struct Versus: Encodable {
        let arm: String
        // Null where there are too few packets.
        @Nullable var difference_ns: Double?
        @Nullable var ci95_ns: [Double]?
        @Nullable var p_value: Double?
        @Nullable var effect: Double?
        let verdict: String

        init(arm: String, comparison: SampleComparison) {
            self.arm = arm
            difference_ns = comparison.difference
            ci95_ns = comparison.interval.map { [$0.lowerBound, $0.upperBound] }
            p_value = comparison.pValue
            effect = comparison.delta
            verdict = comparison.verdict.rawValue
        }
    }
}
