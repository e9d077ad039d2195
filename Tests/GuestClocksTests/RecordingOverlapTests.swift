// What a clock map makes of two recordings' times: together, hardly, or apart.

import ClockSync
import Testing

@testable import GuestClocks

@Suite struct RecordingOverlapTests {
    private func overlap(_ host: ClosedRange<Nanoseconds>, _ guest: ClosedRange<Nanoseconds>) -> RecordingOverlap {
        RecordingOverlap(host: host, guest: guest)
    }

    @Test func `recordings that do not touch are apart, and by how much is told`() {
        #expect(overlap(1000...2000, 2500...4000).gap == 500)
        #expect(overlap(1000...2000, 0...400).gap == -600)
        #expect(overlap(1000...2000, 2001...4000).isNone && overlap(1000...2000, 0...999).isNone)
        #expect(!overlap(1000...2000, 2000...4000).isNone && !overlap(1000...2000, 0...1000).isNone)
        #expect(overlap(.min ... -1, 1 ... .max).isNone)
    }

    @Test func `a part of one recording that lies in the other is no reason for doubt`() {
        #expect(!overlap(0...1_000_000, 4000...4100).isHardly)
        #expect(!overlap(4000...4100, 0...1_000_000).isHardly)
        #expect(!overlap(0...1000, 900...2000).isHardly)
        // A single event.
        #expect(!overlap(0...1000, 500...500).isHardly)
    }

    @Test func `a touch is`() {
        #expect(overlap(0...1000, 950...2000).isHardly)
        #expect(overlap(0...1000, 950...2000).common == 50)
        #expect(overlap(0...1000, -2000...10).isHardly)
    }

    @Test func `a map before the host's zero, or that wraps, is apart and does not end the program`() {
        let rate = CycleConversion(multiplier: 1 << 30, shift: 31, offset: 0)
        func map(_ offset: Int64) -> ClockMap {
            ClockMap(
                segments: [ClockMap.Segment(toHost: .offset(UInt64(bitPattern: offset)), toNanoseconds: rate)],
                method: .kvmTSCOffset)
        }
        let together = map(0).overlap(host: 10_000...30_000, guest: 10_000...20_000)
        #expect(together.common == 5000 && together.shorter == 5000 && !together.isHardly)
        #expect(map(-50_000).overlap(host: 10_000...30_000, guest: 10_000...20_000).gap == -20_000)
        #expect(map(50_000).overlap(host: 10_000...30_000, guest: 10_000...20_000).gap == 15_000)
        for offset in [Int64.min, .min + 1, .max, -1 << 62] {
            _ = map(offset).overlap(host: 0...UInt64.max, guest: 0...UInt64.max)
            #expect(map(offset).overlap(host: 10_000...30_000, guest: 10_000...20_000).isNone)
        }
    }
}
