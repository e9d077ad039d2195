// What trace-cmd, the reference, makes of a time shift that was stored.

import ClockSync
import Glibc
import LinuxSystem
import TestSupport
import Testing
import TraceData

@Suite(.enabled(if: TraceCommand.isInstalled, "needs trace-cmd: apt-get install trace-cmd"))
final class TimeShiftReportTests {
    private let host = temporaryPath("host.dat")
    private let guest = temporaryPath("guest.dat")

    deinit {
        unlink(host)
        unlink(guest)
    }

    /// Each event's n and time in the order of trace-cmd's report of both files.
    private func report() throws -> [(n: Int, time: Int64)] {
        let text = try TraceCommand.run(["report", "-R", "-t", "-i", host, "-i", guest])
        let lines = withExtendedLifetime(text) { String(decoding: text.bytes, as: UTF8.self).split(separator: "\n") }
        return lines.compactMap { line in
            // "guest.dat:  <...>-5  [000]  16.171274000: number:  n=7"
            guard let name = line.firstRange(of: ": number:"), let field = line.firstRange(of: " n=") else {
                return nil
            }
            let time = line[..<name.lowerBound].split(separator: " ").last!.split(separator: ".")
            // Cycles have no point.
            guard time.count == 2 else { return (Int(line[field.upperBound...])!, -1) }
            return (Int(line[field.upperBound...])!, Int64(time[0])! * 1_000_000_000 + Int64(time[1])!)
        }
    }

    private static func trace(
        _ version: TraceBuilder.Version, _ packing: TraceBuilder.Packing, times: [(n: Int, time: RawTime)]
    )
        -> TraceBuilder
    {
        let trace = TraceBuilder(version: version, packing: packing)
        let number = trace.event("test", "number", [.u32("n")], printFormat: "\"n=%u\", REC->n")
        for (n, time) in times { trace.cpu(n / 2 % 2).add(number, at: time, pid: 5, ["n": .of(n)]) }
        trace.clock("mono")
        trace.cpuCount(2)
        trace.traceID(UInt64(77 + version.rawValue))
        return trace
    }

    // Debian's trace-cmd knows no zlib.
    @Test(arguments: [(TraceBuilder.Version.v6, TraceBuilder.Packing.none), (.v7, .none), (.v7, .zstd)])
    func `host and guest take turns, at the times the map says`(
        version: TraceBuilder.Version, packing: TraceBuilder.Packing
    ) throws {
        // The guest's clock is 5 s late, gains 80 ppm, is set back by 3 ms and loses 50 ppm from then on.
        let lines: [(start: RawTime, offset: Int64, drift: Double)] = [
            (1_000_000_000, 5_000_000_000, -80e-6), (1_400_000_000, 5_003_000_000, 50e-6),
        ]
        let map = ClockMap(
            segments: lines.map { line in
                let change = Int64(line.drift * 1e9)
                return ClockMap.Segment(
                    start: line.start,
                    toHost: .interpolated(
                        start: line.start, end: line.start + 1_000_000_000, from: line.offset, to: line.offset + change)
                )
            }, method: .containment)
        let guestTimes = (0..<400).map { (n: 2 * $0 + 1, time: 1_000_001_000 + RawTime($0) * 2_000_123) }
        let hostTimes = guestTimes.map { (n: $0.n - 1, time: RawTime(map.hostTime($0.time)) - 5) }
        Self.trace(version, packing, times: hostTimes).write(to: host)
        let trace = Self.trace(version, packing, times: guestTimes)
        trace.timeShift(peer: 1, cpus: [[.init(at: 0, offset: 99)], [.init(at: 0, offset: 99)]])
        trace.write(to: guest)
        // It is another order before.
        #expect(try report().map(\.n) != Array(0..<800))

        let shift = map.timeShift(over: guestTimes[0].time...guestTimes[399].time)
        let peer = try #require(try TraceFile(path: host).options.traceID)
        try TimeShiftExport.write([shift, shift], peer: peer, hostClock: nil, to: guest)
        let events = try report()
        try #require(events.map(\.n) == Array(0..<800))
        let clock = TraceCommandClock(shift)
        for (event, raw) in zip(events.filter { $0.n % 2 == 1 }, guestTimes) {
            #expect(event.time == clock.hostRaw(raw.time).map { Int64($0) })
            #expect(abs(event.time - map.hostTime(raw.time)) <= 1)
        }
    }

    @Test func `a guest whose TSC nothing converts is shown in the host's ns`() throws {
        let conversion = CycleConversion(multiplier: 827_197_636, shift: 31, offset: 0)
        let times = (0..<50).map { (n: $0, time: 40_000_000_000 + RawTime($0) * 26_000) }
        Self.trace(.v7, .none, times: []).write(to: host)
        let trace = Self.trace(.v7, .none, times: times)
        trace.clock("x86-tsc")
        trace.write(to: guest)
        let map = ClockMap(
            segments: [.init(toHost: .offset(39_445_181_360), toNanoseconds: conversion)], method: .kvmTSCOffset)
        let shift = map.timeShift(over: times[0].time...times[49].time)
        try TimeShiftExport.write([shift, shift], peer: 84, hostClock: conversion, to: guest)
        #expect(try report().map(\.time) == times.map { map.hostTime($0.time) })
    }

    @Test(arguments: ["7", "6"]) func `every event of a recording has our time in trace-cmd's report`(version: String)
        throws
    {
        let original = Checkout.recording("tap-2vcpu-cross") + "/host-g3.dat"
        try TraceCommand.run(["convert", "--file-version", version, "-i", original, "-o", guest])
        let before = try TraceFile(path: guest)
        let moved = before.options.timeShifts.map { shift in
            TimeShift(
                interpolates: false,
                samples: shift.samples.map { .init(time: $0.time, offset: $0.offset &- 5_000_000, scaling: 1) },
                fractionBits: 0)
        }
        try TimeShiftExport.write(moved, peer: 3, hostClock: before.options.tscToNanoseconds, to: guest)
        #expect(try TraceFile(path: guest).options.timeShifts == moved)
        // Agreement reads by the shift that stands in the file.
        let agreement = try Agreement(guest) { _ in false }
        #expect(agreement.events > 1000)
        #expect(agreement.differences == 0, "\(agreement.examples)")
        // trace-cmd walks over all sections and options here.
        let dump = try TraceCommand.run(["dump", "--options", "-i", guest])
        #expect(
            withExtendedLifetime(dump) { String(decoding: dump.bytes, as: UTF8.self).contains("0x3 [peer's trace id]") }
        )
    }
}

extension TraceCommand {
    fileprivate static let isInstalled = (try? run(["list", "-c"])) != nil
}
