// The measured part of a recording: only packets that began in it count, and what recording cost is told beside it.

import Sessions
import Testing

@Suite struct MeasuredTests {
    /// ns of the host's trace clock, from 1 s to 3 s after the host's first event, which trace-cmd knows to the µs.
    private func window() async throws -> (begin: Int64, end: Int64) {
        let first = try await Counted(Recording.steady.host).first
        return (first + 1_000_000_000, first + 3_000_000_000)
    }

    @Test func `only packets that began in the measured window are counted`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let (begin, end) = try await window()
        session.manifest.measured = Manifest.Window(begin: begin, end: end)
        let all = try await AnalyzedRecording.of(.steady).journeys
        let began = all.filter { row in (begin..<end).contains(row.way.first?.time ?? .min) }
        #expect(began.count > 100 && began.count < all.count - 100)
        #expect(try await session.rows().map(\.text) == began.map(\.text))
        let run = try await session.analyze("--format", "json")
        let json = try JSON(run.output)
        #expect(try json["flows"].list.reduce(0) { try $0 + $1["packets"].integer("seen") } == began.count)
        // The duration is still the recording's.
        #expect(try await json["session"] == AnalyzedRecording.of(.steady).json["session"])
        #expect(json["schema"] == .integer(2))
    }

    @Test func `a packet is counted at the window's begin, and not at its end`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let begins = try await AnalyzedRecording.of(.steady).journeys.compactMap { $0.way.first?.time }.sorted()
        session.manifest.measured = Manifest.Window(begin: begins[100], end: begins[200])
        try #require(begins[99] < begins[100] && begins[199] < begins[200])
        #expect(try await session.rows().compactMap { $0.way.first?.time }.sorted() == Array(begins[100..<200]))
    }

    @Test func `a packet that was under way at the window's end is complete`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let row = try #require(try await AnalyzedRecording.of(.steady).complete("rx").dropFirst(10).first)
        let time = try #require(row.way.first?.time)
        session.manifest.measured = Manifest.Window(begin: time, end: time + 1)
        #expect(try await session.rows().map(\.text) == [row.text])
    }

    @Test func `a window without an end lasts until the recording's`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let begin = try await window().begin
        session.manifest.measured = Manifest.Window(begin: begin, end: nil)
        let all = try await AnalyzedRecording.of(.steady).journeys
        #expect(try await session.rows().count == all.count { ($0.way.first?.time ?? .min) >= begin })
        let line = try await #require(session.analyze().output.split(separator: "\n").first)
        #expect(line.contains("measured 3.528 s of 4.528 s recorded"), "\(line)")
    }

    @Test func `--since and --until count from the window's begin and never widen it`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let (begin, end) = try await window()
        session.manifest.measured = Manifest.Window(begin: begin, end: end)
        let whole = try await session.rows().map(\.text)
        let before = try await session.rows("--until", "750ms")
        let after = try await session.rows("--since", "750ms").map(\.text)
        #expect(!before.isEmpty && !after.isEmpty)
        #expect(before.allSatisfy { ($0.way.first?.time ?? .max) < begin + 750_000_000 })
        #expect(before.count + after.count == whole.count)
        #expect(Set(before.map(\.text) + after) == Set(whole))
        #expect(try await session.rows("--since", "0s", "--until", "1000s").map(\.text) == whole)
        // The same part, cut out of the recording without a manifest.
        let table = session.folder.path("cut.csv")
        let run = try await Command.virtlat(
            "analyze", Recording.steady.folder, "--since", "1s", "--until", "1750ms", "--packets", table)
        #expect(run.status == 0)
        let cut = try JourneyRow.rows(session.folder.text("cut.csv")).map(\.text)
        // trace-cmd's first event is rounded to a µs, and no packet began within that of either bound.
        #expect(cut == before.map(\.text))
    }

    @Test func `the first line tells what was measured of what was recorded`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let (begin, end) = try await window()
        session.manifest.measured = Manifest.Window(begin: begin, end: end)
        let line = try await #require(session.analyze().output.split(separator: "\n").first)
        #expect(line.hasPrefix("tap-steady   measured 2.000 s of 4.528 s recorded   host l1: "), "\(line)")
    }

    @Test func `a measurement without packets is not blamed on filters`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.measured = Manifest.Window(begin: 0, end: 1)
        var run = try await session.analyze()
        #expect(run.status == 0)
        #expect(run.output.contains("note: no packet of a path that is followed began while the measurement ran"))
        run = try await session.analyze("--direction", "rx")
        #expect(run.output.contains("note: no packet passes the filters given"))
    }

    @Test func `a window that ends before it begins is refused`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.measured = Manifest.Window(begin: 2, end: 1)
        try await session.analyze().expectRefusal(
            naming: session.folder.path("session.json"), saying: "measured.end_ns lies before measured.begin_ns")
    }

    @Test func `what recording cost is one line, and is not in the JSON`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        let plain = try await session.analyze("--format", "json").output
        session.manifest.measured = Manifest.Window(begin: 0, end: 10_000_000_000)
        session.manifest.machines[0].disturbance = Self.cost(cpu: 120_000_000, wakeUps: 14, after: 12_000_000, own: 200)
        session.manifest.machines[1].disturbance = Self.cost(cpu: 30_000_000, wakeUps: 1, after: 345_000, own: 14)
        let text = try await session.analyze().output
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("recording") }
        #expect(
            lines == [
                "recording    host 0.120 s CPU (1.2 %), 14 wake-ups; g3 0.030 s CPU (0.3 %), 1 wake-up; 0 B moved while measuring, 12.3 MB after; "
                    + "214 of 63 870 events are the recorder's own"
            ])
        session.manifest.measured = nil
        #expect(try await session.analyze("--format", "json").output == plain)
    }

    @Test func `of what recording cost, nothing is told that is not known`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        #expect(try await session.analyze().output.contains("\nrecording") == false)
        session.manifest.machines[0].disturbance = Self.cost(cpu: 120_000_000, wakeUps: nil, after: 1, own: 1)
        // No share without a measured time, and no sums without the guest's part.
        #expect(try await session.analyze().output.contains("\nrecording    host 0.120 s CPU\n"))
        session.manifest.machines[1].disturbance.bytesAfter = 999
        #expect(try await session.analyze().output.contains("\nrecording    host 0.120 s CPU; 1.0 kB after\n"))
    }

    @Test func `numbers that no recorder writes do no harm`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.measured = Manifest.Window(begin: .min, end: .min + 1)
        for machine in 0...1 {
            session.manifest.machines[machine].disturbance = Self.cost(cpu: .max, wakeUps: .min, after: .max, own: .max)
        }
        #expect(try await session.analyze("--since", "4294967295s").status == 0)
    }

    private static func cost(cpu: Int64, wakeUps: Int?, after: Int, own: Int) -> Disturbance {
        var cost = Disturbance()
        cost.cpuTime = cpu
        cost.wakeUps = wakeUps
        cost.bytesDuring = 0
        cost.bytesAfter = after
        cost.ownEvents = own
        cost.allEvents = 31_935
        return cost
    }
}
