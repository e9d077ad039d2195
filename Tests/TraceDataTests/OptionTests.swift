// What a file says of its machine.

import ClockSync
import TestSupport
import Testing
import TraceData

@Suite struct OptionTests {
    /// A file with a little data and the options that `describe` adds.
    private static func options(_ version: TraceBuilder.Version, _ describe: (TraceBuilder) -> Void) throws -> TraceFile
    {
        let trace = TraceBuilder(version: version)
        trace.cpu(1).add(trace.event("test", "event"), at: 1000)
        describe(trace)
        return try trace.open()
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `every option arrives, from either version`(
        version: TraceBuilder.Version
    ) throws {
        let file = try Self.options(version) { trace in
            trace.clock("x86-tsc")
            trace.uname("Linux lab1 6.1.0-56-amd64 x86_64")
            trace.cpuCount(4)
            trace.traceID(0x60F6_B37F_FCEC_3039)
            trace.tscToNanoseconds(multiplier: 827_197_636, shift: 31, offset: 9)
            trace.statistics(cpu: 0, overrun: 3, dropped: 0)
            trace.statistics(cpu: 1, overrun: 0, dropped: 12)
            trace.guest("g1", traceID: 77, threads: [0: 181, 1: 182])
            trace.guest("", traceID: 78, threads: [:])
            trace.fixedOffset(-1234)
        }
        let options = file.options
        #expect(options.clock == "x86-tsc")
        #expect(options.uname == "Linux lab1 6.1.0-56-amd64 x86_64")
        #expect(options.hostName == "lab1")
        #expect(options.release == "6.1.0-56-amd64")
        #expect(options.cpuCount == 4)
        #expect(options.traceID == 0x60F6_B37F_FCEC_3039)
        #expect(options.tscToNanoseconds == CycleConversion(multiplier: 827_197_636, shift: 31, offset: 9))
        #expect(options.statistics.map(\.cpu) == [0, 1])
        #expect(options.statistics.map(\.overrun) == [3, 0])
        #expect(options.statistics.map(\.dropped) == [0, 12])
        #expect(options.guests.map(\.name) == ["g1", ""])
        #expect(options.guests.map(\.traceID) == [77, 78])
        #expect(options.guests.map(\.threadOfCPU) == [[0: 181, 1: 182], [:]])
        #expect(options.fixedOffset == -1234)
        #expect(options.timeShifts.isEmpty)
        #expect(options.peerTraceID == nil)
    }

    @Test(arguments: TraceBuilder.Version.allCases, [true, false])
    func `time shifts are read with and without fraction bits`(version: TraceBuilder.Version, hasFractions: Bool) throws
    {
        let file = try Self.options(version) { trace in
            trace.timeShift(
                peer: 0xabc,
                cpus: [
                    [
                        .init(at: 1000, offset: 39_445_181_360, fractionBits: 32),
                        .init(at: 2000, offset: -5, fractionBits: 32),
                    ],
                    [.init(at: 1500, offset: 7, scaling: 1 << 48, fractionBits: 48)],
                ], hasFractions: hasFractions, interpolates: true)
        }
        #expect(file.options.peerTraceID == 0xabc)
        #expect(
            file.options.timeShifts == [
                TimeShift(
                    interpolates: true,
                    samples: [
                        TimeShiftSample(time: 1000, offset: 39_445_181_360, scaling: 1),
                        TimeShiftSample(time: 2000, offset: UInt64(bitPattern: -5), scaling: 1),
                    ], fractionBits: hasFractions ? 32 : 0),
                TimeShift(
                    interpolates: true, samples: [TimeShiftSample(time: 1500, offset: 7, scaling: 1 << 48)],
                    fractionBits: hasFractions ? 48 : 0),
            ])
    }

    @Test func `options of several sections are all read`() throws {
        let file = try Self.options(.v7) { trace in
            trace.traceID(7)
            trace.nextOptionsSection()
            trace.cpuCount(2)
            trace.nextOptionsSection()
            trace.nextOptionsSection()
            trace.uname("Linux a b c")
        }
        #expect(file.options.traceID == 7)
        #expect(file.options.cpuCount == 2)
        #expect(file.options.uname == "Linux a b c")
        #expect(file.buffers.count == 1)
        #expect(file.formats.count == 1)
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `unknown options are passed over`(
        version: TraceBuilder.Version
    ) throws {
        let file = try Self.options(version) { trace in
            trace.option(999, [1, 2, 3])
            trace.option(1, Array("date".utf8))
            trace.option(6, [])
            trace.traceID(7)
        }
        #expect(file.options.traceID == 7)
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `instances are buffers of their own`(
        version: TraceBuilder.Version
    ) throws {
        let trace = TraceBuilder(version: version)
        let event = trace.event("test", "event", [.u32("n")])
        trace.cpu(0).add(event, at: 1000, ["n": 1])
        trace.cpu(0, instance: "virtlat").add(event, at: 500, ["n": 2])
        trace.cpu(1, instance: "virtlat").add(event, at: 2000, ["n": 3])
        let file = try trace.open()
        let scan = try Scan(file, [EventQuery("event", kind: 1, [.number("n", to: .a)])])
        #expect(file.buffers.map(\.name) == ["", "virtlat"])
        #expect(scan.events.a == [2, 1, 3])
        // A CPU is one lane, however many buffers it writes to.
        #expect(scan.lanes.map(\.cpu) == [0, 1])
    }

    @Test func `a buffer's own clock is kept beside the machine's`() throws {
        let file = try Self.options(.v7) { trace in
            trace.clock("x86-tsc")
            trace.bufferClock("tsc2nsec")
        }
        #expect(file.buffers[0].clock == "tsc2nsec")
        #expect(file.options.clock == "x86-tsc")
    }

    @Test func `CPUs keep their numbers when some wrote nothing`() throws {
        for version in TraceBuilder.Version.allCases {
            let trace = TraceBuilder(version: version)
            let event = trace.event("test", "event")
            for cpu in [2, 5] { trace.cpu(cpu).add(event, at: UInt64(cpu)) }
            let file = try trace.open()
            #expect(file.buffers[0].cpus.filter { !$0.range.isEmpty }.map(\.cpu) == [2, 5])
            #expect(try Scan(file, []).lanes.map(\.cpu) == [2, 5])
        }
    }

    @Test func `numbers no machine has are corrupt`() throws {
        func section(_ change: (TraceBuilder) -> Void) -> String? {
            let trace = TraceBuilder()
            trace.cpu(0).add(trace.event("test", "event"), at: 1)
            change(trace)
            switch fault(of: trace) {
            case .corrupt(let section, _, _), .truncated(let section, _, _): return section
            default: return nil
            }
        }
        #expect(section { $0.tscToNanoseconds(multiplier: 0, shift: 31) } == "option 14")
        #expect(section { $0.tscToNanoseconds(multiplier: 1, shift: 64) } == "option 14")
        #expect(section { $0.option(14, [1, 2, 3]) } == "option 14")
        #expect(section { $0.option(11, [1]) } == "option 11")
        #expect(section { $0.option(8, []) } == "option 8")
        // A guest of 2^32 - 1 CPUs, and a time shift for as many.
        #expect(section { $0.option(13, [0] + [UInt8](repeating: 0, count: 8) + [255, 255, 255, 255]) } == "option 13")
        #expect(section { $0.option(12, [UInt8](repeating: 0, count: 12) + [255, 255, 255, 255]) } == "option 12")
        // One CPU with 2^32 - 1 corrections.
        #expect(
            section { $0.option(12, [UInt8](repeating: 0, count: 12) + [1, 0, 0, 0, 255, 255, 255, 255]) }
                == "option 12")
        // A name without an end.
        #expect(section { $0.option(13, Array("guest".utf8)) } == "option 13")
    }
}
