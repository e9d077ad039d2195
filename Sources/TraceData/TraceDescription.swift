// What the writer of a trace.dat file is told besides the events.

package import ClockSync

/// All that a trace.dat file says besides its events.
package struct TraceDescription: Sendable {
    /// Bytes of the recorded kernel's `long`.
    package var longSize: Int
    /// events/header_page as the kernel wrote it.
    package var headerPage: [UInt8]
    /// events/header_event as the kernel wrote it.
    package var headerEvent: [UInt8]
    /// Format files; those of system `ftrace` go into the section of ftrace's own events.
    package var formats: [FormatText]
    /// /proc/kallsyms, may be empty.
    package var kernelSymbols: [UInt8] = []
    /// printk_formats, may be empty.
    package var printFormats: [UInt8] = []
    /// Names of threads (saved_cmdlines).
    package var commandLines: [(thread: Int32, name: String)] = []
    /// "Linux HOST RELEASE MACHINE", four words of uname(2) as trace-cmd writes them; left out when empty.
    package var uname = ""
    /// CPUs of the machine, whether they recorded anything or not.
    package var cpuCount: Int
    /// The trace clock's name in trace_clock: `x86-tsc`, `mono`, …
    package var clock: String
    /// The whole trace_clock file, the clock in use in brackets; the clock alone when empty.
    package var clockText = ""
    /// What the files of one session know this one by.
    package var traceID: UInt64
    /// per_cpu/cpuN/stats of each CPU, the line "CPU: N" in front.
    package var statistics: [String] = []
    /// How cycles become ns; nil for a clock that counts ns.
    package var tscToNanoseconds: CycleConversion?
    /// Guests that were recorded together with this host.
    package var guests: [GuestOption] = []
    /// Trace id of the host whose clock `timeShifts` lead to.
    package var peerTraceID: UInt64?
    /// TIME_SHIFT by guest CPU; written only together with `peerTraceID`.
    package var timeShifts: [TimeShift] = []

    package init(
        longSize: Int = 8, headerPage: [UInt8], headerEvent: [UInt8], formats: [FormatText], cpuCount: Int,
        clock: String, traceID: UInt64
    ) {
        self.longSize = longSize
        self.headerPage = headerPage
        self.headerEvent = headerEvent
        self.formats = formats
        self.cpuCount = cpuCount
        self.clock = clock
        self.traceID = traceID
    }

    /// The clock as a BUFFER option calls it: trace-cmd has a name of its own for an `x86-tsc` that it can convert.
    var bufferClock: String { clock == "x86-tsc" && tscToNanoseconds != nil ? "tsc2nsec" : clock }
}
