// Everything a ring buffer writes between two events, and every size of event.

import TestSupport
import Testing
import TraceData

@Suite struct SubBufferTests {
    private static let numbers = [EventQuery("number", kind: 1, [.number("n", to: .a)])]

    /// A trace with the event `number`, of one field, and `filler`, of none.
    private static func trace(
        _ version: TraceBuilder.Version = .v7, packing: TraceBuilder.Packing = .none, pageSize: Int = 4096,
        longSize: Int = 8
    ) -> (trace: TraceBuilder, number: BuiltEvent, filler: BuiltEvent) {
        let trace = TraceBuilder(version: version, packing: packing, pageSize: pageSize, longSize: longSize)
        return (trace, trace.event("test", "number", [.u32("n")]), trace.event("test", "filler"))
    }

    @Test func `an event of any length is stepped over to the one behind it`() throws {
        let (trace, number, filler) = Self.trace()
        let sizes = Array(stride(from: 4, through: 112, by: 4)) + [113, 114, 115, 116, 120, 1000, 4072]
        for (index, size) in sizes.enumerated() {
            trace.cpu(0).add(filler, at: UInt64(1000 + 10 * index), size: size)
            trace.cpu(0).add(number, at: UInt64(1001 + 10 * index), ["n": .of(index)])
        }
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == sizes.indices.map { UInt64($0) })
        #expect(scan.events.times == sizes.indices.map { Int64(1001 + 10 * $0) })
        #expect(scan.counts[0].events == 2 * sizes.count)
        #expect(scan.defects.isEmpty)
    }

    @Test(arguments: Array(stride(from: 12, through: 140, by: 4)))
    func `a record is read whether its length stands in its head or behind it`(size: Int) throws {
        let (trace, number, _) = Self.trace()
        trace.cpu(0).add(number, at: 1000, ["n": 1], size: size)
        trace.cpu(0).add(number, at: 1001, ["n": 2], size: size, large: true)
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == [1, 2])
        #expect(scan.events.times == [1000, 1001])
    }

    @Test(arguments: [1024, 2048, 4096, 8192, 16384, 32768, 65536], TraceBuilder.Version.allCases)
    func `sub-buffers of any size are read to their last event`(pageSize: Int, version: TraceBuilder.Version) throws {
        let (trace, number, filler) = Self.trace(version, pageSize: pageSize)
        let cpu = trace.cpu(0)
        var expected: [UInt64] = []
        while cpu.pageCount < 4 {
            let n = UInt64(expected.count)
            cpu.add(number, at: 1000 + n, ["n": .of(n)])
            // Fill most of each sub-buffer at once, so that large ones don't need thousands of events.
            if n % 8 == 7, cpu.room > 600 { cpu.add(filler, at: 1000 + n, size: cpu.room - 200) }
            expected.append(n)
        }
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == expected)
        #expect(scan.events.times == expected.map { Int64(1000 + $0) })
        #expect(scan.counts[0].bytes == 4 * pageSize)
        #expect(scan.defects.isEmpty)
    }

    @Test func `a sub-buffer may be full to its last byte`() throws {
        let (trace, number, filler) = Self.trace(pageSize: 1024)
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000, ["n": 1])
        cpu.add(filler, at: 1001, size: cpu.room - 16 - 8)
        cpu.add(number, at: 1002, ["n": 2])
        #expect(cpu.room == 0)
        cpu.add(number, at: 1003, ["n": 3])
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(cpu.pageCount == 2)
        #expect(scan.events.a == [1, 2, 3])
    }

    @Test(arguments: [(1 << 27) - 1, 1 << 27, (1 << 27) + 1, 1 << 32, (1 << 40) + 12345, 1 << 58] as [UInt64])
    func `a pause of any length is kept to the unit`(pause: UInt64) throws {
        let (trace, number, _) = Self.trace()
        trace.cpu(0).add(number, at: 1000, ["n": 1])
        trace.cpu(0).add(number, at: 1000 + pause, ["n": 2])
        trace.cpu(0).add(number, at: 1001 + pause, ["n": 3])
        #expect(trace.cpu(0).pageCount == 1)
        #expect(try Scan(trace.open(), Self.numbers).events.times == [1000, 1000 + Int64(pause), 1001 + Int64(pause)])
    }

    @Test func `time extends add up, also with the next event's own delta`() throws {
        let (trace, number, _) = Self.trace()
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000)
        cpu.timeExtend(by: 1 << 30)
        cpu.timeExtend(by: 5)
        cpu.timeExtend(by: 1 << 27)
        cpu.record(Array(repeating: 0, count: 2) + [UInt8](repeating: 0, count: 10), delta: 3)
        cpu.add(number, at: cpu.time + 2)
        #expect(try Scan(trace.open(), Self.numbers).events.times == [1000, 1000 + 1 << 30 + 1 << 27 + 10])
    }

    @Test func `an absolute time stamp replaces the time and keeps the bits it lacks`() throws {
        let (trace, number, _) = Self.trace()
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000)
        cpu.timeStamp(1 << 40)
        cpu.add(number, at: 1 << 40 + 7)
        cpu.page(at: 1 << 60 + 5)
        cpu.add(number, at: 1 << 60 + 5)
        // 59 bits are stored; the sub-buffer's time has the rest.
        cpu.timeStamp(1 << 60 + 1 << 50)
        cpu.add(number, at: 1 << 60 + 1 << 50 + 1)
        #expect(
            try Scan(trace.open(), Self.numbers).events.times == [
                1000, 1 << 40 + 7, 1 << 60 + 5, 1 << 60 + 1 << 50 + 1,
            ])
    }

    @Test(arguments: [8, 12, 64, 500]) func `a discarded event is stepped over and its delta counts`(bytes: Int) throws
    {
        let (trace, number, _) = Self.trace()
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000, ["n": 1])
        cpu.discarded(bytes: bytes, delta: 50)
        cpu.add(number, at: 1060, ["n": 2])
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == [1, 2])
        #expect(scan.events.times == [1000, 1060])
        #expect(scan.counts[0].events == 2)
        #expect(scan.defects.isEmpty)
    }

    @Test(arguments: [0, 4, 8, 100]) func `padding at the end of a sub-buffer ends it, be it one word`(rest: Int) throws
    {
        let (trace, number, filler) = Self.trace(pageSize: 1024)
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000, ["n": 1])
        cpu.add(filler, at: 1001, size: cpu.room - 8 - rest)
        cpu.pagePadding()
        cpu.page(at: 1002)
        cpu.add(number, at: 1002, ["n": 2])
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == [1, 2])
        #expect(scan.counts[0].events == 3)
        #expect(scan.defects.isEmpty)
        #expect(scan.counts[0].holes == 0)
    }

    @Test func `sub-buffers without events are nothing but skipped`() throws {
        let (trace, number, _) = Self.trace()
        let cpu = trace.cpu(0)
        cpu.page(at: 500)
        cpu.page(at: 1000)
        cpu.add(number, at: 1000, ["n": 1])
        cpu.page(at: 2000)
        cpu.page(at: 3000)
        cpu.add(number, at: 3000, ["n": 2])
        cpu.page(at: 4000)
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.marks.kinds == [Mark.Reserved.laneBegin, 1, 1, Mark.Reserved.laneEnd])
        #expect(scan.marks.times == [1000, 1000, 3000, 3000])
        #expect(scan.counts[0].firstTime == 1000)
        #expect(scan.counts[0].lastTime == 3000)
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a 32-bit kernel's commit word has four bytes`(
        version: TraceBuilder.Version
    )
        throws
    {
        let (trace, number, _) = Self.trace(version, longSize: 4)
        let cpu = trace.cpu(0)
        cpu.add(number, at: 1000, pid: 9, ["n": 1])
        cpu.lost(70_000)
        cpu.add(number, at: 2000, pid: 10, ["n": 2])
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.events.a == [1, 2])
        #expect(scan.events.map(\.thread) == [9, 10])
        #expect(scan.counts[0].lost == 70_000)
    }

    @Test func `a lane begins and ends with its first and last event, asked for or not`() throws {
        let (trace, number, filler) = Self.trace()
        trace.cpu(0).add(filler, at: 1000)
        trace.cpu(0).add(number, at: 2000)
        trace.cpu(0).add(filler, at: 3000)
        let scan = try Scan(trace.open(), Self.numbers)
        #expect(scan.marks.kinds == [Mark.Reserved.laneBegin, 1, Mark.Reserved.laneEnd])
        #expect(scan.marks.times == [1000, 2000, 3000])
    }

    @Test func `the last sub-buffer may be cut short behind its events`() throws {
        let (trace, number, _) = Self.trace(.v6)
        trace.cpu(0).add(number, at: 1000, ["n": 1])
        trace.cpu(0).page(at: 2000)
        trace.cpu(0).add(number, at: 2000, ["n": 2])
        var bytes = trace.bytes
        // The table of the CPU's data is in front of the data; a size that is no multiple of the sub-buffer's.
        let start = bytes.count - 2 * 4096
        let table = try #require(
            (0..<start - 16).last { bytes[$0..<$0 + 8].elementsEqual(UInt64(start).littleEndianBytes) })
        bytes.set(UInt64(4096 + 40), at: table + 8)
        #expect(try Scan(bytes.openAsTrace(), Self.numbers).events.a == [1, 2])
    }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self(8 * $0)) } }
}
