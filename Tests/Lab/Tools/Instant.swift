// A moment on both clocks that the logs give.

import CLabTools
import Glibc
import LinuxSystem

struct Instant {
    /// CLOCK_MONOTONIC.
    var nanoseconds: Int64
    /// TSC or CNTVCT_EL0.
    var ticks: UInt64

    /// What the logs say for "never".
    static let never = Instant(nanoseconds: 0, ticks: 0)

    static func now() -> Instant { Instant(nanoseconds: monotonicNanoseconds(), ticks: lab_ticks()) }

    /// Sleeps until CLOCK_MONOTONIC has this value, see clock_nanosleep(2).
    static func sleep(until nanoseconds: Int64) {
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
