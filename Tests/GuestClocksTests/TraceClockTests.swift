// Trace clocks: times are printed only where it is known what they count.

import ClockSync
import TestSupport
import Testing
import TraceData

@testable import GuestClocks

@Suite struct TraceClockTests {
    private static let rate = CycleConversion(multiplier: 1 << 30, shift: 31, offset: 0)

    /// A host's file, by KVM's events.
    private func host(_ clock: String?, rate: CycleConversion? = nil) -> TraceBuilder {
        let host = TraceBuilder()
        host.traceID(1)
        let entry = host.event("kvm", "kvm_entry")
        host.cpu(0).add(entry, at: 1000)
        finish(host, clock, rate)
        return host
    }

    /// A guest's file, recorded by hand unless it is shifted.
    private func guest(_ clock: String?, rate: CycleConversion? = nil, shift: TraceBuilder.Shift? = nil) -> TraceBuilder
    {
        let guest = TraceBuilder()
        guest.traceID(2)
        let event = guest.event("net", "netif_receive_skb")
        guest.cpu(0).add(event, at: 1000)
        if let shift { guest.timeShift(peer: 1, cpus: [[shift]]) }
        finish(guest, clock, rate)
        return guest
    }

    private func finish(_ trace: TraceBuilder, _ clock: String?, _ rate: CycleConversion?) {
        if let clock { trace.clock(clock) }
        if let rate { trace.tscToNanoseconds(multiplier: rate.multiplier, shift: rate.shift, offset: rate.offset) }
    }

    private func machines(_ traces: TraceBuilder...) throws -> Machines {
        try Machines(traces.enumerated().map { MachineFile(name: "\($0.offset)", file: try $0.element.open()) })
    }

    private func flaw(_ traces: TraceBuilder...) -> ClockFlaw? {
        do {
            _ = try Machines(traces.enumerated().map { MachineFile(name: "\($0.offset)", file: try $0.element.open()) })
        } catch SessionFault.clock(_, _, let flaw) {
            return flaw
        } catch {
            Issue.record("\(error)")
        }
        return nil
    }

    @Test(arguments: ["local", "global", "perf", "mono", "mono_raw", "boot", "tai", nil])
    func `a clock in ns, or one that an old file does not state, is taken as it is`(clock: String?) throws {
        #expect(try machines(host(clock)).hostClock == nil)
        #expect(try machines(host(clock), guest(clock, shift: .init(at: 0, offset: 5))).hostClock == nil)
        // Other clocks of the same unit differ by an offset and a drift, as any two machines' do.
        #expect(try machines(host(clock), guest("mono")).hostClock == nil)
    }

    @Test(arguments: [
        ("counter", TraceClockUnit.events), ("uptime", .jiffies), ("ppc-tb", .unknown), ("sundial", .unknown),
        ("", .unknown),
    ])
    func `a clock that measures no time, or in a unit nobody knows, is refused on either machine`(
        clock: String, unit: TraceClockUnit
    ) {
        #expect(flaw(host(clock)) == .unit(unit))
        #expect(flaw(host(clock, rate: Self.rate)) == .unit(unit))
        #expect(flaw(host("mono"), guest(clock, shift: .init(at: 0, offset: 0))) == .unit(unit))
        #expect(flaw(host(clock), guest("mono")) == .unit(unit))
    }

    @Test func `cycles are not printed as ns`() throws {
        #expect(flaw(host("x86-tsc")) == .noRate)
        #expect(flaw(host("tsc2nsec")) == .noRate)
        #expect(flaw(host("x86-tsc"), guest("x86-tsc", shift: .init(at: 0, offset: 0))) == .noRate)
        #expect(try machines(host("x86-tsc", rate: Self.rate)).hostClock == Self.rate)
    }

    @Test func `the rate that one file has serves all machines of the session`() throws {
        let own = try machines(host("x86-tsc", rate: Self.rate), guest("x86-tsc"))
        #expect(own.hostClock == Self.rate && own.rateGuest == nil)
        let other = CycleConversion(multiplier: 1 << 29, shift: 31, offset: 7)
        // A guest's own word is not taken where the host has one.
        #expect(try machines(host("x86-tsc", rate: Self.rate), guest("x86-tsc", rate: other)).hostClock == Self.rate)
        // Beside a TIME_SHIFT stands the host's, whatever the guest's TSC does.
        let scaled = TraceBuilder.Shift(at: 0, offset: 5, scaling: 3 << 31, fractionBits: 32)
        let shifted = try machines(host("x86-tsc"), guest("x86-tsc", rate: other, shift: scaled))
        #expect(shifted.hostClock == other && shifted.rateGuest == nil)
        #expect(shifted.host.maps == [.host(other)])
        // By hand it is the guest's own, and its offset belongs to the guest's counter.
        let byHand = try machines(host("x86-tsc"), guest("x86-tsc"), guest("x86-tsc", rate: other).with(id: 3))
        #expect(byHand.hostClock == CycleConversion(multiplier: 1 << 29, shift: 31, offset: 0))
        #expect(byHand.rateGuest == 1)
    }

    @Test func `a guest whose TSC runs at a rate of its own does not tell the host's`() throws {
        let machines = try machines(host("x86-tsc"), guest("x86-tsc", rate: Self.rate))
        let resolution = ClockResolution(machines, manifest: nil)
        #expect(try resolution.resolve(.offset(5)).count == 1)
        var drifting = ClockMap(
            segments: [.init(toHost: .interpolated(start: 0, end: 1 << 40, from: 0, to: 1 << 30))], method: .containment
        )
        #expect(throws: ClockFault.self) {
            try resolution.checkRate([GuestClock(ClockCandidate(maps: [drifting], summary: ""))])
        }
        drifting.segments[0].toHost = .scaled(offset: 0, ratio: 3 << 31, fractionBits: 32)
        #expect(throws: ClockFault.self) {
            try resolution.checkRate([GuestClock(ClockCandidate(maps: [drifting], summary: ""))])
        }
    }

    @Test func `cycles of one machine are not taken for ns of the other`() throws {
        for (hostClock, guestClock) in [("x86-tsc", "mono"), ("mono", "x86-tsc"), ("mono", "tsc2nsec")] {
            let host = host(hostClock, rate: hostClock == "x86-tsc" ? Self.rate : nil)
            for shift in [nil, TraceBuilder.Shift(at: 0, offset: 0)] {
                guard case .otherUnit(_, hostClock)? = flaw(host, guest(guestClock, rate: Self.rate, shift: shift))
                else {
                    Issue.record("\(hostClock) and \(guestClock)")
                    continue
                }
            }
        }
        #expect(flaw(host(nil), guest("x86-tsc", rate: Self.rate)) != nil)
    }

    @Test func `a rate that belongs to another instance makes no ns of ns`() throws {
        let machines = try machines(host("mono", rate: Self.rate), guest("mono", rate: Self.rate))
        #expect(machines.hostClock == nil)
        #expect(machines.guests.first?.ownConversion == nil)
    }

    /// trace-cmd split (3.1.6) leaves TRACECLOCK and TSC2NSEC away, and writes the times that it has made ns of.
    @Test func `what trace-cmd split calls cycles is not converted a second time`() {
        let part = TraceBuilder()
        let entry = part.event("kvm", "kvm_entry")
        part.cpu(0).add(entry, at: 1000)
        part.bufferClock("x86-tsc")
        #expect(flaw(part) == .noRateAfterSplit)
        #expect(flaw(part, guest("x86-tsc", rate: Self.rate, shift: .init(at: 0, offset: 0))) == .noRateAfterSplit)
    }
}

extension GuestClock {
    fileprivate init(_ candidate: ClockCandidate) {
        self.init()
        candidates = [candidate]
    }
}

extension TraceBuilder {
    /// The last trace id counts.
    fileprivate func with(id: UInt64) -> TraceBuilder {
        traceID(id)
        return self
    }
}
