// Damaged files: refused or read, never worse. Run these with the address sanitizer as well:
// `swift test --sanitize=address --filter Robustness`.

import Glibc
import LinuxSystem
import TestSupport
import Testing
import TraceData

/// Whatever a file holds: it is refused by name or read to its end, and the marks of a lane never go back in time.
///
@Suite(.serialized) struct RobustnessTests {
    /// What a built file is like.
    static let forms: [(version: TraceBuilder.Version, packing: TraceBuilder.Packing)] = [
        (.v6, .none), (.v7, .none), (.v7, .zlib), (.v7, .zstd),
    ]

    /// A small file that has a bit of everything.
    private static func built(_ version: TraceBuilder.Version, _ packing: TraceBuilder.Packing) -> [UInt8] {
        let trace = TraceBuilder(version: version, packing: packing, pageSize: 1024)
        trace.pagesPerChunk = 2
        let irq = trace.event("irq", "irq_handler_entry", [.s32("irq"), .string("name")])
        let raise = trace.event("irq", "softirq_raise", [.u32("vec")])
        let receive = trace.event(
            "net", "napi_gro_receive_entry", [.pointer("skbaddr"), .u32("len"), .relativeString("name")])
        let switched = trace.event(
            "sched", "sched_switch", [.characters("prev_comm", 16), .s64("prev_state"), .s32("next_pid")])
        let free = trace.event(
            "skb", "kfree_skb", [.pointer("skbaddr"), .u32("reason")],
            printFormat: "\"%s\", __print_symbolic(REC->reason, { 1, \"A\" }, { 2, \"B\" })")
        trace.clock("x86-tsc")
        trace.uname("Linux lab 6.1.0 x86_64")
        trace.traceID(77)
        trace.cpuCount(2)
        trace.statistics(cpu: 0, overrun: 1, dropped: 2)
        trace.guest("g1", traceID: 78, threads: [0: 11, 1: 12])
        trace.nextOptionsSection()
        trace.tscToNanoseconds(multiplier: 827_197_636, shift: 31)
        trace.timeShift(
            peer: 79,
            cpus: [
                [.init(at: 1000, offset: 5000), .init(at: 90_000, offset: 5020), .init(at: 1 << 30, offset: -5020)],
                [.init(at: 500, offset: 9, scaling: 3 << 47, fractionBits: 48)],
            ], interpolates: true)
        trace.commandLines = [11: "CPU 0/KVM", 12: "ping"]
        for cpu in 0..<2 {
            let cpu = trace.cpu(cpu)
            for n in 0..<30 {
                let pid = Int32(n % 5)
                cpu.add(irq, at: cpu.time + 100, pid: pid, flags: 8, ["irq": .of(n), "name": .text("virtio\(n % 3)")])
                cpu.add(receive, at: cpu.time + 5, pid: pid, ["skbaddr": .of(n * 256), "len": 98, "name": "eth0"])
                switch n % 12 {
                case 1: cpu.add(raise, at: cpu.time + 3, ["vec": 3])
                case 3: cpu.add(switched, at: cpu.time + 1 << 28, pid: pid, ["prev_comm": "ping", "next_pid": .of(n)])
                case 4: cpu.add(free, at: cpu.time + 9, ["skbaddr": .of(n * 256), "reason": 2])
                case 5: cpu.discarded(bytes: 24, delta: 8)
                case 6: cpu.timeStamp(cpu.time + 1000)
                case 7: cpu.lost(n % 2 == 0 ? 9 : nil)
                case 8: cpu.add(switched, at: cpu.time + 4, pid: pid, size: 200)
                case 9: cpu.pagePadding()
                default: break
                }
            }
        }
        return trace.bytes
    }

    @Test(arguments: forms) func `a built file cut anywhere is refused or read to its end`(
        form: (version: TraceBuilder.Version, packing: TraceBuilder.Packing)
    ) {
        var tally = Tally()
        defer { Watchdog.stop() }
        let file = DamagedFile(
            "built version \(form.version.rawValue) \(form.packing.rawValue)", Self.built(form.version, form.packing),
            seed: 1)
        file.truncateEverywhere(step: 23, &tally)
        print(tally)
        #expect(tally.truncated >= 500)
        #expect(tally.refused > 100)
    }

    @Test(arguments: forms) func `a built file overwritten anywhere is refused or read to its end`(
        form: (version: TraceBuilder.Version, packing: TraceBuilder.Packing)
    ) {
        var tally = Tally()
        defer { Watchdog.stop() }
        let file = DamagedFile(
            "built version \(form.version.rawValue) \(form.packing.rawValue)", Self.built(form.version, form.packing),
            seed: 2)
        file.corrupt(1500, &tally)
        print(tally)
        #expect(tally.corrupted == 1500)
        #expect(tally.refused > 10)
        #expect(tally.withDefects > 0)
    }

    @Test(arguments: [["--file-version", "6"], ["--compression", "none"], []])
    func `a damaged recording is refused or read to its end`(options: [String]) throws {
        let path = Checkout.recording("tap-burst") + "/host-g3.dat"
        let converted = temporaryPath("converted.dat")
        defer { unlink(converted) }
        if !options.isEmpty { try TraceCommand.run(["convert", "-i", path, "-o", converted] + options) }
        let source = options.isEmpty ? path : converted
        let mapped = try MappedFile(path: source)
        let bytes = withExtendedLifetime(mapped) { Array(mapped.bytes) }

        // Almost all of the file is kallsyms, which nobody reads: damage headers and formats, options, events and what
        // is behind them.
        let data = try TraceFile(path: source).buffers.flatMap(\.cpus).map(\.range)
        let start = try #require(data.map(\.lowerBound).min())
        let end = try #require(data.map(\.upperBound).max())
        let regions = [
            0..<1000, 0..<(options.isEmpty ? 6000 : 40_000), start - 5000..<start, start..<end, end..<bytes.count,
        ]
        let file = DamagedFile("tap-burst \(options)", bytes, seed: 3, regions: regions)
        var tally = Tally()
        defer { Watchdog.stop() }
        file.truncate(100, &tally)
        file.corrupt(300, &tally)
        print(tally)
        #expect(tally.truncated == 100)
        #expect(tally.corrupted == 300)
        #expect(tally.refused > 10)
        #expect(tally.withDefects > 0)
    }
}
