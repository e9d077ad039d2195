// One row for each journey, as CSV: host-time ns, empty where a point is absent.

package import Findings
import GuestClocks
package import LinuxSystem
import Notation
package import PacketPath
import TraceData

package struct CSVExport: JourneyExport {
    private var names = JourneyNames(machines: [], devices: NameTable())
    /// Without what only people read.
    private let values = JourneyColumns.all.map(\.value)
    /// The longest row so far.
    private var room = 0

    package init() {}

    /// The first line.
    package static let header = JourneyColumns.all.map(\.name).joined(separator: ",") + "\n"

    package mutating func begin(_ start: PassStart, _ output: inout OutputStream) throws(SystemError) {
        names = JourneyNames(machines: start.machines.all.map(\.name), devices: start.names)
        try output.write(Self.header)
    }

    package mutating func write(_ journey: borrowing Journey, _ output: inout OutputStream) throws(SystemError) {
        var row = ""
        row.reserveCapacity(room)
        append(journey, to: &row)
        room = max(room, row.utf8.count)
        try output.write(row)
    }

    package mutating func end(_ output: inout OutputStream) {}

    private func append(_ journey: borrowing Journey, to row: inout String) {
        for index in values.indices {
            if index > 0 { row += "," }
            switch values[index] {
            case .name(let read): row += CSV.field(read(journey, names))
            case .word(let read): row += read(journey)
            case .integer(let read): row += String(read(journey))
            case .time(let point): if journey.times.has(point) { row += String(journey.times[point]) }
            }
        }
        row += "\n"
    }
}
