// One stream out of all CPUs of all machines.

import ClockSync
import Statistics
import TestSupport
import Testing
import TraceData

@Suite struct MergeTests {
    private static let selection = Selection([EventQuery("number", kind: 1, [.number("n", to: .a)])])

    /// A machine whose CPUs have events at these times; operand a counts them through.
    private static func source(_ times: [[UInt64]], maps: [ClockMap] = [.host(nil)]) throws -> StreamSource {
        let trace = TraceBuilder()
        let number = trace.event("test", "number", [.u32("n")])
        var n = 0
        for (cpu, times) in times.enumerated() {
            for time in times {
                trace.cpu(cpu).add(number, at: time, ["n": .of(n)])
                n += 1
            }
            _ = trace.cpu(cpu)
        }
        return StreamSource(file: try trace.open(), selection: selection, maps: maps)
    }

    private static func isSorted(_ marks: [Mark]) -> Bool {
        zip(marks, marks.dropFirst()).allSatisfy { ($0.time, $0.lane) <= ($1.time, $1.lane) }
    }

    @Test(arguments: [1, 2, 8]) func `marks come in order of time, equal times in order of lanes`(workers: Int) throws {
        var random = SplitMix64(seed: 42)
        func times(_ count: Int) -> [UInt64] {
            (0..<count).map { _ in UInt64.random(in: 0..<2000, using: &random) }.sorted()
        }
        let host = (0..<3).map { _ in times(1000) }
        let guest = (0..<2).map { _ in times(700) }
        let scan = try Scan([Self.source(host), Self.source(guest)], workers: workers)
        #expect(scan.lanes.map(\.machine) == [0, 0, 0, 1, 1])
        #expect(scan.lanes.map(\.cpu) == [0, 1, 2, 0, 1])
        #expect(Self.isSorted(scan.marks))
        for (lane, expected) in (host + guest).enumerated() {
            #expect(scan.events.filter { $0.lane == lane }.times == expected.map { Int64($0) })
        }
        #expect(scan.events.count == 4400)
        // Events of one CPU keep their order, also at equal times.
        for lane in 0..<5 {
            let numbers = scan.events.filter { $0.lane == lane }.a
            #expect(numbers == numbers.sorted())
        }
    }

    @Test func `equal times of all lanes come lane by lane`() throws {
        let scan = try Scan([Self.source([[5, 5, 7], [5], [5, 7]]), Self.source([[5, 7]])])
        #expect(scan.events.map(\.lane) == [0, 0, 1, 2, 3, 0, 2, 3])
        #expect(scan.events.times == [5, 5, 5, 5, 5, 7, 7, 7])
    }

    @Test func `one lane with many marks, one with a single one and one without any`() throws {
        let many = (0..<20_000).map { UInt64(1000 + $0) }
        let scan = try Scan([Self.source([[], many, [11_000], []])])
        // CPUs without data have no lane.
        #expect(scan.lanes.map(\.cpu) == [1, 2])
        #expect(scan.events.filter { $0.lane == 0 }.times == many.map { Int64($0) })
        #expect(scan.events.filter { $0.lane == 1 }.times == [11_000])
        #expect(Self.isSorted(scan.marks))
        #expect(scan.counts.map(\.events) == [20_000, 1])
    }

    @Test func `no events at all are an empty stream, not an endless one`() throws {
        let scan = try Scan([Self.source([[]])])
        #expect(scan.marks.isEmpty)
        let none = try Scan([])
        #expect(none.marks.isEmpty)
    }

    @Test func `a lane that nothing is asked of has its ends and its counts`() throws {
        var source = try Self.source([[1, 2, 3], [2]])
        source.selection = Selection([])
        let scan = try Scan([source])
        #expect(scan.marks.kinds.sorted() == [252, 252, 253, 253])
        #expect(scan.counts.map(\.events) == [3, 1])
    }

    @Test(arguments: [1, 2, 7, 4096]) func `marks come in the same order however few are taken at a time`(size: Int)
        throws
    {
        let stream = try MarkStream([Self.source([(0..<2000).map { 2 * $0 }, (0..<1500).map { 3 * $0 }])])
        let block = UnsafeMutableBufferPointer<Mark>.allocate(capacity: size)
        defer { block.deallocate() }
        var marks: [Mark] = []
        while true {
            let count = stream.next(into: block)
            if count == 0 { break }
            #expect(count <= size)
            marks += block[..<count]
        }
        #expect(stream.next(into: block) == 0)
        #expect(marks.count == 3504)
        #expect(Self.isSorted(marks))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2, 8]) func `a reader may stop at any time`(workers: Int) throws {
        let source = try Self.source([(0..<20_000).map { UInt64($0) }, (0..<20_000).map { UInt64($0) }, [], [7]])
        let block = UnsafeMutableBufferPointer<Mark>.allocate(capacity: 100)
        defer { block.deallocate() }
        for reads in [0, 1, 2, 100, 200] {
            for _ in 0..<5 {
                let stream = try MarkStream([source], workers: workers)
                for _ in 0..<reads { #expect(stream.next(into: block) == 100) }
                // Here the stream goes, whatever its threads are at.
            }
        }
    }

    @Test func `each CPU has its clock map, the last one holds for those beyond`() throws {
        func map(_ offset: UInt64) -> ClockMap {
            ClockMap(segments: [ClockMap.Segment(toHost: .offset(offset))], method: .timeShift)
        }
        let source = try Self.source([[1000], [1000], [1000]], maps: [map(5), map(7)])
        let scan = try Scan([source])
        #expect(scan.events.times == [1005, 1007, 1007])
        #expect(scan.events.map(\.lane) == [0, 1, 2])
    }

    @Test func `a map of several segments is followed through all of them`() throws {
        let map = ClockMap(
            segments: [
                ClockMap.Segment(start: 0, end: 1999, toHost: .offset(100)),
                ClockMap.Segment(start: 2000, end: 2999, toHost: .offset(200)),
                ClockMap.Segment(start: 3000, toHost: .scaled(offset: 0, ratio: 1 << 32, fractionBits: 32)),
            ], method: .timeShift)
        let times: [UInt64] = [1, 1999, 2000, 2999, 3500, 4000]
        let scan = try Scan([Self.source([times], maps: [map])])
        #expect(scan.events.times == [101, 2099, 2200, 3199, 3500, 4000])
        #expect(scan.events.times == times.map { map.hostTime($0) })
    }

    @Test(arguments: [
        CycleConversion(multiplier: 827_197_636, shift: 31, offset: 0),
        CycleConversion(multiplier: 3, shift: 0, offset: 11),
        CycleConversion(multiplier: 1 << 31, shift: 32, offset: 7),
        CycleConversion(multiplier: 5, shift: 63, offset: 0),
    ])
    func `marks have the time that the clock map computes`(conversion: CycleConversion) throws {
        let map = ClockMap.host(conversion)
        let times: [UInt64] = [0, 1, 1000, 377_030_703_536, 1 << 50, (1 << 58) + 3]
        let scan = try Scan([Self.source([times], maps: [map])])
        #expect(scan.events.times == times.map { map.hostTime($0) })
        #expect(scan.defects.isEmpty)
    }

    @Test(arguments: [Int64(0), 500, -500]) func `a file's fixed offset is added to every time`(offset: Int64) throws {
        let trace = TraceBuilder()
        let number = trace.event("test", "number", [.u32("n")])
        trace.fixedOffset(offset)
        trace.tscToNanoseconds(multiplier: 1 << 31, shift: 32)
        for time: UInt64 in [2000, 4000] { trace.cpu(0).add(number, at: time) }
        let scan = try Scan(trace.open(), Self.selection.queries)
        #expect(scan.marks.times == [1000, 1000, 2000, 2000].map { $0 + offset })
    }

    @Test func `time shifts that are nonsense don't end the program`() async {
        await #expect(processExitsWith: .success) {
            let trace = TraceBuilder()
            let number = trace.event("test", "number", [.u32("n")])
            let nonsense: [TraceBuilder.Shift] = [
                .init(at: 0, offset: .min), .init(at: 1, offset: .max), .init(at: .max, offset: .min),
                .init(at: 5, offset: -1),
            ]
            trace.timeShift(peer: 1, cpus: [nonsense], interpolates: true)
            for time: UInt64 in [0, 1, 1 << 62, 1 << 63, .max] {
                trace.cpu(0).page(at: time)
                trace.cpu(0).add(number, at: time)
            }
            let file = try trace.open()
            let map = try #require(ClockMap.timeShift(file.options.timeShifts[0], hostClock: nil))
            let scan = try Scan(file, Self.selection.queries, map: map)
            precondition(scan.events.count == 5)
            precondition(Self.isSorted(scan.marks))
        }
    }
}
