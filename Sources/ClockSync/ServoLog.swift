// What linuxptp's programs say of the clocks they keep: the offsets they report, and when they did not keep them.

/// The log of ptp4l, phc2sys or ts2phc (linuxptp 3.1 to 4.x), or of several of them.
///
/// A servo measures its clock's offset against its own master, over a path whose asymmetry it cannot see: what it calls
/// 0 is half the difference of the two directions' delays. So an error stated from a log is the servo's own word, not a
/// bound like that of an observed clock. Where clocks hang in a chain (the guest's ptp4l below the host's phc2sys), the
/// chain's error is the sum of all its links'.
package struct ServoLog: Sendable, Equatable {
    /// In time order.
    package internal(set) var reports: [Report] = []
    package internal(set) var sources: [Source] = []
    /// Lines that are none of those known; a line cut short or too long is one.
    package internal(set) var unknownLines = 0
    /// Reports beyond what is kept; the time they were for is a gap.
    package internal(set) var droppedReports = 0
    /// How often the log's time went back by more than a second: reboots, or logs put one after the other.
    package internal(set) var restarts = 0
    /// By program: times when no port was in SLAVE, after the log showed how it got there; in order, and apart from
    /// each other.
    var away: [String: [ClosedRange<Nanoseconds>]] = [:]
    /// When linuxptp's own check found that somebody else moved its clock.
    var jumps: [Jump] = []

    struct Jump: Sendable, Equatable {
        var program: String
        var time: Nanoseconds
    }

    /// Who reports about which clock.
    package struct Source: Sendable, Hashable {
        /// As it calls itself: the file name of the program.
        package var program: String
        /// What stands before the offset: phc2sys' name of the clock (CLOCK_REALTIME, eth0), a `message_tag`; empty for
        /// a plain ptp4l.
        package var clock: String
    }

    /// What the servo does (`enum servo_state` of linuxptp's servo.h), printed as s0 to s3.
    package enum State: UInt8, Sendable {
        /// It gathers samples, and leaves the clock as it is.
        case unlocked = 0
        /// It steps the clock, right after the offset was measured.
        case jump = 1
        case locked = 2
        case lockedStable = 3

        package var isLocked: Bool { self == .locked || self == .lockedStable }
    }

    package struct Report: Sendable, Equatable {
        /// CLOCK_MONOTONIC of the machine the program runs on, as linuxptp's print.c takes it.
        package var time: Nanoseconds
        /// Of `sources`.
        package var source: Int
        /// The clock minus its master; the greatest magnitude among many in a summary (`max`).
        package var offset: Nanoseconds
        /// Root mean square of a summary's offsets (`summary_interval`, `phc2sys -u`).
        package var rms: Nanoseconds?
        /// Correction of the frequency in parts per billion.
        package var frequency: Int64
        /// nil in a summary, which does not say.
        package var state: State?
        package var pathDelay: Nanoseconds?
    }

    /// More than any print.c writes: 1024 bytes, and what a journal puts before them.
    static let longestLine = 2048
    /// Twelve days of a report a second.
    static let mostReports = 1 << 20
    /// Clocks, ports, and events that come before one believes that this is no such log.
    static let mostSources = 64
    static let mostEvents = 1 << 16
}

// MARK: - Reading

extension ServoLog {
    /// Reads a whole log, whatever stands in it.
    package init(_ text: String) {
        var reading = Reading()
        var rest = text.utf8[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            reading.add(rest[..<end])
            rest = rest[end...].dropFirst()
        }
        self = reading.finish()
    }

    /// The log so far, and what has to be known to go on.
    private struct Reading {
        private var log = ServoLog()
        private var ids: [Source: Int] = [:]
        private var programs: [String: Ports] = [:]
        private var last: Nanoseconds?
        private var eventCount = 0

        /// A program's ports, as its log tells of them.
        private struct Ports {
            var slaves: Set<Int> = []
            /// All is known of them: the program's start was seen, or how the last port left SLAVE.
            var isKnown = false
            var awaySince: Nanoseconds?
        }

        mutating func add(_ bytes: Substring.UTF8View) {
            let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
            guard !bytes.isEmpty else { return }
            guard bytes.count <= ServoLog.longestLine, let line = ServoLine(bytes) else {
                log.unknownLines += 1
                return
            }
            switch line.content {
            case .report(let clock, let report): add(report, of: Source(program: line.program, clock: clock))
            case .port(let number, let from, let to):
                move(line.program, port: number, from: from, to: to, at: line.time)
            case .jump where eventCount < ServoLog.mostEvents:
                eventCount += 1
                log.jumps.append(Jump(program: line.program, time: line.time))
            case .jump, .note: break
            }
            if let last, line.time < last - 1_000_000_000 { log.restarts += 1 }
            last = line.time
        }

        private mutating func add(_ report: Report, of source: Source) {
            if ids[source] == nil, ids.count < ServoLog.mostSources {
                ids[source] = log.sources.count
                log.sources.append(source)
            }
            guard let id = ids[source], log.reports.count < ServoLog.mostReports else {
                log.droppedReports += 1
                return
            }
            var report = report
            report.source = id
            log.reports.append(report)
        }

        /// The clock is kept while any port is in SLAVE (a boundary clock has others in MASTER).
        private mutating func move(_ program: String, port: Int, from: String, to: String, at time: Nanoseconds) {
            guard programs[program] != nil || programs.count < ServoLog.mostSources, eventCount < ServoLog.mostEvents
            else { return }
            eventCount += 1
            var ports = programs[program] ?? Ports()
            if from == "INITIALIZING" || from == "SLAVE" { ports.isKnown = true }
            if to == "SLAVE" { ports.slaves.insert(port) } else { ports.slaves.remove(port) }
            if let since = ports.awaySince, !ports.slaves.isEmpty {
                log.away[program, default: []].append(min(since, time)...time)
                ports.awaySince = nil
            } else if ports.slaves.isEmpty, ports.isKnown, ports.awaySince == nil {
                ports.awaySince = time
            }
            programs[program] = ports
        }

        mutating func finish() -> ServoLog {
            for (program, ports) in programs {
                if let since = ports.awaySince { log.away[program, default: []].append(since...(.max)) }
            }
            log.away = log.away.mapValues(merged)
            // Programs that share a log are a few ms out of order.
            if !zip(log.reports, log.reports.dropFirst()).allSatisfy({ $0.time <= $1.time }) {
                log.reports.sort { $0.time < $1.time }
            }
            return log
        }
    }
}
