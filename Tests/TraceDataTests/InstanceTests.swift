// `trace-cmd record -B a ... -B b ...`: one machine's events in the ring buffers of several ftrace instances.

import Statistics
import TestSupport
import Testing
import TraceData

@Suite struct InstanceTests {
    private typealias Reserved = Mark.Reserved
    private static let queries = [
        EventQuery("number", kind: 1, [.number("n", to: .a)]), EventQuery("other", kind: 2, [.number("n", to: .a)]),
    ]

    private let trace: TraceBuilder
    private let number: BuiltEvent
    private let other: BuiltEvent

    init() {
        trace = TraceBuilder(pageSize: 1024)
        number = trace.event("test", "number", [.u32("n")])
        other = trace.event("test", "other", [.u32("n")])
    }

    private func scan() throws -> Scan { try Scan(trace.open(), Self.queries) }

    @Test(arguments: TraceBuilder.Version.allCases)
    func `a CPU's state is not split over its buffers: its events are one lane, in order`(version: TraceBuilder.Version)
        throws
    {
        let trace = TraceBuilder(version: version, pageSize: 1024)
        let number = trace.event("test", "number", [.u32("n")])
        let other = trace.event("test", "other", [.u32("n")])
        var random = SplitMix64(seed: 7)
        for cpu in 0..<3 {
            var time: UInt64 = 1000
            for n in 0..<2000 {
                let isOther = Bool.random(using: &random)
                time += UInt64.random(in: 0...50, using: &random)
                trace.cpu(cpu, instance: isOther ? "b" : "a").add(
                    isOther ? other : number, at: time, pid: 5, ["n": .of(n)])
            }
        }
        let scan = try Scan(trace.open(), Self.queries)
        #expect(scan.lanes.map(\.cpu) == [0, 1, 2])
        #expect(scan.events.count == 6000)
        #expect(scan.events.times == scan.events.times.sorted())
        for lane in 0..<3 {
            let marks = scan.marks(lane: lane)
            #expect(marks.kinds.filter { $0 >= Reserved.lostBegin } == [Reserved.laneBegin, Reserved.laneEnd])
            #expect(marks.first?.kind == Reserved.laneBegin && marks.last?.kind == Reserved.laneEnd)
            #expect(scan.counts[lane].events == 2000)
            // Equal times go by buffer, so only these are not in the order they were written in.
            let written = marks.filter { $0.kind < Reserved.lostBegin }
            for (first, second) in zip(written, written.dropFirst()) where first.a > second.a {
                #expect(first.time == second.time && first.kind == 1 && second.kind == 2)
            }
        }
    }

    @Test func `equal times go by the order of the buffers in the file, each time`() throws {
        for n in 0..<5 {
            trace.cpu(0, instance: "b").add(other, at: 1000, ["n": .of(n)])
            trace.cpu(0, instance: "a").add(number, at: 1000, ["n": .of(10 + n)])
        }
        #expect(try scan().events.a == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14])
    }

    @Test func `a lane begins with the first of its buffers and ends with the last`() throws {
        trace.cpu(0, instance: "a").add(number, at: 5000)
        trace.cpu(0, instance: "b").add(other, at: 1000)
        trace.cpu(0, instance: "b").add(other, at: 2000)
        _ = trace.cpu(0, instance: "empty")
        trace.cpu(1, instance: "b").add(other, at: 9000)
        let scan = try scan()
        #expect(scan.marks(lane: 0).kinds == [Reserved.laneBegin, 2, 2, 1, Reserved.laneEnd])
        #expect(scan.marks(lane: 1).kinds == [Reserved.laneBegin, 2, Reserved.laneEnd])
        #expect(scan.counts.map(\.firstTime) == [1000, 9000])
        #expect(scan.counts.map(\.lastTime) == [5000, 9000])
    }

    // MARK: Lost events

    @Test func `a hole of one buffer is a hole of the CPU`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        a.add(number, at: 1000)
        a.lost(7)
        a.add(number, at: 5000)
        for time in [500, 2000, 6000] as [UInt64] { b.add(other, at: time) }
        let scan = try scan()
        #expect(
            scan.marks.kinds == [
                Reserved.laneBegin, 2, 1, Reserved.lostBegin, 2, Reserved.lostEnd, 1, 2, Reserved.laneEnd,
            ])
        #expect(scan.marks(kind: Reserved.lostEnd).a == [7])
        #expect(scan.counts[0].lost == 7 && scan.counts[0].holes == 1)
    }

    @Test func `holes that overlap are one, until the last of them ends`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        a.add(number, at: 1000)
        a.lost(7)
        a.add(number, at: 5000)
        b.add(other, at: 2000)
        b.lost(5)
        b.add(other, at: 8000)
        let scan = try scan()
        #expect(
            scan.marks.kinds == [
                Reserved.laneBegin, 1, Reserved.lostBegin, 2, 1, Reserved.lostEnd, 2, Reserved.laneEnd,
            ])
        #expect(scan.marks(kind: Reserved.lostBegin).times == [1000])
        #expect(scan.marks(kind: Reserved.lostEnd).times == [8000])
        #expect(scan.marks(kind: Reserved.lostEnd).a == [12])
        #expect(scan.counts[0].lost == 12 && scan.counts[0].holes == 2)
    }

    @Test func `what a buffer lost before its first event may have happened since the CPU's first one`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        for time in [1000, 2000, 9000] as [UInt64] { a.add(number, at: time) }
        b.lost(3)
        b.add(other, at: 5000)
        let scan = try scan()
        #expect(
            scan.marks.kinds == [
                Reserved.laneBegin, 1, Reserved.lostBegin, 1, Reserved.lostEnd, 2, 1, Reserved.laneEnd,
            ])
        #expect(scan.marks(kind: Reserved.lostBegin).times == [1000])
        #expect(scan.marks(kind: Reserved.lostEnd).times == [5000])
        #expect(scan.events.times == [1000, 2000, 5000, 9000])
    }

    @Test func `what the kernel counted as lost in all buffers is summed, and whose it was is known`() throws {
        trace.statistics(cpu: 0, overrun: 1, dropped: 2)
        for (index, name) in ["a", "b"].enumerated() {
            trace.statistics(ofBuffer: name)
            trace.statistics(cpu: 0, overrun: 10 * (index + 1), dropped: 0, now: "  12.345678")
        }
        trace.statistics(cpu: 1, overrun: 0, dropped: 0, now: "2556926646956")
        let statistics = try trace.open().options.statistics
        #expect(statistics.map(\.buffer) == ["", "a", "b", "b"])
        #expect(statistics.reduce(0) { $0 + $1.overrun + $1.dropped } == 33)
        #expect(
            statistics.map(\.now) == [
                nil, .microseconds(12_345_678), .microseconds(12_345_678), .ticks(2_556_926_646_956),
            ])
    }

    // MARK: Events that are in two buffers

    /// The kernel writes an event into one buffer after the other, and each has a time of its own.
    @Test func `an event that is enabled in two instances is followed once, at its first time`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        for n in 0..<100 as Range<UInt64> {
            a.add(number, at: 1000 * (n + 1), pid: 7, ["n": .of(n % 3)])
            b.add(number, at: 1000 * (n + 1) + 200, pid: 7, ["n": .of(n % 3)])
            b.add(other, at: 1000 * (n + 1) + 300, pid: 7, ["n": .of(n)])
        }
        let scan = try scan()
        #expect(scan.marks(kind: 1).times == (0..<100).map { 1000 * ($0 + 1) })
        #expect(scan.marks(kind: 1).a == (0..<100).map { $0 % 3 })
        #expect(scan.marks(kind: 2).count == 100)
        #expect(scan.counts[0].events == 300)
    }

    @Test func `an interrupt between the two writes does not hide that they are one event`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        a.add(number, at: 1000, pid: 7, ["n": 1])
        // The interrupt's own events are in both before the interrupted one is in the second.
        for n in 0..<600 as Range<UInt64> {
            a.add(number, at: 2000 + 1000 * n, pid: 7, flags: 0x08, ["n": 1])
            b.add(number, at: 2200 + 1000 * n, pid: 7, flags: 0x08, ["n": 1])
        }
        // What wants to run next may be known by then (TRACE_FLAG_NEED_RESCHED).
        b.add(number, at: 700_000, pid: 7, flags: 0x04, ["n": 1])
        #expect(try scan().events.count == 601)
    }

    @Test func `an event in three instances is one`() throws {
        for (index, name) in ["a", "b", "c"].enumerated() {
            for n in 0..<50 as Range<UInt64> {
                trace.cpu(0, instance: name).add(number, at: 1000 * (n + 1) + UInt64(100 * index))
            }
        }
        let scan = try scan()
        #expect(scan.events.times == (0..<50).map { 1000 * ($0 + 1) })
    }

    @Test func `instances with filters of their own each have their events`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        for n in 0..<50 as Range<UInt64> {
            a.add(number, at: 1000 * (n + 1), pid: 7, ["n": 1])
            b.add(number, at: 1000 * (n + 1) + 200, pid: 8, ["n": 1])
            b.add(number, at: 1000 * (n + 1) + 300, pid: 7, ["n": 2])
        }
        #expect(try scan().events.count == 150)
    }

    @Test func `the same event twice in one buffer, or on two CPUs, is two events`() throws {
        for time in [1000, 1100] as [UInt64] {
            trace.cpu(0, instance: "a").add(number, at: time)
            trace.cpu(1, instance: "b").add(number, at: time)
        }
        trace.cpu(0, instance: "b").add(other, at: 1000)
        let scan = try scan()
        #expect(scan.marks(kind: 1).count == 4)
    }

    @Test func `a hole in one of the buffers does not take an event from the other`() throws {
        let (a, b) = (trace.cpu(0, instance: "a"), trace.cpu(0, instance: "b"))
        for n in 0..<10 as Range<UInt64> {
            if n == 4 { a.lost(2) }
            if n < 2 || n > 3 { a.add(number, at: 1000 * (n + 1), ["n": .of(n)]) }
            b.add(number, at: 1000 * (n + 1) + 200, ["n": .of(n)])
        }
        #expect(try scan().events.a == Array(0..<10))
    }

    /// A hostile file names one buffer as often as it likes.
    @Test func `a hundred buffers of one CPU are one lane`() throws {
        for buffer in 0..<100 {
            trace.cpu(0, instance: "\(buffer)").add(number, at: UInt64(1000 + buffer), ["n": .of(buffer)])
        }
        let scan = try scan()
        #expect(scan.lanes.count == 1)
        #expect(scan.events.a == Array(0..<100))
        #expect(scan.marks.last?.kind == Reserved.laneEnd)
    }
}
