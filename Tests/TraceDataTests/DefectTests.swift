// Events that can't be: each is counted and costs no more than it must.

import TestSupport
import Testing
import TraceData

@Suite struct DefectTests {
    private typealias Reserved = Mark.Reserved
    private static let numbers = [EventQuery("number", kind: 1, [.number("n", to: .a)])]

    private let trace = TraceBuilder(pageSize: 1024)
    private let number: BuiltEvent
    private let cpu: BuiltCPU

    init() {
        number = trace.event("test", "number", [.u32("n")])
        cpu = trace.cpu(0)
    }

    private func scan() throws -> Scan { try Scan(trace.open(), Self.numbers) }

    @Test(arguments: [4, 8]) func `an event shorter than its format is left out, the others stay`(size: Int) throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.add(number, at: 1001, ["n": 2], size: size)
        cpu.add(number, at: 1002, ["n": 3], size: size)
        cpu.add(number, at: 1003, ["n": 4])
        let scan = try scan()
        #expect(scan.events.a == [1, 4])
        #expect(scan.events.times == [1000, 1003])
        #expect(scan.defects == [.shortEvent: 2])
        #expect(scan.counts[0].events == 4)
        #expect(scan.counts[0].holes == 0)
    }

    /// Heads that promise more than the sub-buffer has, or nothing that exists.
    static let impossible: [(name: String, bytes: [UInt8])] = [
        ("a record of 112 bytes in 12", [28 | 1 << 5, 0, 0, 0] + [UInt8](repeating: 0, count: 8)),
        ("a record behind the end", [1 | 1 << 5, 0, 0, 0]),
        ("a large record behind the end", [1 << 5, 0, 0, 0] + UInt32(4096).littleEndianBytes + [0, 0, 0, 0]),
        ("a large record of 4 GiB", [1 << 5, 0, 0, 0] + UInt32.max.littleEndianBytes + [0, 0, 0, 0]),
        ("a large record without a record", [1 << 5, 0, 0, 0] + UInt32(4).littleEndianBytes + [0, 0, 0, 0]),
        ("a large record shorter than its length", [1 << 5, 0, 0, 0] + UInt32(3).littleEndianBytes + [0, 0, 0, 0]),
        ("half a large record's head", [1 << 5, 0, 0, 0]),
        ("a discarded event behind the end", [29 | 1 << 5, 0, 0, 0] + UInt32(4096).littleEndianBytes),
        ("a discarded event of no bytes", [29 | 1 << 5, 0, 0, 0] + UInt32(0).littleEndianBytes),
        ("half a discarded event's head", [29 | 1 << 5, 0, 0, 0]),
        ("half a time extend", [30 | 1 << 5, 0, 0, 0]),
        ("half a time stamp", [31 | 1 << 5, 0, 0, 0]),
        ("half a head", [0x21, 0]),
    ]

    @Test(arguments: impossible)
    func `an event that reaches past its sub-buffer costs the rest of it and no more`(
        event: (name: String, bytes: [UInt8])
    ) throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.raw(event.bytes)
        cpu.page(at: 2000)
        cpu.add(number, at: 2000, ["n": 2])
        let scan = try scan()
        #expect(scan.events.a == [1, 2], "\(event.name)")
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.lostEnd, 1, Reserved.laneEnd])
        #expect(scan.defects == [.event: 1])
        #expect(scan.counts[0].holes == 1)
        #expect(scan.counts[0].events == 2)
    }

    @Test func `a time before its predecessor is moved up to it`() throws {
        cpu.add(number, at: 5000, ["n": 1])
        cpu.add(number, at: 3000, ["n": 2])
        cpu.add(number, at: 4999, ["n": 3])
        cpu.add(number, at: 6000, ["n": 4])
        let scan = try scan()
        #expect(scan.events.a == [1, 2, 3, 4])
        #expect(scan.events.times == [5000, 5000, 5000, 6000])
        #expect(scan.defects == [.backwards: 2])
    }

    @Test func `a time stamp that goes backwards is moved up as well`() throws {
        cpu.add(number, at: 5000, ["n": 1])
        cpu.timeStamp(1000)
        cpu.add(number, at: 1010, ["n": 2])
        let scan = try scan()
        #expect(scan.events.times == [5000, 5000])
        #expect(scan.defects == [.backwards: 1])
    }

    @Test(arguments: TraceBuilder.Version.allCases) func `a defect tells its CPU and the place of its sub-buffer`(
        version: TraceBuilder.Version
    ) throws {
        let trace = TraceBuilder(version: version)
        let number = trace.event("test", "number", [.u32("n")])
        for index in [0, 3] {
            trace.cpu(index).add(number, at: 1000)
            trace.cpu(index).page(at: 2000)
            trace.cpu(index).add(number, at: 2000, size: index == 3 ? 8 : 12)
        }
        let file = try trace.open()
        let scan = try Scan(file, Self.numbers)
        let start = try #require(file.buffers[0].cpus.first { $0.cpu == 3 }).range.lowerBound
        #expect(scan.counts.flatMap(\.defects) == [TraceDefect(kind: .shortEvent, cpu: 3, offset: start + 4096)])
    }

    @Test func `ten thousand defects of a kind are one entry with a count`() throws {
        for index in 0..<10_000 { cpu.add(number, at: UInt64(1000 + index), size: 8) }
        let defects = try scan().counts[0].defects
        #expect(defects.count == 1)
        #expect(defects.first?.count == 10_000)
    }
}
