// Reports of servos, in the time of the recording.

import ClockSync
import Testing

@testable import GuestClocks

@Suite struct ServoEvidenceTests {
    /// phc2sys reporting each second from 100 s on, quiet but for one report.
    private let evidence = ServoEvidence(
        machine: "g3",
        log: ServoLog(
            (100..<130).map { second in
                "phc2sys[\(second).000]: CLOCK_REALTIME phc offset \(second == 120 ? -50_000 : second % 7) s2 freq +100 delay 600"
            }.joined(separator: "\n")))

    @Test func `reports are put where the clock readings say`() {
        // Trace time is CLOCK_MONOTONIC and 1000 s; the second reading is the narrower one.
        let readings = [
            (Int64(110_000_000_000) as Int64?, UInt64(1_109_000_000_000), UInt64(1_112_000_000_000)),
            (Int64(111_000_000_000) as Int64?, UInt64(1_110_999_999_000), UInt64(1_111_000_001_000)),
        ]
        .map { (monotonic: $0.0, before: $0.1, after: $0.2) }
        let quiet = evidence.judgement(during: 1_105_000_000_000...1_112_000_000_000, readings)
        #expect(quiet.swings.isEmpty && quiet.gaps.isEmpty)
        #expect(quiet.error == 6)
        #expect(quiet.reports == 8)
        let swung = evidence.judgement(during: 1_112_000_000_000...1_125_000_000_000, readings)
        #expect(swung.error == 50_000)
        #expect(swung.swings.contains { $0.contains(1_120_000_000_000) })
        #expect(!swung.swings.contains { $0.contains(1_115_000_000_000) })
    }

    @Test func `without a clock reading all of the log is judged, and its swings are all the time's`() {
        let time = Int64(5)...Int64(9)
        let judged = evidence.judgement(during: time, [(monotonic: nil, before: 1, after: 2)])
        #expect(judged.error == 50_000)
        #expect(judged.swings == [time])
        #expect(judged.reports == 30)
    }

    @Test func `a log from another time says nothing`() {
        let readings = [(monotonic: Int64(100_000_000_000) as Int64?, before: UInt64(1), after: UInt64(2))]
        #expect(evidence.judgement(during: 900_000_000_000...901_000_000_000, readings).gaps.isEmpty == false)
    }
}
