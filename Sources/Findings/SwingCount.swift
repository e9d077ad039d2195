// Packets whose way lies where a servo swung: their clock may be worse than it says.

import ClockSync
import GuestClocks
package import PacketPath

package final class SwingCount: JourneyReader {
    /// By guest, in the order of the clocks.
    package private(set) var packets: [Int] = []
    private var swings: [[ClosedRange<Nanoseconds>]] = []

    package init() {}

    package func begin(_ start: PassStart) {
        swings = start.clocks.map { $0.candidate.method == .servo ? $0.swings : [] }
        packets = swings.map { _ in 0 }
    }

    package func take(_ journey: borrowing Journey) {
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
