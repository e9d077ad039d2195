// The time of day is set while a session is recorded: nothing is measured by it, and evidence that needs it says so.
//
// The clock of the machine that runs the tests is left alone: a time namespace has no CLOCK_REALTIME of its own, and
// others live by it.

import ClockSync
import Foundation
import Sessions
import TestSupport
import Testing

@testable import GuestClocks

@Suite struct SteppedClockTests {
    /// A host whose trace clock is the truth, a guest's that is `apart` behind it, and a time of day that is set once.
    private struct Session {
        static let apart: Int64 = 77_000_000_123
        static let epoch: Int64 = 1_790_000_000_000_000_000

        var readings: [ClockReading] = []
        var stamps: [CrossTimestamp] = []

        /// - Parameters:
        ///   - moment: when it is set, as a share of the recording.
        init(seconds: Int64, step: Int64, at moment: Double) {
            let begin: Int64 = 500_000_000_000
            let end = begin + seconds * 1_000_000_000
            let set = begin + Int64(Double(end - begin) * moment)
            func realtime(_ time: Int64) -> Int64 { time + Self.epoch + (time > set ? step : 0) }
            // A few at both ends and one each 2 s, as a recording has them.
            let burst = (0..<8).map { Int64($0) * 2000 }
            let between = stride(from: begin + 2_000_000_000, to: end - 1_000_000, by: 2_000_000_000)
            for time in burst.map({ begin + $0 }) + between + burst.map({ end + $0 }) {
                readings.append(
                    ClockReading(
                        realtime: realtime(time), monotonicRaw: time, before: UInt64(time - 90),
                        after: UInt64(time + 90)))
                let asked = time + 400_000
                stamps.append(
                    CrossTimestamp(
                        host: realtime(asked), realtime: 0, monotonicRaw: 0, before: UInt64(asked - Self.apart - 900),
                        after: UInt64(asked - Self.apart + 900)))
            }
        }

        var candidate: Result<ClockCandidate, SilentReason> {
            ClockCandidate.crossTimestamps(
                stamps, readings, ClockPair(hostClock: nil, areTSC: false),
                over: stamps[0].before...stamps[stamps.count - 1].after)
        }
    }

    private static let steps: [Int64] = [
        3_600_000_000_000, -3_600_000_000_000, 500_000_000, -500_000_000, 1_000_000, -1_000_000,
    ]

    @Test(arguments: [10, 600], steps)
    func `a clock that is set during a recording is no evidence, whenever and wherever it goes`(
        seconds: Int64, step: Int64
    ) throws {
        for moment in [0.01, 0.2, 0.5, 0.77, 0.999] {
            let found = Session(seconds: seconds, step: step, at: moment).candidate
            guard case .failure(let reason) = found else {
                Issue.record("at \(moment): \(try found.get().summary)")
                continue
            }
            #expect(reason.text == "the host's CLOCK_REALTIME was set during the recording")
        }
    }

    @Test(arguments: [10, 600]) func `one that is set before or after it is as good as any`(seconds: Int64) throws {
        for moment in [-1.0, 2.0] {
            let session = Session(seconds: seconds, step: 500_000_000, at: moment)
            let map = try session.candidate.get().maps[0]
            let bound = try #require(map.largestErrorBound)
            for stamp in session.stamps {
                let truth = Int64(stamp.before) + Session.apart
                #expect(abs(map.hostTime(stamp.before) - truth) <= bound)
            }
            #expect(bound < 2000)
        }
    }

    /// Durations, bounds and patience are CLOCK_MONOTONIC's, or the trace clock's.
    @Test func `the time of day is read for names, and beside cross-timestamps`() throws {
        let folder = Checkout.root + "/Sources"
        let readers = [
            "clock_gettime(CLOCK_REALTIME", "nanoseconds(CLOCK_REALTIME", "time(nil)", "gettimeofday", " Date(",
            "Date.now",
        ]
        var found: [String] = []
        for name in FileManager.default.subpaths(atPath: folder) ?? []
        where name.hasSuffix(".swift") || name.hasSuffix(".c") {
            let text = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
            if readers.contains(where: { text.contains($0) }) { found.append(name) }
        }
        #expect(found.sorted() == ["LinuxSystem/UTCTime.swift", "Recording/Clocks/CrossTimestamps.swift"])
    }
}
