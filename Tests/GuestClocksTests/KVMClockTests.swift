// KVM's own numbers as a clock map: guest = (host · ratio >> fraction bits) + offset, read backwards, and what changes
// of it mean.

import ClockSync
import Sessions
import Testing

@testable import GuestClocks

@Suite struct KVMClockTests {
    /// 2.5 cycles a ns, as the host's perf pages would say.
    private let host = CycleConversion(multiplier: UInt32((Double(1 << 31) / 2.5).rounded()), shift: 31, offset: 0)

    private func reading(
        _ moment: KVMReading.Moment, vcpu: Int = 0, thread: Int32 = 7, offset: Int64, ratio: UInt64? = nil,
        fractionBits: UInt32? = nil
    ) -> KVMReading {
        KVMReading(moment: moment, vcpu: vcpu, thread: thread, offset: offset, ratio: ratio, fractionBits: fractionBits)
    }

    private func candidate(_ readings: [KVMReading], _ changes: [TSCOffsetChange] = []) throws -> ClockCandidate {
        switch ClockCandidate.kvm(readings, changes, hostClock: host) {
        case .success(let candidate): return candidate
        case .failure(let reason): throw reason
        }
    }

    private func reason(_ readings: [KVMReading], _ changes: [TSCOffsetChange] = []) -> String? {
        if case .failure(let reason) = ClockCandidate.kvm(readings, changes, hostClock: host) {
            reason.text
        } else {
            nil
        }
    }

    @Test(arguments: [-5_000_000_000, 0, 77] as [Int64])
    func `an unscaled TSC differs by its offset`(offset: Int64) throws {
        let clock = try candidate([reading(.begin, offset: offset), reading(.end, offset: offset)])
        #expect(clock.error == 1)
        #expect(clock.maps.count == 1)
        for cycles in [6_000_000_000, 6_000_000_001, 1 << 52] as [UInt64] {
            #expect(clock.maps[0].hostTime(cycles &+ UInt64(bitPattern: offset)) == host.nanoseconds(cycles))
        }
    }

    /// Intel has 48 fraction bits, AMD 32; the ratio is the guest's rate by the host's.
    @Test(arguments: [(48, 1.5), (32, 0.7), (32, 1.000_3), (48, 0.25)] as [(UInt32, Double)])
    func `a scaled TSC is KVM's definition backwards, within a cycle`(fractionBits: UInt32, rate: Double) throws {
        let ratio = UInt64(rate * Double(UInt64(1) << UInt64(fractionBits)))
        let offset: Int64 = -123_456_789
        let clock = try candidate([reading(.begin, offset: offset, ratio: ratio, fractionBits: fractionBits)])
        for cycles in [9_000_000_000, 9_000_000_007, 1 << 55] as [UInt64] {
            let guest =
                UInt64(truncatingIfNeeded: (UInt128(cycles) * UInt128(ratio)) >> UInt128(fractionBits))
                &+ UInt64(bitPattern: offset)
            let error = try #require(clock.error)
            // One guest cycle is up to 1 / rate host cycles.
            #expect((1...2).contains(error))
            #expect(abs(clock.maps[0].hostTime(guest) - host.nanoseconds(cycles)) <= error)
        }
    }

    @Test func `an offset that KVM changed holds until kvm_write_tsc_offset says so`() throws {
        let clock = try candidate(
            [reading(.begin, offset: -1000), reading(.end, offset: -400)],
            [TSCOffsetChange(time: 50_000, thread: 7, previous: -1000, next: -400)])
        let map = clock.maps[0]
        for cycles in [10_000, 49_999] as [UInt64] { #expect(map.hostTime(cycles - 1000) == host.nanoseconds(cycles)) }
        for cycles in [50_001, 90_000] as [UInt64] { #expect(map.hostTime(cycles - 400) == host.nanoseconds(cycles)) }
    }

    @Test func `a change that nobody recorded, or that sets the clock back, is no exact clock`() {
        #expect(
            reason([reading(.begin, offset: -1000), reading(.end, offset: -400)])?.contains(
                "changed while nothing was recorded") == true)
        let other = TSCOffsetChange(time: 50_000, thread: 7, previous: -900, next: -400)
        #expect(
            reason([reading(.begin, offset: -1000), reading(.end, offset: -400)], [other])?.contains("changed while")
                == true)
        let back = TSCOffsetChange(time: 50_000, thread: 7, previous: -1000, next: -4000)
        #expect(
            reason([reading(.begin, offset: -1000), reading(.end, offset: -4000)], [back])?.contains(
                "set the guest's TSC back") == true)
        #expect(reason([])?.contains("debugfs") == true)
    }

    @Test func `vCPUs that differ have maps of their own`() throws {
        let clock = try candidate([
            reading(.begin, vcpu: 1, thread: 8, offset: -7), reading(.begin, vcpu: 0, offset: -5),
        ])
        #expect(clock.maps.count == 2)
        #expect(clock.maps[0].hostTime(100_000 - 5) == host.nanoseconds(100_000))
        #expect(clock.maps[1].hostTime(100_000 - 7) == host.nanoseconds(100_000))
    }
}
