// What a trace clock counts, by its name. Only clocks that are known to measure time can tell what a stage took.
//
// kernel/trace/trace.c, `trace_clocks`: each says of itself whether it counts ns.

/// The unit of a trace clock's timestamps.
package enum TraceClockUnit: Sendable, Equatable {
    case nanoseconds
    /// Cycles of the TSC: time, once it is known how many of them make a ns.
    case tsc
    /// `counter`: the number of the event.
    case events
    /// `uptime`: kernel/trace/trace_clock.c counts jiffies as clock_t, of which there are 100 a second whatever HZ is.
    case jiffies
    /// A clock that is not known here: `ppc-tb` for example, cycles whose rate no trace.dat tells.
    case unknown

    /// - Parameter clock: its name in the file trace_clock; trace-cmd says `tsc2nsec` for an `x86-tsc` it can convert.
    package init(of clock: String) {
        self =
            switch clock {
            case "x86-tsc", "tsc2nsec": .tsc
            case "counter": .events
            case "uptime": .jiffies
            default: Self.inNanoseconds.contains(clock) ? .nanoseconds : .unknown
            }
    }

    private static let inNanoseconds = ["local", "global", "perf", "mono", "mono_raw", "boot", "tai"]

    /// Clocks that measure time, by their names in the file trace_clock.
    package static let measuring = inNanoseconds + ["x86-tsc"]
}
