// The comparison as CSV: one row for each arm of each stage and of each flow's end to end.

package import Findings
import Notation
import PacketPath
import Statistics

package enum ComparisonCSV {
    /// What follows `contribution_ns` is beside the first arm, and empty for that and where there are too few packets.
    package static let header =
        "machine,direction,path,stage,owner,arm,sessions,count,min_ns,mean_ns,stddev_ns,p50_ns,p90_ns,p99_ns,p999_ns,max_ns,contribution_ns,"
        + "difference_ns,ci95_low_ns,ci95_high_ns,p_value,effect,verdict\n"

    package static func text(_ comparison: Comparison) -> String {
        var text = header
        for flow in comparison.flows {
            for (stage, row) in flow.stages { text += rows(comparison, flow, stage.name, stage.owner.name, row) }
            text += rows(comparison, flow, "end-to-end", "", flow.endToEnd)
        }
        return text
    }

    private static func rows(
        _ comparison: Comparison, _ flow: FlowComparison, _ stage: String, _ owner: String, _ row: ComparedRow
    ) -> String {
        let prefix = [CSV.field(flow.machine), flow.direction.name, flow.path, stage, owner].joined(separator: ",")
        return comparison.arms.indices.map { index in
            let (arm, value) = (comparison.arms[index], row.arms[index])
            var fields = [
                prefix, CSV.field(arm.name), String(arm.sessions.count), CSVReport.row(value.summary),
                "\(value.contribution)",
            ]
            let versus = index == 0 ? nil : row.versusFirst[index - 1]
            let numbers = [
                versus?.difference, versus?.interval?.lowerBound, versus?.interval?.upperBound, versus?.pValue,
                versus?.delta,
            ]
            fields += numbers.map { $0.map { "\($0)" } ?? "" }
            fields.append(versus?.verdict.rawValue ?? "")
            return fields.joined(separator: ",") + "\n"
        }.joined()
    }
}
