// Clock maps as time shifts of a trace file, in trace-cmd's own arithmetic.

import ClockSync
import Statistics
import TestSupport
import Testing

/// trace-cmd's own arithmetic: lib/trace-cmd/trace-input.c, `timestamp_host_sync`.
struct TraceCommandClock {
    private let shift: TimeShift

    init(_ shift: TimeShift) { self.shift = shift }

    /// The host's raw time; nil where signed 64 bits overflow.
    func hostRaw(_ raw: RawTime) -> RawTime? {
        let samples = shift.samples
        if samples.count == 1 { return raw &+ samples[0].offset }
        var pair = 0
        if raw >= samples[samples.count - 1].time {
            pair = samples.count - 2
        } else if raw > samples[0].time {
            pair = samples.lastIndex { $0.time <= raw }!
        }
        let (low, high) = (samples[pair], samples[pair + 1])
        var offset = Int64(bitPattern: low.offset)
        if shift.interpolates {
            let length = Int64(bitPattern: high.time &- low.time)
            let (change, tooFar) = Int64(bitPattern: high.offset).subtractingReportingOverflow(offset)
            let (product, overflows) = Int64(bitPattern: raw &- low.time).multipliedReportingOverflow(by: change)
            let (rounded, carries) = product.addingReportingOverflow(length / 2)
            if tooFar || overflows || carries { return nil }
            offset += rounded / length
        }
        return (raw &* low.scaling) >> RawTime(shift.fractionBits) &+ RawTime(bitPattern: offset)
    }
}

/// A clock map as TIME_SHIFT samples leads to the same host times.
@Suite struct TimeShiftMapTests {
    private typealias Segment = ClockMap.Segment

    private static func line(from origin: RawTime, at offset: Int64, drift: Double) -> ClockMap.RawConversion {
        .interpolated(start: origin, end: origin + 1 << 40, from: offset, to: offset + Int64(drift * 0x1p40))
    }

    /// How far two times are apart at most, over the ends of all segments and many times between.
    private func difference(
        _ map: ClockMap, _ times: ClosedRange<RawTime>, _ random: inout SplitMix64, from other: (RawTime) -> RawTime?
    ) -> UInt64 {
        var moments =
            [times.lowerBound, times.upperBound] + map.segments.flatMap { [$0.start &- 1, $0.start, $0.start &+ 1] }
        moments += (0..<500).map { _ in RawTime.random(in: times, using: &random) }
        return moments.filter { times.contains($0) }.reduce(0) { largest, time in
            let expected = map.segment(at: time).toHost.hostRaw(time)
            return max(largest, other(time).map { Int64(bitPattern: $0 &- expected).magnitude } ?? .max)
        }
    }

    private static func reading(_ shift: TimeShift) throws -> (RawTime) -> RawTime? {
        let map = try #require(ClockMap.timeShift(shift, hostClock: nil))
        return { map.segment(at: $0).toHost.hostRaw($0) }
    }

    @Test(arguments: 0..<200) func `lines with steps are read by trace-cmd within one tick, and by ourselves`(
        seed: UInt64
    ) throws {
        var random = SplitMix64(seed: seed)
        let start = RawTime.random(in: 0...1 << 42, using: &random)
        // From a millisecond to days.
        let length = RawTime(1) << RawTime.random(in: 20...48, using: &random)
        let times = start...start + length
        let count = Int.random(in: 1...5, using: &random)
        let starts = [start] + (1..<count).map { _ in RawTime.random(in: times, using: &random) }.sorted()
        var segments: [Segment] = []
        for start in starts {
            let conversion = Self.line(
                from: start &+ RawTime.random(in: 0...length, using: &random) / 2,
                at: Int64.random(in: -1 << 50...1 << 50, using: &random),
                drift: Double.random(in: -2e-4...2e-4, using: &random))
            segments.append(Segment(start: start, toHost: conversion))
        }
        let map = ClockMap(segments: segments, method: .containment)
        let shift = map.timeShift(over: times)
        #expect(shift.interpolates)
        #expect(zip(shift.samples, shift.samples.dropFirst()).allSatisfy { $0.time < $1.time })
        #expect(difference(map, times, &random, from: TraceCommandClock(shift).hostRaw) <= 1)
        #expect(difference(map, times, &random, from: try Self.reading(shift)) <= 2)
    }

    @Test(arguments: [-3.0, -1e-6, 0, 1e-6, 0.6, 40]) func `a slope of any steepness stays inside trace-cmd's 64 bits`(
        drift: Double
    ) throws {
        var random = SplitMix64(seed: 1)
        let times: ClosedRange<RawTime> = 5_000_000_000...605_000_000_000
        let map = ClockMap(
            segments: [Segment(toHost: Self.line(from: 0, at: 16_170_273_000, drift: drift))], method: .containment)
        let shift = map.timeShift(over: times)
        #expect(difference(map, times, &random, from: TraceCommandClock(shift).hostRaw) <= 1)
        #expect(difference(map, times, &random, from: try Self.reading(shift)) <= 2)
    }

    @Test func `what a fit found is read by trace-cmd within one tick`() throws {
        var random = SplitMix64(seed: 7)
        // 30 ppm, and a step of 5 ms after 4 of 9 s.
        let bounds = (0..<900).map { index in
            let time = RawTime(415_000_000_000 + index * 10_000_000)
            let offset = 16_170_273_000 + Int64(index * 300) + (index < 400 ? 0 : 5_000_000)
            return OffsetBound(time: time, low: offset - 40_000, high: offset + 40_000)
        }
        let fit = try #require(OffsetFit(bounds))
        #expect(fit.steps == 1)
        let times = bounds[0].time...bounds[899].time
        let map = ClockMap.fitted(fit, over: times, hostClock: nil, method: .containment)
        let shift = map.timeShift(over: times)
        #expect(difference(map, times, &random, from: TraceCommandClock(shift).hostRaw) <= 1)
        #expect(difference(map, times, &random, from: try Self.reading(shift)) <= 2)
        #expect(shift.samples.count < 10)
    }

    @Test func `one exact offset is one sample without interpolation`() throws {
        let map = ClockMap(segments: [Segment(toHost: .offset(UInt64(bitPattern: -500)))], method: .kvmTSCOffset)
        #expect(
            map.timeShift(over: 1000...2000)
                == TimeShift(
                    interpolates: false,
                    samples: [TimeShiftSample(time: 1000, offset: UInt64(bitPattern: -500), scaling: 1)],
                    fractionBits: 0))
    }

    @Test func `exact offsets that change stay exact up to the end, where trace-cmd does not look at the last sample`()
        throws
    {
        var random = SplitMix64(seed: 2)
        let offsets: [UInt64] = [39_445_181_360, UInt64(bitPattern: -70), 12]
        let segments = offsets.enumerated().map {
            Segment(start: RawTime($0.offset * 1000), toHost: .offset($0.element))
        }
        let map = ClockMap(segments: segments, method: .kvmTSCOffset)
        for times: ClosedRange<RawTime> in [0...5000, 500...2000, 1500...2001, 2500...2500, 999...1000] {
            let shift = map.timeShift(over: times)
            #expect(!shift.interpolates)
            #expect(difference(map, times, &random, from: TraceCommandClock(shift).hostRaw) == 0)
            #expect(difference(map, times, &random, from: try Self.reading(shift)) == 0)
        }
    }

    @Test func `a scaled TSC stays exact for ourselves, and its lines are right for trace-cmd`() throws {
        var random = SplitMix64(seed: 3)
        let toHost = ClockMap.RawConversion.scaled(
            offset: 48_699_893_466, ratio: 0x0000_CCCC_CCCC_CCCC, fractionBits: 48)
        let map = ClockMap(segments: [Segment(toHost: toHost)], method: .kvmTSCOffset)
        let times: ClosedRange<RawTime> = 100_000_000_000...900_000_000_000
        let shift = map.timeShift(over: times)
        #expect(try #require(ClockMap.timeShift(shift, hostClock: nil)).segments.map(\.toHost) == [toHost])
        #expect(difference(map, times, &random, from: try Self.reading(shift)) == 0)
        let lines = map.lines(over: times)
        #expect(difference(map, times, &random, from: TraceCommandClock(lines).hostRaw) <= 1)
        #expect(difference(map, times, &random, from: try Self.reading(lines)) <= 2)
    }

    @Test func `a moment is enough`() throws {
        var random = SplitMix64(seed: 4)
        let segments = [0, 1000, 2000].map {
            Segment(start: $0, toHost: Self.line(from: $0, at: 7 - Int64($0), drift: -1e-4))
        }
        let map = ClockMap(segments: segments, method: .containment)
        for time: RawTime in [0, 999, 1000, 1001, 2000, 5000] {
            let shift = map.timeShift(over: time...time)
            #expect(shift.samples.count == 2)
            #expect(difference(map, time...time, &random, from: TraceCommandClock(shift).hostRaw) <= 1)
        }
        #expect(
            difference(map, 999...1000, &random, from: TraceCommandClock(map.timeShift(over: 999...1000)).hostRaw) <= 1)
        #expect(
            difference(map, 999...2000, &random, from: TraceCommandClock(map.timeShift(over: 999...2000)).hostRaw) <= 1)
    }
}
