// Every journey held against the logs of the application and of the client: a packet is never lost, doubled or mistaken
// for another.

import Testing

@Suite struct TruthTests {
    /// Recordings that no event is lost from.
    static let clean: [Recording] = [.steady, .burst, .cross]

    /// The application is one thread: it reads packet k after it sent answer k - 1 and before recvfrom returns packet
    /// k.
    /// - Returns: for each echoed packet the complete journeys that were read in its time.
    static func read(_ log: ApplicationLog, _ journeys: [JourneyRow]) throws -> [[JourneyRow]] {
        var previous = Int64.min
        return try log.echoed.map { packet in
            defer { previous = packet.sent }
            return try journeys.filter {
                let read = try #require($0.times["guest.read"], "a complete journey was not read: \($0.text)")
                return previous < read && read <= packet.received
            }
        }
    }

    @Test(arguments: clean)
    func `no packet the application read is missing or counted twice`(recording: Recording) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        let log = try ApplicationLog(recording)
        let complete = analyzed.complete("rx")
        let journeys = try Self.read(log, complete)
        let matched = journeys.filter { $0.count == 1 }.count
        let reasons = Dictionary(
            analyzed.journeys.map { ($0.direction + " " + $0.status + " " + $0.reason, 1) }, uniquingKeysWith: +)
        #expect(Double(matched) >= 0.99 * Double(log.echoed.count), "\(matched) of \(log.echoed.count): \(reasons)")
        #expect(journeys.allSatisfy { $0.count <= 1 }, "two journeys for one packet")
        #expect(
            journeys.reduce(0) { $0 + $1.count } == complete.count, "a journey that the application read nothing of")
    }

    @Test(arguments: clean)
    func `no packet is read long before recvfrom returns it`(recording: Recording) async throws {
        let log = try ApplicationLog(recording)
        let journeys = try Self.read(log, try await AnalyzedRecording.of(recording).complete("rx"))
        let lags = zip(log.echoed, journeys).compactMap { packet, rows in
            rows.first?.times["guest.read"].map { packet.received - $0 }
        }
        let sorted = lags.sorted()
        try #require(!sorted.isEmpty)
        #expect(sorted[0] >= 0)
        #expect(sorted[sorted.count - 1] < 100_000_000)
        #expect(sorted[sorted.count / 2] < 1_000_000)
    }

    /// Packets reach the guest's queue in the order of the client: the k-th packet on the tap is the k-th of the
    /// application, whether the rest of its way is known or not. Where that event itself is lost, ranks shift by as
    /// many as are missing.
    @Test(arguments: Recording.allCases)
    func `no host half is joined to another packet's guest half`(recording: Recording) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        let log = try ApplicationLog(recording)
        let onTap = analyzed.journeys.filter { $0.direction == "rx" && $0.length == Recording.packetLength }
            .compactMap { row in row.times["host.egress"].map { (time: $0, text: row.text) } }.sorted {
                $0.time < $1.time
            }
        let missing = recording.packets - onTap.count
        let mayMiss = recording == .lost ? recording.packets / 20 : 0
        try #require(
            (0...mayMiss).contains(missing), "\(onTap.count) packets were put on the queue, not \(recording.packets)")
        let ranks = Dictionary(uniqueKeysWithValues: onTap.enumerated().map { ($1.text, $0) })
        for (index, rows) in try Self.read(log, analyzed.complete("rx")).enumerated() {
            for row in rows {
                let rank = try #require(ranks[row.text])
                #expect((index - missing...index).contains(rank), "packet \(index) is not the one on the tap")
            }
        }
    }

    @Test(arguments: Recording.allCases)
    func `no packet arrives before it was sent`(recording: Recording) async throws {
        let log = try ApplicationLog(recording)
        let journeys = try Self.read(log, try await AnalyzedRecording.of(recording).complete("rx"))
        for (packet, rows) in zip(log.echoed, journeys) {
            guard let client = log.client[packet.sequence] else { continue }
            for row in rows {
                // Not the interrupt: the one that raised NAPI may have come before the packet that NAPI then found.
                let first = try #require(row.way.first { $0.point != "nic.irq" }?.time)
                // Half a millisecond for what the client's own logging costs under emulation.
                #expect(client.earliestSend - 500_000 <= first && first <= packet.received, "\(row.text)")
            }
        }
    }

    @Test(arguments: clean)
    func `no answer is missing, sent at another time, or out before the application sent it`(recording: Recording)
        async throws
    {
        let analyzed = try await AnalyzedRecording.of(recording)
        let log = try ApplicationLog(recording)
        let sent = analyzed.complete("tx").sorted { ($0.times["guest.egress"] ?? 0) < ($1.times["guest.egress"] ?? 0) }
        try #require(sent.count == log.echoed.count, "\(sent.count) complete answers of \(log.echoed.count)")
        for (packet, row) in zip(log.echoed, sent) {
            // Absent where the neighbour was not known yet: the packet waits, and another context sends it.
            if let send = row.times["guest.send"] {
                #expect(packet.sends <= send && send <= packet.sent, "\(row.text)")
            }
            let handedOver = try #require(row.times["guest.egress"])
            #expect(packet.sends <= handedOver, "\(row.text)")
            // The NIC has it before net_dev_xmit says so, so the client may hear it before that.
            let onNIC = try #require(row.times["host.egress"])
            if let client = log.client[packet.sequence] { #expect(onNIC <= client.latestReceive, "\(row.text)") }
        }
        #expect(sent.filter { $0.times["guest.send"] == nil }.count <= 5)
    }
}
