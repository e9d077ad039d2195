// The machine-readable explanation, schema 1. `schema` is raised on any change to it.

package import Findings
import GuestClocks
import Notation
import PacketPath
import Statistics
import TraceData

package enum ExplainJSON {
    package static let schema = 1

    /// The explanation as UTF-8 with a newline at the end.
    /// - Parameter worst: so many of the slowest packets are shown of each flow.
    package static func bytes(_ explanation: Explanation, worst: Int) -> [UInt8] {
        JSONReport.encoded(Document(explanation, worst))
    }

    private struct Document: Encodable {
        let schema = ExplainJSON.schema
        let session: String
        let flows: [FlowValue]
        let points: [PassageValue]

        init(_ explanation: Explanation, _ worst: Int) {
            session = explanation.findings.session
            points = explanation.passages.map(PassageValue.init)
            flows = explanation.tails.map { FlowValue(explanation, $0, worst) }
        }
    }

    private struct FlowValue: Encodable {
        let machine: String
        let device: String
        let direction: String
        let path: String
        @Nullable var above_ns: Int64?
        @Nullable var above_stage: String?
        let slow: Int
        let others: Int
        let stages: [StageValue]
        let when: [PatternValue]
        let shared: [SharedValue]
        let packets: [PacketValue]

        init(_ explanation: Explanation, _ tail: Tail, _ worst: Int) {
            machine = explanation.findings.machines[tail.flow.machine].name
            device = explanation.findings.names.name(tail.flow.device)
            direction = tail.flow.direction.name
            path = tail.flow.path.name
            above_ns = explanation.question.packet == nil ? tail.limit : nil
            above_stage = tail.stage?.name
            slow = tail.packets.count
            others = tail.others
            stages = tail.stages.map(StageValue.init)
            when = tail.patterns.map(PatternValue.init)
            shared = tail.shared.map {
                SharedValue(
                    trait: explanation.text(of: $0.trait), slow: $0.slow, others: $0.others, p_value: $0.pValue)
            }
            packets = tail.slowest.prefix(worst).map { PacketValue(explanation, $0, tail) }
        }
    }

    private struct PassageValue: Encodable {
        let point: String
        let time_ns: Int64
        let machine: String
        @Nullable var cpu: Int?
        @Nullable var thread: Int32?
        @Nullable var command: String?
        let events: [String]

        init(_ passage: Passage) {
            point = passage.point.name
            time_ns = passage.time
            machine = passage.machine
            cpu = passage.cpu
            thread = passage.thread?.id
            command = passage.thread?.name
            events = passage.events
        }
    }

    private struct StageValue: Encodable {
        let stage: String
        let owner: String
        let usual_ns: Int64
        @Nullable var slow_ns: Int64?
        let share: Double
        @Nullable var share_of_excess: Double?
        @Nullable var ci95: [Double]?
        @Nullable var lift: Double?

        init(_ stage: TailStage) {
            self.stage = stage.stage.name
            owner = stage.stage.owner.name
            usual_ns = stage.usual
            slow_ns = stage.slow
            share = stage.share
            share_of_excess = stage.ofExcess?.value
            ci95 = stage.ofExcess?.interval.map { [$0.lowerBound, $0.upperBound] }
            lift = stage.lift
        }
    }

    private struct PatternValue: Encodable {
        let pattern: String
        let p_value: Double
        var slow: Int?
        var share_of_packets: Double?
        var bursts: Int?
        var expected_bursts: Double?
        var longest: Int?
        var period_ns: Double?
        var strength: Double?

        init(_ pattern: TailPattern) {
            switch pattern {
            case .start(let slow, let share, let p):
                self.pattern = "start"
                p_value = p
                self.slow = slow
                share_of_packets = share
            case .bursts(let count, let expected, let longest, let p):
                self.pattern = "bursts"
                p_value = p
                bursts = count
                expected_bursts = expected
                self.longest = longest
            case .period(let found):
                self.pattern = "period"
                p_value = found.pValue
                period_ns = found.period
                strength = found.strength
            }
        }
    }

    private struct SharedValue: Encodable {
        let trait: String
        let slow: Int
        let others: Int
        let p_value: Double
    }

    private struct PacketValue: Encodable {
        struct StageTime: Encodable {
            let stage: String
            let time_ns: Int64
            let excess_ns: Int64
        }

        let number: Int
        let begin_ns: Int64
        let total_ns: Int64
        let traits: [String]
        let stages: [StageTime]

        init(_ explanation: Explanation, _ packet: SlowPacket, _ tail: Tail) {
            number = packet.number
            begin_ns = packet.begin
            total_ns = packet.total
            traits = packet.traits.map { explanation.text(of: $0) }
            let excess = packet.excess(over: tail.usual)
            stages = packet.stages.indices.compactMap { index in
                packet.stages[index].map {
                    StageTime(stage: tail.flow.stages[index].stage.name, time_ns: $0, excess_ns: excess[index])
                }
            }
        }
    }
}
