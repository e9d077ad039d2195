// The stages of slow packets as CSV: one row for each stage of each flow.

package import Findings
import GuestClocks
import Notation
import PacketPath
import Statistics
import TraceData

package enum ExplainCSV {
    package static let header =
        "machine,device,direction,path,above_ns,slow,others,stage,owner,usual_ns,slow_ns,share,share_of_excess,ci95_low,ci95_high,lift\n"

    package static func text(_ explanation: Explanation) -> String {
        var text = header
        for tail in explanation.tails {
            let limit = explanation.question.packet == nil ? String(tail.limit) : ""
            let prefix = [
                CSV.field(explanation.findings.machines[tail.flow.machine].name),
                CSV.field(explanation.findings.names.name(tail.flow.device)), tail.flow.direction.name,
                tail.flow.path.name, limit, String(tail.packets.count), String(tail.others),
            ]
            for stage in tail.stages {
                let interval = stage.ofExcess?.interval
                let numbers = [
                    stage.share, stage.ofExcess?.value, interval?.lowerBound, interval?.upperBound, stage.lift,
                ]
                let fields =
                    prefix + [stage.stage.name, stage.stage.owner.name, String(stage.usual)]
                    + [stage.slow.map { String($0) } ?? ""] + numbers.map { $0.map { "\($0)" } ?? "" }
                text += fields.joined(separator: ",") + "\n"
            }
        }
        return text
    }
}
