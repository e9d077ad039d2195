// A recording with holes: what is not known is counted, and never guessed.

import Testing

@Suite struct LostEventsTests {
    @Test func `a hole never lets a wrong journey count as complete`() async throws {
        let analyzed = try await AnalyzedRecording.of(.lost)
        let log = try ApplicationLog(.lost)
        let received = analyzed.complete("rx")
        #expect(!received.isEmpty)
        let journeys = try TruthTests.read(log, received)
        #expect(journeys.allSatisfy { $0.count <= 1 })
        #expect(
            journeys.reduce(0) { $0 + $1.count } == received.count, "a journey that the application read nothing of")

        let sent = analyzed.complete("tx").filter { $0.times["guest.send"] != nil }
        #expect(!sent.isEmpty)
        for row in sent {
            let send = row.times["guest.send"] ?? 0
            let matching = log.echoed.filter { $0.sends <= send && send <= $0.sent }
            #expect(matching.count == 1, "an answer that the application did not send: \(row.text)")
        }
        let sends = sent.compactMap { $0.times["guest.send"] }
        #expect(Set(sends).count == sends.count, "an answer counted twice")
    }

    @Test func `lost events are not passed over in silence`() async throws {
        let analyzed = try await AnalyzedRecording.of(.lost)
        for direction in ["rx", "tx"] {
            let lost = analyzed.journeys.filter { $0.direction == direction && $0.reason == "lost-events" }
            #expect(!lost.isEmpty, "\(direction)")
        }
        // The kernel counted them on the host; the guest's sub-buffers tell of those in the holes that say how many.
        let machines = analyzed.json["session"]["machines"].list
        let lost = try machines.map { try $0.integer("lost_events") }
        try #require(lost.count == 2)
        #expect(try await lost[0] == Counted.overruns(Recording.lost.host))
        #expect(try await lost[1] >= Counted.dropped(Recording.lost.guest))
        let table = try await Command.virtlat("analyze", Recording.lost.folder)
        #expect(table.output.split(separator: "\n").first?.contains("none lost") == false)
        #expect(table.output.contains("lost-events"))
    }

    @Test func `holes do not multiply packets`() async throws {
        let analyzed = try await AnalyzedRecording.of(.lost)
        for direction in ["rx", "tx"] {
            let rows = analyzed.journeys.filter { $0.direction == direction }
            // Each was put on its queue once; where the two halves can't be joined, a few may be counted by both.
            #expect(rows.count >= Recording.lost.packets * 9 / 10, "\(direction): \(rows.count)")
            #expect(rows.count <= Recording.lost.packets * 21 / 20, "\(direction): \(rows.count)")
            #expect(rows.filter(\.isComplete).count <= Recording.lost.packets)
        }
    }

    @Test(arguments: [Recording.steady, .burst, .cross])
    func `a recording without holes has none`(recording: Recording) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        #expect(analyzed.journeys.allSatisfy { $0.reason != "lost-events" })
        for machine in analyzed.json["session"]["machines"].list { #expect(try machine.integer("lost_events") == 0) }
        #expect(try await Command.virtlat("analyze", recording.folder).output.contains("none lost"))
    }
}
