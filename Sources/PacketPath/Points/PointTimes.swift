// When a packet passed each point.

package import ClockSync

/// Times of a journey's points, host-time ns; absent points hold `PointTimes.absent`.
package struct PointTimes: Sendable {
    package static let absent = Nanoseconds.min
    /// Later than every time.
    static let latest = Nanoseconds.max
    private var times = InlineArray<28, Nanoseconds>(repeating: PointTimes.absent)

    package init() {}

    @inline(__always)
    package subscript(point: Point) -> Nanoseconds {
        get { times[Int(point.rawValue)] }
        set { times[Int(point.rawValue)] = newValue }
    }

    @inline(__always)
    package func has(_ point: Point) -> Bool { self[point] != Self.absent }

    /// Takes over the points of `other` that are absent here.
    mutating func merge(_ other: PointTimes) {
        for index in times.indices where times[index] == Self.absent { times[index] = other.times[index] }
    }
}
