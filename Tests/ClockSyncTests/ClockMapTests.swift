// Clock maps: raw guest times into host time, and the error of that.

import ClockSync
import Testing

@Suite struct ClockMapTests {
    @Test func `a cycle conversion is the kernel's multiplication and shift, in 128 bits`() {
        let conversion = CycleConversion(multiplier: 827_197_636, shift: 31, offset: 0)
        #expect(conversion.nanoseconds(0) == 0)
        #expect(conversion.nanoseconds(253_466_625_316) == Int64((UInt128(253_466_625_316) * 827_197_636) >> 31))
        // 2^60 cycles times 2^29 need more than 64 bits.
        #expect(conversion.nanoseconds(1 << 60) == Int64((UInt128(1 << 60) * 827_197_636) >> 31))
        #expect(CycleConversion(multiplier: 3, shift: 0, offset: 7).nanoseconds(5) == 22)
    }

    @Test func `an unscaled time shift adds its offset before cycles become ns`() throws {
        let shift = TimeShift(
            interpolates: false, samples: [TimeShiftSample(time: 1000, offset: 39_445_181_360, scaling: 1)],
            fractionBits: 0)
        let clock = CycleConversion(multiplier: 1 << 30, shift: 31, offset: 0)
        let map = try #require(ClockMap.timeShift(shift, hostClock: clock))
        #expect(map.hostTime(2000) == (2000 + 39_445_181_360) / 2)
        // Before the first sample the first offset holds.
        #expect(map.hostTime(0) == 39_445_181_360 / 2)
        #expect(map.method == .kvmTSCOffset)
        #expect(map.largestErrorBound == nil)
    }

    @Test func `a negative offset wraps as two's complement`() throws {
        let shift = TimeShift(
            interpolates: false, samples: [TimeShiftSample(time: 0, offset: UInt64(bitPattern: -500), scaling: 1)],
            fractionBits: 0)
        let map = try #require(ClockMap.timeShift(shift, hostClock: nil))
        #expect(map.hostTime(2000) == 1500)
        #expect(map.hostTime(100) == -400)
    }

    @Test func `offsets change at the time of their sample`() throws {
        let shift = TimeShift(
            interpolates: false,
            samples: [
                TimeShiftSample(time: 1000, offset: 10, scaling: 1),
                TimeShiftSample(time: 2000, offset: 20, scaling: 1),
            ],
            fractionBits: 0)
        let map = try #require(ClockMap.timeShift(shift, hostClock: nil))
        #expect(map.segments.count == 2)
        #expect(map.hostTime(1999) == 2009)
        #expect(map.hostTime(2000) == 2020)
        #expect(map.hostTime(500) == 510)
    }

    @Test func `an interpolated offset lies on the line between its neighbours`() throws {
        let shift = TimeShift(
            interpolates: true,
            samples: [
                TimeShiftSample(time: 1000, offset: 100, scaling: 1),
                TimeShiftSample(time: 2000, offset: 200, scaling: 1),
            ],
            fractionBits: 0)
        let map = try #require(ClockMap.timeShift(shift, hostClock: nil))
        #expect(map.hostTime(1000) == 1100)
        #expect(map.hostTime(1500) == 1650)
        #expect(map.hostTime(3000) == 3200)
        #expect(map.method == .timeShift)
    }

    @Test(arguments: [
        (ratio: UInt64(3) << 47, bits: UInt32(48)), (ratio: 0x0001_2345_6789_ABCD, bits: 48),
        (ratio: 0xC000_0000, bits: 32),
    ])
    func `a scaled TSC is KVM's definition read backwards`(scaling: (ratio: UInt64, bits: UInt32)) throws {
        // KVM: guest = host·ratio >> bits + tscOffset; the file holds the offset with its sign turned.
        let tscOffset: Int64 = -48_699_893_466
        let shift = TimeShift(
            interpolates: false,
            samples: [TimeShiftSample(time: 0, offset: UInt64(bitPattern: -tscOffset), scaling: scaling.ratio)],
            fractionBits: scaling.bits)
        let map = try #require(ClockMap.timeShift(shift, hostClock: nil))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1000 {
            let host = UInt64.random(in: 1 << 40..<1 << 50, using: &random)
            let guest =
                UInt64(truncatingIfNeeded: (UInt128(host) * UInt128(scaling.ratio)) >> UInt128(scaling.bits))
                &+ UInt64(bitPattern: tscOffset)
            // One guest cycle may stand for several host cycles.
            let slack = Int64((UInt128(1) << UInt128(scaling.bits)) / UInt128(scaling.ratio)) + 1
            #expect(abs(map.hostTime(guest) - Int64(host)) <= slack)
        }
    }

    @Test func `no samples and impossible scalings make no map`() {
        #expect(ClockMap.timeShift(TimeShift(interpolates: false, samples: [], fractionBits: 0), hostClock: nil) == nil)
        let zero = TimeShift(
            interpolates: false, samples: [TimeShiftSample(time: 0, offset: 0, scaling: 0)], fractionBits: 0)
        #expect(ClockMap.timeShift(zero, hostClock: nil) == nil)
        let wide = TimeShift(
            interpolates: false, samples: [TimeShiftSample(time: 0, offset: 0, scaling: 1)], fractionBits: 64)
        #expect(ClockMap.timeShift(wide, hostClock: nil) == nil)
    }

    @Test(arguments: [UInt64(0), 12_345_678_901, UInt64(bitPattern: -39_445_181_360)])
    func `the raw time of a host time is the map's inverse`(offset: UInt64) throws {
        let clock = CycleConversion(multiplier: 827_197_636, shift: 31, offset: 0)
        let segment = ClockMap.Segment(toHost: .offset(offset), toNanoseconds: clock)
        for time: Nanoseconds in [1, 1_000_000, 97_623_610_289] {
            #expect(abs(segment.hostTime(segment.rawTime(of: time)) - time) <= 1)
        }
    }
}
