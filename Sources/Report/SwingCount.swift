// Packets whose way lies where a servo swung: their clock may be worse than it says.

import ClockSync
package import PacketPath

/// Counts as journeys come, on the one thread they come on.
package final class SwingCount {
    private let swings: [[ClosedRange<Nanoseconds>]]
    /// By guest, in the order of the clocks.
    package private(set) var packets: [Int]

    package init(_ clocks: [GuestClock]) {
        swings = clocks.map { $0.candidate.method == .servo ? $0.swings : [] }
        packets = clocks.map { _ in 0 }
    }

    package var isEmpty: Bool { swings.allSatisfy(\.isEmpty) }

    package func count(_ journey: borrowing Journey) {
        let guest = journey.machine - 1
        guard swings.indices.contains(guest), !swings[guest].isEmpty else { return }
        var (first, last) = (Nanoseconds.max, Nanoseconds.min)
        for point in Point.allCases where journey.times.has(point) {
            first = min(first, journey.times[point])
            last = max(last, journey.times[point])
        }
        guard first <= last else { return }
        if swings[guest].contains(where: { $0.overlaps(first...last) }) { packets[guest] += 1 }
    }
}
