// When the next packet or burst is due.

import LinuxSystem

struct Pace {
    private let intervalNS: Int64
    private var dueNS: Int64

    init(interval: Duration) {
        intervalNS = interval.nanoseconds
        dueNS = monotonicNanoseconds()
    }

    /// Sleeps until it is time. What is late is not caught up with: that would be a burst that nobody asked for.
    mutating func wait() {
        Instant.sleep(until: dueNS)
        dueNS = max(dueNS + intervalNS, monotonicNanoseconds())
    }
}
