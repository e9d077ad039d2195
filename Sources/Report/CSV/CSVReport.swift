// The stage table as CSV: one row for each stage, one for each flow's end to end.

package import Findings
import GuestClocks
import Notation
import PacketPath
import Statistics
import TraceData

package enum CSVReport {
    package static let header =
        "machine,device,direction,path,stage,owner,share,count,min_ns,mean_ns,stddev_ns,p50_ns,p90_ns,p99_ns,p999_ns,max_ns\n"

    package static func text(_ report: SessionFindings) -> String {
        var text = header
        for flow in report.flows {
            let prefix = [
                CSV.field(report.machines[flow.machine].name), CSV.field(report.names.name(flow.device)),
                flow.direction.name,
                flow.path.name,
            ].joined(separator: ",")
            for stage in flow.stages {
                text +=
                    "\(prefix),\(stage.stage.name),\(stage.stage.owner.name),\(flow.share(stage)),\(row(stage.samples.summary))\n"
            }
            text += "\(prefix),end-to-end,,1,\(row(flow.endToEnd.summary))\n"
        }
        return text
    }

    static func row(_ summary: Summary) -> String {
        "\(summary.count),\(summary.minimum),\(summary.mean),\(summary.standardDeviation),\(summary.p50),\(summary.p90),"
            + "\(summary.p99),\(summary.p999),\(summary.maximum)"
    }
}
