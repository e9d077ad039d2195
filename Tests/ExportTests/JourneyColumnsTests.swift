// The columns of --packets: what the documentation says of them, and what is written.

import Export
import Findings
import Foundation
import PacketPath
import TestSupport
import Testing

@Suite struct JourneyColumnsTests {
    @Test func `the documentation's table is the columns' own`() throws {
        var table = "| column | type | unit | what it is |\n|---|---|---|---|\n"
        for column in JourneyColumns.all {
            table += "| `\(column.name)` | \(column.kind.rawValue) | \(column.unit.rawValue) | \(column.summary) |\n"
        }
        #expect(try DocumentedTable.fault(in: "packets.md", by: "JourneyColumnsTests", table) == nil)
    }

    @Test func `every column has a name of its own and a line that fits into a table`() {
        #expect(Set(JourneyColumns.all.map(\.name)).count == JourneyColumns.all.count)
        for column in JourneyColumns.all {
            #expect(!column.summary.isEmpty && !column.summary.contains { $0 == "|" || $0.isNewline }, "\(column.name)")
            #expect((column.unit == .nanoseconds) == (column.kind == .time), "\(column.name)")
        }
    }

    @Test func `the points come last, in the order of a packet's way`() {
        let points = JourneyColumns.all.drop { $0.kind != .time }
        #expect(points.map(\.name) == Point.allCases.map(\.name))
        #expect(
            JourneyColumns.all.prefix(9).map(\.name).joined(separator: ",")
                == "machine,device,direction,path,queue,length,status,reason,delivery")
    }

    // MARK: Files

    /// Rows of a recording as they are written, and what is there before the last one is.
    private func export(_ path: String) throws {
        _ = try SessionPass(try Session([Checkout.recording("tap-steady")])).run([JourneyFile(path, CSVExport())])
    }

    @Test func `a row has a cell for each column, and times where a packet passed a point`() throws {
        let path = temporaryPath("packets.csv")
        defer { try? FileManager.default.removeItem(atPath: path) }
        try export(path)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 603 && lines[0] + "\n" == CSVExport.header)
        for line in lines.dropFirst() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            #expect(cells.count == JourneyColumns.all.count)
            for (column, cell) in zip(JourneyColumns.all, cells) where column.kind == .time || column.kind == .integer {
                #expect(Int(cell) != nil || column.kind == .time && cell.isEmpty, "\(column.name): \(cell)")
            }
        }
    }

    @Test func `a file of a void pass leaves nothing in that of the next`() throws {
        let path = temporaryPath("packets.csv")
        defer { try? FileManager.default.removeItem(atPath: path) }
        let pass = try SessionPass(try Session([Checkout.recording("tap-steady")])).run([])
        let file = JourneyFile(path, CSVExport())
        for _ in 0..<2 { try file.begin(pass.start) }
        #expect(!FileManager.default.fileExists(atPath: path))
        try file.end(pass.account)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == CSVExport.header)
    }

    @Test func `a place that can't be written to is named`() throws {
        let fault = #expect(throws: ExportFault.self) { try export("/nowhere/packets.csv") }
        #expect(fault?.path == "/nowhere/packets.csv")
        #expect(JourneyFile("packets.csv", CSVExport()).canForget)
        for other in ["-", "/dev/null"] { #expect(!JourneyFile(other, CSVExport()).canForget, "\(other)") }
    }
}
