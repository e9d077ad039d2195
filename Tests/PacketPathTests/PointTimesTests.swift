// A journey has room for one time of each point. The size is a literal in PointTimes: adding a point does not
// change it.

import ClockSync
import PacketPath
import Testing

@Suite struct PointTimesTests {
    @Test func `there are as many times as points`() {
        #expect(MemoryLayout<PointTimes>.size == Point.allCases.count * MemoryLayout<Nanoseconds>.size)
    }

    @Test func `no two points share a time`() {
        var times = PointTimes()
        for point in Point.allCases { times[point] = Nanoseconds(point.rawValue) }
        #expect(Point.allCases.map { times[$0] } == Point.allCases.indices.map { Nanoseconds($0) })
    }
}
