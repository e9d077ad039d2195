// One row for each journey, as CSV.

package import PacketPath
import TraceData

/// Writes journeys as rows: host-time ns, empty where a point is absent.
package struct PacketTable {
    private let machines: [String]
    private let names: NameTable

    package init(_ analysis: Analysis) {
        machines = analysis.machines.all.map(\.name)
        names = analysis.names
    }

    /// The first line.
    package static let header =
        "machine,device,direction,path,queue,length,status,reason,delivery,"
        + Point.allCases.map(\.name).joined(separator: ",") + "\n"

    package func row(_ journey: borrowing Journey) -> String {
        var row = CSV.field(machines[journey.machine])
        row += "," + CSV.field(names.name(journey.device))
        row += "," + journey.direction.name
        row += "," + journey.path.name
        row += ",\(journey.queue),\(journey.length),"
        row += journey.outcome == .complete ? "complete," : "incomplete," + journey.outcome.name
        let isTold = journey.isDelivered ? true : journey.delivery != .unknown
        row += "," + (isTold ? journey.delivery.name : "")
        for point in Point.allCases {
            row += ","
            if journey.times.has(point) { row += String(journey.times[point]) }
        }
        return row + "\n"
    }
}

/// RFC 4180.
enum CSV {
    static func field(_ text: String) -> String {
        guard text.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
