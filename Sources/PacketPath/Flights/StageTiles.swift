// The way of a packet cut into stages, from one point that ends one to the next.

package import ClockSync

/// Cuts a packet's way into stages without gaps. The way of a packet between guests goes on from one journey to
/// another.
package struct StageTiles {
    /// One stage of the way: the number of the stage along the waypoints, the point it ends at, and how long it was.
    package struct Tile: BitwiseCopyable {
        package var stage: Int
        package var end: Point
        package var time: Nanoseconds
    }

    private var first = PointTimes.absent
    private var last = PointTimes.absent
    private var previous = PointTimes.absent
    private var stage = -1

    package init() {}

    /// Goes along the waypoints of a journey and calls `body` with each stage that ends.
    package mutating func follow(_ journey: borrowing Journey, _ waypoints: [Waypoint], _ body: (Tile) -> Void) {
        let times = journey.times
        for waypoint in waypoints {
            if waypoint.endsStage { stage += 1 }
            let time = times[waypoint.point]
            // An absent point's time goes to the next stage that has an end.
            guard time != PointTimes.absent else { continue }
            if first == PointTimes.absent { first = time }
            last = time
            guard previous != PointTimes.absent else {
                previous = time
                continue
            }
            guard waypoint.endsStage else { continue }
            body(Tile(stage: stage, end: waypoint.point, time: time - previous))
            previous = time
        }
    }

    /// From the first point to the last.
    package var total: Nanoseconds { last - first }
}
