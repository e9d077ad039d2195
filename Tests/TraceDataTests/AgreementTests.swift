// What virtlat reads is what trace-cmd reads, event by event and field by field.

import Glibc
import TestSupport
import Testing
import TraceData

@Suite struct AgreementTests {
    /// The events that the paths are made of: every name in the queries of PacketPath's `MarkKind`.
    private static let selected: Set<String> = Set(
        [
            "irq_handler_entry", "irq_handler_exit", "softirq_raise", "napi_gro_receive_entry", "napi_gro_frags_entry",
            "napi_gro_receive_exit", "napi_gro_frags_exit", "napi_poll", "netif_receive_skb", "net_dev_queue",
            "net_dev_start_xmit",
            "net_dev_xmit", "skb_copy_datagram_iovec", "consume_skb", "kfree_skb", "sched_switch", "sched_waking",
            "kvm_entry", "kvm_exit",
            "kvm_inj_virq", "kvm_msi_set_irq", "kvm_set_irq", "kvm_mmio", "kvm_fast_mmio", "kvm_pio",
        ] + ["sendto", "sendmsg", "sendmmsg", "write", "writev"].flatMap { ["sys_enter_" + $0, "sys_exit_" + $0] })

    @Test(arguments: ["tap-steady", "tap-burst", "tap-2vcpu-cross", "tap-tinybuf-lost"], ["host.dat", "host-g3.dat"])
    func `a recording reads as trace-cmd prints it, to the last field`(folder: String, name: String) throws {
        let agreement = try Agreement(Checkout.recording(folder) + "/" + name, fieldsOf: Self.selected.contains)
        #expect(agreement.differences == 0, "\(agreement.examples.joined(separator: "\n"))")
        #expect(agreement.events > 1000)
        #expect(agreement.numbers > 1000)
        #expect(agreement.strings > 100)
        print(
            "\(folder)/\(name): \(agreement.events) events, \(agreement.numbers) numbers, \(agreement.strings) strings compared"
        )
    }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a built file reads as trace-cmd prints it`(version: TraceBuilder.Version) throws {
        let trace = TraceBuilder(version: version)
        let event = trace.event("test", "event", [.u8("a"), .s16("b"), .u32("c"), .s64("d"), .string("name")])
        let other = trace.event("other", "tick", [.u32("n")])
        trace.clock("local")
        trace.cpuCount(2)
        trace.traceID(1)
        for cpu in 0..<2 {
            let cpu = trace.cpu(cpu)
            for n in 0..<300 {
                cpu.add(
                    event, at: cpu.time + 100, pid: 7,
                    ["a": .of(n), "b": .of(-n), "c": .of(n << 20), "d": .of(-n << 40), "name": .text("eth\(n % 3)")])
                switch n % 50 {
                case 5: cpu.timeExtend(by: 1 << 30)
                case 10: cpu.discarded(bytes: 40, delta: 9)
                case 15: cpu.timeStamp(cpu.time + 77)
                case 20: cpu.lost(12)
                case 25: cpu.lost()
                case 30: cpu.add(other, at: cpu.time + 5, pid: 0, ["n": .of(n)], size: 400)
                case 35: cpu.add(other, at: cpu.time + 1 << 28, ["n": .of(n)])
                case 40: cpu.pagePadding()
                default: break
                }
            }
        }
        let path = temporaryPath("built.dat")
        trace.write(to: path)
        defer { remove(path) }
        let agreement = try Agreement(path) { _ in true }
        #expect(agreement.differences == 0, "\(agreement.examples.joined(separator: "\n"))")
        #expect(agreement.events == 624)
    }

    /// Options that change what a timestamp means.
    ///
    /// Scaled and interpolated shifts are left out: trace-cmd 3.1 leaves the scaling away where there is one
    /// correction, applies it the other way round than KVM defines it where there are several, and draws lines beyond
    /// the first and last correction. It also ignores the offset of TSC2NSEC.
    enum Clock: String, CaseIterable {
        case nanoseconds, cycles, fixedOffset, cyclesAndFixedOffset, shifted, shiftedBack, shiftedCycles, severalShifts

        func describe(_ trace: TraceBuilder) {
            switch self {
            case .nanoseconds: trace.clock("local")
            case .fixedOffset: trace.fixedOffset(123_456)
            case .cycles, .cyclesAndFixedOffset, .shiftedCycles:
                trace.clock("x86-tsc")
                trace.bufferClock("tsc2nsec")
                trace.tscToNanoseconds(multiplier: 827_197_636, shift: 31)
                if self == .cyclesAndFixedOffset { trace.fixedOffset(-100) }
                if self == .shiftedCycles { trace.timeShift(peer: 5, cpus: [[.init(at: 0, offset: 39_445_181_360)]]) }
            case .shifted: trace.timeShift(peer: 5, cpus: [[.init(at: 0, offset: 39_445_181_360)]], hasFractions: false)
            case .shiftedBack: trace.timeShift(peer: 5, cpus: [[.init(at: 2000, offset: -900)]])
            case .severalShifts:
                // The last correction lies behind all events: beyond it trace-cmd takes the one before.
                trace.timeShift(
                    peer: 5,
                    cpus: [
                        [
                            .init(at: 20_000, offset: 500), .init(at: 50_000, offset: 700),
                            .init(at: 1_000_000, offset: 650),
                        ]
                    ])
            }
        }
    }

    @Test(arguments: Clock.allCases) func `times are those of trace-cmd under every option that changes them`(
        clock: Clock
    ) throws {
        let trace = TraceBuilder()
        let event = trace.event("test", "event", [.u32("n")])
        trace.cpuCount(1)
        trace.traceID(1)
        clock.describe(trace)
        for n in 0..<200 { trace.cpu(0).add(event, at: UInt64(1000 + 1013 * n), ["n": .of(n)]) }
        let path = temporaryPath("clock.dat")
        trace.write(to: path)
        defer { remove(path) }
        let agreement = try Agreement(path) { _ in true }
        #expect(agreement.differences == 0, "\(agreement.examples.joined(separator: "\n"))")
        #expect(agreement.events == 200)
    }
}
