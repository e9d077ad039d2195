// Packets whose events lie in the buffers of several ftrace instances: the same journeys as out of one.

import ClockSync
import GuestClocks
import Sessions
import TestSupport
import Testing
import TraceData

@testable import PacketPath

@Suite struct InstanceJourneyTests {
    private final class Journeys: JourneySink {
        var all: [Journey] = []
        func take(_ journey: borrowing Journey) { all.append(copy journey) }
    }

    /// Packets that a host's own thread reads, by interrupt, NAPI, stack and wake-up.
    /// - Parameter instances: where an event of a system is recorded; the first one has its true time.
    private func trace(_ version: TraceBuilder.Version, _ instances: (_ system: String) -> [String]) -> TraceBuilder {
        let trace = TraceBuilder(version: version)
        trace.clock("mono")
        let irqEntry = trace.event("irq", "irq_handler_entry", [.s32("irq"), .string("name")])
        let irqExit = trace.event("irq", "irq_handler_exit", [.s32("irq"), .s32("ret")])
        let raise = trace.event("irq", "softirq_raise", [.u32("vec")])
        let receive = trace.event("net", "napi_gro_receive_entry", [.string("name"), .pointer("skbaddr"), .u32("len")])
        let stack = trace.event("net", "netif_receive_skb", [.pointer("skbaddr"), .u32("len"), .string("name")])
        let poll = trace.event(
            "napi", "napi_poll", [.pointer("napi"), .string("dev_name"), .s32("work"), .s32("budget")])
        let waking = trace.event("sched", "sched_waking", [.s32("pid")])
        let change = trace.event("sched", "sched_switch", [.s32("prev_pid"), .s64("prev_state"), .s32("next_pid")])
        let copy = trace.event("skb", "skb_copy_datagram_iovec", [.pointer("skbaddr"), .s32("len")])
        let consume = trace.event("skb", "consume_skb", [.pointer("skbaddr")])
        for packet in 0..<20 as Range<UInt64> {
            var time = 1_000_000 + packet * 100_000
            let skb = FieldValue.of(0xffff_8880_0000_1000 + packet % 3 * 0x100)
            func add(_ event: BuiltEvent, pid: Int32 = 0, flags: UInt8 = 0, _ values: [String: FieldValue]) {
                time += 1000
                for (index, name) in instances(event.system).enumerated() {
                    trace.cpu(0, instance: name).add(
                        event, at: time + UInt64(150 * index), pid: pid, flags: flags, values)
                }
            }
            add(irqEntry, flags: 0x08, ["irq": 30, "name": "eth0-rx-0"])
            add(raise, flags: 0x08, ["vec": 3])
            add(irqExit, flags: 0x08, ["irq": 30, "ret": 1])
            add(receive, flags: 0x10, ["name": "eth0", "skbaddr": skb, "len": 86])
            add(stack, flags: 0x10, ["name": "eth0", "skbaddr": skb, "len": 86])
            add(waking, flags: 0x10, ["pid": 70])
            add(poll, flags: 0x10, ["napi": 0x4000, "dev_name": "eth0", "work": 1, "budget": 64])
            add(change, ["prev_pid": 0, "prev_state": 0, "next_pid": 70])
            add(copy, pid: 70, ["skbaddr": skb, "len": 44])
            add(consume, pid: 70, ["skbaddr": skb])
            add(change, pid: 70, ["prev_pid": 70, "prev_state": 1, "next_pid": 0])
        }
        return trace
    }

    private func journeys(_ trace: TraceBuilder) throws -> [Journey] {
        let journeys = Journeys()
        let machines = try Machines([MachineFile(name: "host", file: try trace.open())])
        _ = try Analysis(machines).run(into: journeys)
        return journeys.all
    }

    private func expectSame(_ found: [Journey], _ whole: [Journey], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(found.map(\.outcome) == whole.map(\.outcome), sourceLocation: sourceLocation)
        for (one, other) in zip(found, whole) {
            for point in Point.allCases {
                #expect(one.times.has(point) == other.times.has(point), "\(point)", sourceLocation: sourceLocation)
                if one.times.has(point), other.times.has(point) {
                    #expect(one.times[point] == other.times[point], "\(point)", sourceLocation: sourceLocation)
                }
            }
        }
    }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a packet whose events lie in two buffers is followed as if they lay in one`(version: TraceBuilder.Version)
        throws
    {
        let whole = try journeys(trace(version) { _ in [""] })
        #expect(whole.count { $0.outcome == .complete && $0.times.has(.nicIRQ) && $0.times.has(.appRun) } >= 19)
        expectSame(try journeys(trace(version) { ["irq", "sched"].contains($0) ? ["a"] : ["b"] }), whole)
        expectSame(try journeys(trace(version) { ["irq", "skb"].contains($0) ? ["b"] : [""] }), whole)
    }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a packet whose events were recorded twice is followed once`(version: TraceBuilder.Version) throws {
        let whole = try journeys(trace(version) { _ in [""] })
        expectSame(try journeys(trace(version) { _ in ["a", "b"] }), whole)
        expectSame(try journeys(trace(version) { $0 == "sched" ? ["b"] : ["a", "b", "c"] }), whole)
    }

    // MARK: Their clocks

    private func flaw(_ version: TraceBuilder.Version, _ fill: (TraceBuilder) -> Void) throws -> ClockFlaw? {
        let trace = TraceBuilder(version: version)
        let event = trace.event("net", "netif_receive_skb")
        for name in ["a", "b"] { trace.cpu(0, instance: name).add(event, at: 1000) }
        fill(trace)
        do {
            _ = try Machines([MachineFile(name: "host", file: try trace.open())])
        } catch SessionFault.clock(_, _, let flaw) {
            return flaw
        }
        return nil
    }

    private func end(_ trace: TraceBuilder, _ a: String, _ b: String) {
        for (name, now) in [("a", a), ("b", b)] {
            trace.statistics(ofBuffer: name)
            trace.statistics(cpu: 0, overrun: 0, dropped: 0, now: now)
        }
    }

    @Test func `buffers whose clocks have different names are not merged`() throws {
        #expect(
            try flaw(.v7) {
                $0.bufferClock("mono", instance: "a")
                $0.bufferClock("boot", instance: "b")
            } == .severalClocks(first: "a", second: "b"))
        // An instance without events has no say.
        #expect(
            try flaw(.v7) {
                $0.clock("mono")
                $0.bufferClock("boot")
                for name in ["a", "b"] { $0.bufferClock("mono", instance: name) }
            } == nil)
    }

    /// trace-cmd states one clock for all; each ring buffer's own says at the end what it counted.
    @Test(arguments: TraceBuilder.Version.allCases)
    func `buffers whose clocks differ are not merged, whatever the file calls them`(version: TraceBuilder.Version)
        throws
    {
        for (a, b) in [
            ("1044.912013", "2556926646956"), ("1044.912013", "1760000123.000001"), ("1044.912013", "1043.912013"),
        ] {
            #expect(
                try flaw(version) { end($0, a, b) } == .severalClocks(first: "a", second: "b"), "\(a) \(b)")
        }
        #expect(try flaw(version) { end($0, "1044.912013", "1044.912090") } == nil)
        #expect(
            try flaw(version) {
                $0.clock("x86-tsc")
                $0.tscToNanoseconds(multiplier: 1 << 30, shift: 31)
                end($0, "2556926646956", "2556926712690")
            } == nil)
    }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a buffer that counted cycles is not taken for ns because the file says so`(version: TraceBuilder.Version)
        throws
    {
        for clock in ["local", "mono", nil] {
            #expect(
                try flaw(version) {
                    if let clock { $0.clock(clock) }
                    end($0, "2556926646956", "2556926712690")
                } == .mistaken(buffer: "b"))
        }
        #expect(
            try flaw(version) {
                $0.clock("x86-tsc")
                $0.tscToNanoseconds(multiplier: 1 << 30, shift: 31)
                end($0, "1044.912013", "1044.912090")
            } == .mistaken(buffer: "b"))
    }

    @Test func `trace-cmd's name of an instance's clock does not hide the one that is stated`() throws {
        func clock(_ buffer: String?, _ stated: String?) throws -> String? {
            let trace = TraceBuilder()
            let event = trace.event("net", "netif_receive_skb")
            trace.cpu(0, instance: "a").add(event, at: 1000)
            if let stated { trace.clock(stated) }
            if let buffer { trace.bufferClock(buffer, instance: "a") }
            return try trace.open().traceClock
        }
        #expect(try clock("local", "x86-tsc") == "x86-tsc")
        #expect(try clock("tsc2nsec", "x86-tsc") == "tsc2nsec")
        #expect(try clock("mono", "mono") == "mono")
        #expect(try clock(nil, "mono") == "mono")
        #expect(try clock("local", nil) == "local")
        #expect(try clock(nil, nil) == nil)
    }
}
