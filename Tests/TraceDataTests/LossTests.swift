// Where events are missing, the analysis must hear of it: no journey may be made of what lies on both sides of a hole.

import TestSupport
import Testing
import TraceData

@Suite struct LossTests {
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

    @Test func `lost events that the kernel counted are a hole with a number`() throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.lost(7)
        cpu.add(number, at: 5000, ["n": 2])
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.lostEnd, 1, Reserved.laneEnd])
        #expect(scan.marks.times == [1000, 1000, 1000, 5000, 5000, 5000])
        #expect(scan.marks(kind: Reserved.lostEnd).a == [7])
        #expect(scan.counts[0].lost == 7)
        #expect(scan.counts[0].holes == 1)
    }

    @Test func `lost events that nobody counted are a hole all the same`() throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.lost()
        cpu.add(number, at: 5000, ["n": 2])
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.lostEnd, 1, Reserved.laneEnd])
        #expect(scan.marks(kind: Reserved.lostEnd).a == [0])
        #expect(scan.counts[0].lost == 0)
        #expect(scan.counts[0].holes == 1)
    }

    @Test func `events lost before the first one are a hole at the beginning`() throws {
        cpu.lost(3)
        cpu.add(number, at: 1000, ["n": 1])
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.lostBegin, Reserved.lostEnd, Reserved.laneBegin, 1, Reserved.laneEnd])
        #expect(scan.marks.times == [1000, 1000, 1000, 1000, 1000])
        #expect(scan.counts[0].lost == 3)
    }

    @Test func `every hole is counted, and so is what was lost in it`() throws {
        for index in 0..<10 {
            cpu.lost(index % 2 == 0 ? 100 : nil)
            cpu.add(number, at: UInt64(1000 * (index + 1)))
        }
        let counts = try scan().counts[0]
        #expect(counts.holes == 10)
        #expect(counts.lost == 500)
        #expect(counts.events == 10)
    }

    @Test func `a count that found no room behind the events is no count`() throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.page(at: 2000)
        cpu.add(number, at: 2000, ["n": 2], size: cpu.capacity - 8)
        #expect(cpu.room == 0)
        cpu.overrideCommit(3 << 30 | UInt32(cpu.capacity))
        let scan = try scan()
        #expect(scan.events.a == [1, 2])
        #expect(scan.counts[0].holes == 1)
        #expect(scan.counts[0].lost == 0)
    }

    @Test func `losses of sub-buffers without events go to the next one that has some`() throws {
        cpu.add(number, at: 1000)
        cpu.lost(5)
        cpu.page(at: 2000)
        cpu.lost(6)
        cpu.add(number, at: 3000)
        let scan = try scan()
        #expect(scan.counts[0].holes == 1)
        #expect(scan.counts[0].lost == 11)
        #expect(scan.marks(kind: Reserved.lostEnd).a == [11])
        #expect(scan.marks(kind: Reserved.lostEnd).times == [3000])
    }

    @Test func `losses at the end are a hole that nothing closes, and counted`() throws {
        cpu.add(number, at: 1000)
        cpu.lost(5)
        cpu.page(at: 2000)
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.laneEnd])
        #expect(scan.counts[0].holes == 1)
        #expect(scan.counts[0].lost == 5)
    }

    @Test func `counts that add up to more than 64 bits don't end the program`() async {
        await #expect(processExitsWith: .success) {
            let trace = TraceBuilder()
            let event = trace.event("test", "number", [.u32("n")])
            trace.cpu(0).add(event, at: 1000)
            for _ in 0..<2 {
                trace.cpu(0).lost(Int.max)
                trace.cpu(0).page(at: 2000)
            }
            trace.cpu(0).lost(1)
            trace.cpu(0).add(event, at: 3000)
            _ = try Scan(trace.open(), [EventQuery("number", kind: 1)])
        }
    }

    @Test func `a sub-buffer that claims more than it holds is a hole, the next one is read`() throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.page(at: 2000)
        cpu.add(number, at: 2000, ["n": 2])
        cpu.overrideCommit(UInt32(cpu.capacity + 1))
        cpu.page(at: 3000)
        cpu.add(number, at: 3000, ["n": 3])
        let scan = try scan()
        #expect(scan.events.a == [1, 3])
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.lostEnd, 1, Reserved.laneEnd])
        #expect(scan.defects == [.page: 1])
        #expect(scan.counts[0].holes == 1)
    }

    @Test func `a broken last sub-buffer is a hole that nothing closes`() throws {
        cpu.add(number, at: 1000, ["n": 1])
        cpu.rawPage([UInt8](repeating: 0xff, count: 1024))
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.laneBegin, 1, Reserved.lostBegin, Reserved.laneEnd])
        #expect(scan.defects == [.page: 1])
    }

    @Test func `a lane of nothing but broken sub-buffers says so without a beginning`() throws {
        cpu.rawPage([UInt8](repeating: 0xff, count: 1024))
        cpu.rawPage([UInt8](repeating: 0xff, count: 1024))
        let scan = try scan()
        #expect(scan.marks.kinds == [Reserved.lostBegin])
        #expect(scan.defects == [.page: 2])
        #expect(scan.counts[0].firstTime == nil)
    }
}
