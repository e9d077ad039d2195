// How a recording goes, once a second, for a person at a terminal.

import LinuxSystem

struct StatusLine {
    private let trace: MachineTrace
    private let begin: Int64
    private var last: (time: Int64, events: Int)
    let isWanted = Terminal.errorIsTerminal

    init(_ trace: MachineTrace, since begin: Int64) {
        self.trace = trace
        self.begin = begin
        last = (begin, 0)
    }

    /// nil when less than a second has gone by. The host's own counters: asking a guest would disturb it.
    mutating func next() -> RecordingNews? {
        let now = monotonicNanoseconds()
        guard now - last.time >= 900_000_000 else { return nil }
        let counters = trace.counters()
        let events = counters.entries + counters.read
        defer { last = (now, events) }
        let capacity = trace.bufferKiB << 10 * trace.cpus.count
        return .status(
            elapsed: now - begin, eventsPerSecond: max(0, events - last.events) * 1_000_000_000 / Int(now - last.time),
            fill: capacity > 0 ? Double(counters.bytes) / Double(capacity) : 0, lost: counters.lost)
    }
}
