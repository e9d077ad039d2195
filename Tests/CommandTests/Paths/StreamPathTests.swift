// A TCP transfer whose length is known: every byte of it is in a packet that was read.

import TestSupport
import Testing

@Suite struct StreamPathTests {
    @Test func `all bytes of a transfer are in packets that were read, however TCP merged them`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let run = try await Command.virtlat(
            "analyze", Checkout.root + "/traces/tap-tcpbulk", "--packets", folder.path("packets.csv"))
        try #require(run.status == 0, "\(run.errors)")
        let table = try folder.text("packets.csv")
        let journeys = try JourneyRow.rows(table)
        let read = journeys.filter { $0.direction == "rx" && $0.isComplete }
        // Ethernet, IPv4, TCP with time stamps.
        #expect(read.reduce(0) { $0 + $1.length - 66 } == 400_000)
        // The rest is what opened and closed the connection.
        #expect(
            journeys.filter { $0.direction == "rx" && !$0.isComplete }.allSatisfy {
                $0.reason == "kernel-consumed" && $0.length <= 74
            })
        // In the order of the stream.
        let times = read.sorted { ($0.times["guest.ingress"] ?? 0) < ($1.times["guest.ingress"] ?? 0) }.compactMap {
            $0.times["guest.read"]
        }
        #expect(times == times.sorted() && times.count == read.count)
    }
}
