// The k-th packet on its way is the k-th of the application: a journey has the times of its own packet, not those of a
// neighbour.

import Testing

@Suite struct ExactTests {
    private static let whole = PathRecording.stored + PathRecording.ofTraceCmd

    @Test(arguments: whole)
    func `the application read each packet when it waited for that very one`(recording: PathRecording) async throws {
        try await holdReads(recording, complete: 1)
    }

    @Test(arguments: whole)
    func `the application sent each packet when it says it sent that very one`(recording: PathRecording) async throws {
        try await holdSends(recording, complete: 1)
    }

    @Test func `a journey beside a hole has no other packet's times`() async throws {
        try await holdReads(.lossy, complete: 0)
        try await holdSends(.lossy, complete: 0)
    }

    /// Packets of a flow keep their order on the way, so the k-th at a point is the k-th that the application read.
    /// Where packets are not known at a point, it is one of as many further as are missing.
    /// - Parameter share: of the packets, that must be complete.
    func holdReads(_ recording: PathRecording, complete share: Double) async throws {
        let journeys = try await recording.analyzed().journeys
        let facts = try recording.facts()
        // Workers of several queues copy side by side.
        let points = ["host.ingress", "host.egress", "guest.ingress"] + (facts.queues == 1 ? ["vhost.copy"] : [])
        for end in facts.ends {
            let rows = end.rows(journeys, "rx")
            try holdShare(share, rows, end)
            // The application has them all.
            let dropped = rows.filter { $0.reason == "dropped" }
            #expect(dropped.isEmpty, "\(end.machine): packets that were read are dropped: \(dropped.map(\.text))")
            var fewestMissing = Int.max
            for point in points {
                let line = Line(rows, at: point, of: end)
                guard !line.rows.isEmpty else { continue }
                fewestMissing = min(fewestMissing, line.missing)
                #expect(
                    line.missing >= 0,
                    "\(end.machine): \(line.rows.count) packets at \(point), \(end.packets.count) were read")
                let wrong = try line.strangers { row, packet in
                    let read = try #require(
                        row.times["guest.read"] ?? row.times["app.read"], "complete and never read: \(row.text)")
                    return packet.receiving.contains(read)
                }
                #expect(
                    wrong.isEmpty,
                    "\(end.machine), in the order at \(point): \(wrong.count) were not read as this packet: \(wrong)")
                if point == "guest.ingress" || end.machine == "host" { try holdWakeUps(line) }
            }
            if share > 0 { #expect(fewestMissing == 0, "\(end.machine): at no point all packets are known") }
        }
    }

    /// The reader was woken for the packet after that came, before it ran, and while it waited for this packet.
    private func holdWakeUps(_ line: Line) throws {
        let wrong = try line.strangers { row, packet in
            let read = try #require(row.times["guest.read"] ?? row.times["app.read"])
            let came = try #require(row.times["guest.ingress"] ?? row.times["host.ingress"])
            let woken = row.times["guest.wake"] ?? row.times["app.wake"]
            let ran = row.times["guest.run"] ?? row.times["app.run"]
            guard packet.receiving.contains(read) else { return false }
            if let ran, ran > read { return false }
            guard let woken else { return true }
            return came < woken && woken < ran ?? read && packet.receiving.contains(woken)
        }
        #expect(wrong.isEmpty, "\(wrong.count) wake-ups of the reader are not this packet's: \(wrong)")
    }

    func holdSends(_ recording: PathRecording, complete share: Double) async throws {
        let journeys = try await recording.analyzed().journeys
        for end in try recording.facts().ends {
            let rows = end.rows(journeys, "tx")
            try holdShare(share, rows, end)
            let point = end.machine == "host" ? "host.egress" : "guest.egress"
            let line = Line(rows, at: point, of: end)
            #expect(
                line.missing >= 0 && (share < 1 || line.missing == 0),
                "\(end.machine): \(line.missing) answers missing at \(point)")
            let call = { (row: JourneyRow) in row.times["guest.send"] ?? row.times["app.send"] }
            let isCallSeen = rows.contains { call($0) != nil }
            let wrong = try line.strangers { row, packet in
                let handedOver = try #require(row.times[point])
                // Without a call it waited, for a neighbour or room in a queue, and another context sent it.
                guard let call = call(row) else {
                    return isCallSeen ? packet.sending.lowerBound <= handedOver : packet.sending.contains(handedOver)
                }
                return packet.sending.contains(call) && call <= handedOver
            }
            #expect(wrong.isEmpty, "\(end.machine): \(wrong.count) were not sent as this packet: \(wrong)")
        }
    }

    private func holdShare(_ share: Double, _ rows: [JourneyRow], _ end: FlowEnd) throws {
        let complete = rows.count(where: \.isComplete)
        let reasons = Dictionary(rows.map { ("\($0.status) \($0.reason)", 1) }, uniquingKeysWith: +)
        #expect(
            Double(complete) >= share * Double(end.packets.count),
            "\(end.machine): \(complete) of \(end.packets.count) are complete: \(reasons)")
    }

    /// Packets of one end as they passed a point, one by one.
    private struct Line {
        let rows: [JourneyRow]
        let end: FlowEnd
        /// How many packets of the application are not known to have passed.
        var missing: Int { end.packets.count - rows.count }

        init(_ rows: [JourneyRow], at point: String, of end: FlowEnd) {
            self.rows = rows.filter { $0.times[point] != nil }.sorted {
                ($0.times[point] ?? 0) < ($1.times[point] ?? 0)
            }
            self.end = end
        }

        /// The complete rows that do not fit the packet they are by their place in line, as text.
        func strangers(_ fits: (JourneyRow, FlowEnd.Packet) throws -> Bool) rethrows -> [String] {
            var wrong: [String] = []
            var next = 0
            for (rank, row) in rows.enumerated() where row.isComplete {
                var found: Int?
                for packet in max(rank, next)..<max(rank, next, rank + missing + 1) where packet < end.packets.count {
                    guard try fits(row, end.packets[packet]) else { continue }
                    found = packet
                    break
                }
                if let found { next = found + 1 } else { wrong.append("\(rank): \(row.text)") }
            }
            return wrong
        }
    }
}
