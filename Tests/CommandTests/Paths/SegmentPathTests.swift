// A guest's TCP whose packets the host cuts into segments, because its NIC does not: what the analysis says of them
// against what the NIC was given.

import TestSupport
import Testing

@Suite struct SegmentPathTests {
    @Test func `every packet that the host cut is one way from the guest to the NIC, of all its segments`() async throws
    {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let session = Checkout.root + "/traces/tap-gso"
        let run = try await Command.virtlat("analyze", session, "--packets", folder.path("packets.csv"))
        try #require(run.status == 0, "\(run.errors)")
        let sent = try JourneyRow.rows(folder.text("packets.csv")).filter { $0.direction == "tx" }
        #expect(sent.count == 129 && sent.allSatisfy(\.isComplete))
        // 60 answers of 8000 bytes; Ethernet, IPv4, TCP with time stamps.
        let data = sent.filter { $0.length > 74 }
        #expect(data.reduce(0) { $0 + $1.length - 66 } == 60 * 8000)

        let given = try await segments(of: session + "/host.dat")
        #expect(given.count > 300)
        for row in data {
            let first = try #require(row.times["host.egress"]), last = try #require(row.times["nic.xmit"])
            let own = given.filter { $0.begin >= first && $0.end <= last && $0.length > 66 }
            #expect(own.first?.begin == first && own.last?.end == last, "\(row.text)")
            // 1448 bytes in each.
            #expect(own.count == (row.length - 66 + 1447) / 1448, "\(row.text)")
            #expect(own.reduce(0) { $0 + $1.length - 66 } == row.length - 66, "\(row.text)")
        }
    }

    private struct Segment {
        var begin: Int64
        var end: Int64
        var length: Int
    }

    /// What the NIC's driver was given, as trace-cmd reads it.
    private func segments(of file: String) async throws -> [Segment] {
        let run = try await Command.tool("trace-cmd", package: "trace-cmd", "report", "-t", "-i", file)
        try #require(run.status == 0, "\(run.errors)")
        var begun: [Substring: Int64] = [:]
        var segments: [Segment] = []
        for line in run.output.split(separator: "\n") where line.contains("dev=nic0") && line.contains("xmit:") {
            let words = line.split(separator: " ")
            func value(_ name: String) -> Substring? {
                words.first { $0.hasPrefix(name + "=") }?.dropFirst(name.count + 1)
            }
            let stamp = try #require(
                words.first { $0.hasSuffix(":") && $0.contains(".") && $0.first?.isNumber == true })
            let time = try #require(Int64(stamp.filter(\.isNumber)))
            let address = try #require(value("skbaddr"))
            if line.contains("net_dev_start_xmit:") {
                begun[address] = time
            } else if let begin = begun.removeValue(forKey: address) {
                let length = try #require(value("len").flatMap { Int($0) })
                segments.append(Segment(begin: begin, end: time, length: length))
            }
        }
        return segments
    }
}
