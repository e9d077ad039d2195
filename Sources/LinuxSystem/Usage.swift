// What this process has used up so far, see getrusage(2).

internal import CLinux
import Glibc

package struct Usage: Sendable, Equatable {
    /// User and system together, in ns.
    package var processorTime: Int64
    /// Times a thread gave up its CPU to wait, and was woken again.
    package var wakeUps: Int

    package init(processorTime: Int64, wakeUps: Int) {
        self.processorTime = processorTime
        self.wakeUps = wakeUps
    }

    package static let none = Usage(processorTime: 0, wakeUps: 0)

    package static var now: Usage {
        var usage = rusage()
        unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
        func nanoseconds(_ time: timeval) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1000 }
        return Usage(
            processorTime: nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime), wakeUps: Int(usage.ru_nvcsw))
    }

    package static func - (later: Usage, earlier: Usage) -> Usage {
        Usage(processorTime: later.processorTime - earlier.processorTime, wakeUps: later.wakeUps - earlier.wakeUps)
    }
}
