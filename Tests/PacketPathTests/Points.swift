// The points of a journey as a value that tests compare, and failures can print.

import ClockSync
import PacketPath

struct Points: Equatable, ExpressibleByDictionaryLiteral, CustomStringConvertible {
    private var times = [Nanoseconds?](repeating: nil, count: Point.allCases.count)

    init() {}

    init(dictionaryLiteral elements: (Point, Nanoseconds)...) {
        for (point, time) in elements { self[point] = time }
    }

    subscript(point: Point) -> Nanoseconds? {
        get { times[Int(point.rawValue)] }
        set { times[Int(point.rawValue)] = newValue }
    }

    /// In the order a path demands: one direction's points never run backwards.
    func isOrdered(by rules: [PointRule]) -> Bool {
        let times = rules.compactMap { self[$0.point] }
        return zip(times, times.dropFirst()).allSatisfy { $0 <= $1 }
    }

    var description: String {
        Point.allCases.compactMap { point in self[point].map { "\(point.name) \($0)" } }.joined(separator: ", ")
    }
}

extension Journey {
    /// The points it passed.
    var points: Points {
        var points = Points()
        for point in Point.allCases where times.has(point) { points[point] = times[point] }
        return points
    }
}
