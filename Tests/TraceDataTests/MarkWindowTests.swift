// The marks of chosen stretches: all of them, and none besides.

import ClockSync
import TestSupport
import Testing
import TraceData

@Suite struct MarkWindowTests {
    /// One mark every 10 ns from 1000 on.
    private func read(_ windows: [ClosedRange<Nanoseconds>], keeping most: Int = 1 << 20, count: Int = 10_000) throws
        -> MarkWindows
    {
        let trace = TraceBuilder()
        let number = trace.event("test", "number", [.u32("n")])
        for index in 0..<count { trace.cpu(0).add(number, at: UInt64(1000 + 10 * index), ["n": .of(index)]) }
        let selection = Selection([EventQuery("number", kind: 1, [.number("n", to: .a)])])
        let reader = MarkWindows(windows, keeping: most)
        try MarkPass([StreamSource(file: try trace.open(), selection: selection, maps: [.host(nil)])]).run([reader])
        return reader
    }

    @Test func `all marks of the windows are kept, at both ends too, and windows that overlap are one`() throws {
        let reader = try read([50_000...50_100, 2000...2050, 2040...2100, 90_000...90_004, 200_000...300_000])
        #expect(reader.windows == [2000...2100, 50_000...50_100, 90_000...90_004, 200_000...300_000])
        let expected =
            Array(stride(from: 2000, through: 2100, by: 10)) + Array(stride(from: 50_000, through: 50_100, by: 10)) + [
                90_000
            ]
        #expect(reader.marks.filter { $0.kind == 1 }.map(\.time) == expected.map { Nanoseconds($0) })
        #expect(!reader.isCut)
    }

    @Test func `a stretch of a window has its own marks only`() throws {
        let reader = try read([2000...3000])
        #expect(reader.marks(in: 2015...2040).map(\.time) == [2020, 2030, 2040])
        #expect(reader.marks(in: 2011...2019).isEmpty)
        #expect(reader.marks(in: 0...1999).isEmpty)
        #expect(reader.marks(in: 2000...3000).count == 101)
    }

    @Test func `more marks than are kept are said to be missing`() throws {
        let reader = try read([2000...3000], keeping: 40)
        #expect(reader.marks.count == 40 && reader.isCut)
    }

    @Test func `no window keeps nothing`() throws { #expect(try read([]).marks.isEmpty) }
}
