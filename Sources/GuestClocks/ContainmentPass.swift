// A pass of its own over a session: when vCPU threads may have been in the guest, and when guests' CPUs did something.
// Raw times, no map.

package import ClockSync
import KernelEvents
package import LinuxSystem
package import TraceData

/// A change of a guest's TSC by KVM, as kvm_write_tsc_offset tells of it.
package struct TSCOffsetChange: Sendable, Equatable {
    /// Raw host time.
    package var time: RawTime
    /// Host thread that made it.
    package var thread: Int32
    package var previous: Int64
    package var next: Int64

    package init(time: RawTime, thread: Int32, previous: Int64, next: Int64) {
        self.time = time
        self.thread = thread
        self.previous = previous
        self.next = next
    }
}

/// What the host's recording says of its vCPU threads.
package struct HostEntries: Sendable {
    /// First and last event.
    package var recorded: ClosedRange<RawTime>
    /// One for each vCPU thread; none where the recording has no entries.
    package var windows: [EntryWindows]
    package var changes: [TSCOffsetChange]
}

/// Reads one machine's events without putting them on any axis but its own.
package enum ContainmentPass {
    private enum Kind: UInt8 { case entry = 1, exit, left, offset, event }

    /// Events of the host that show, when they come on the CPU of an entry, that the guest has left. Others come
    /// between kvm_entry and the guest's first instruction (kvm_wait_lapic_expire), so most of KVM's own are not among
    /// them.
    private static let leaving = [
        "irq_handler_entry", "softirq_raise", "softirq_entry", "sched_switch", "sched_waking", "sched_wakeup",
        "napi_gro_receive_entry",
        "netif_receive_skb", "net_dev_start_xmit", "consume_skb", "kvm_arm_clear_debug", "kvm_wfx_arm64",
    ]

    private static let identity = ClockMap(segments: [ClockMap.Segment()], method: .host)

    /// Times stay the machine's own.
    private static func pass(_ file: TraceFile, _ queries: [EventQuery]) throws(SystemError) -> MarkPass {
        try MarkPass([StreamSource(file: file, selection: Selection(queries), maps: [identity])])
    }

    /// When each vCPU thread of the host may have been in its guest.
    /// - Parameter progress: called now and then with the bytes read.
    /// - Returns: nil when the recording has no events.
    package static func entries(_ host: TraceFile, progress: (Int) -> Void = { _ in }) throws(SystemError)
        -> HostEntries?
    {
        var queries = leaving.map { EventQuery($0, kind: Kind.left.rawValue) }
        queries.append(EventQuery(.kvmEntry, kind: Kind.entry.rawValue))
        // Why it left is not asked.
        queries.append(EventQuery(KernelEvent.kvmExit.name, kind: Kind.exit.rawValue))
        queries.append(EventQuery(.kvmWriteTSCOffset, kind: Kind.offset.rawValue))
        let reader = EntryReader(
            tellsVCPU: host.formats.contains { $0.name == "kvm_entry" && $0.text.contains(" vcpu_id;") })
        try pass(host, queries).run([reader], progress: progress)
        return reader.entries.finish()
    }

    /// What each CPU of a guest did when. Of events in close succession only the first and the last are kept: those
    /// between say no more.
    package static func activity(_ guest: TraceFile, progress: (Int) -> Void = { _ in }) throws(SystemError)
        -> [GuestActivity]
    {
        var queries: [EventQuery] = []
        var names: Set<String> = []
        for format in guest.formats where names.insert(format.name).inserted {
            queries.append(EventQuery(format.name, kind: Kind.event.rawValue))
        }
        let pass = try pass(guest, queries)
        let reader = ActivityReader(pass.stream.lanes)
        try pass.run([reader], progress: progress)
        return reader.cpus.sorted { $0.key < $1.key }.map { GuestActivity(cpu: $0.key, times: $0.value.finished()) }
    }

    private final class ActivityReader: MarkReader {
        private let lanes: [Lane]
        private(set) var cpus: [Int: Thinned] = [:]

        init(_ lanes: [Lane]) { self.lanes = lanes }

        func take(_ marks: Span<Mark>) {
            for index in marks.indices where marks[index].isOfSoundTime && marks[index].kind == Kind.event.rawValue {
                cpus[lanes[Int(marks[index].lane)].cpu, default: Thinned()].add(RawTime(bitPattern: marks[index].time))
            }
        }
    }

    private struct Thinned {
        /// Raw units: events closer than this are one burst.
        static let gap: RawTime = 2000
        var times: [RawTime] = []
        var pending: RawTime?

        mutating func add(_ time: RawTime) {
            if let pending {
                guard time > pending else { return }
                let last = times.last ?? 0
                if times.isEmpty || pending - last > Self.gap || time - pending > Self.gap { times.append(pending) }
            }
            pending = time
        }

        func finished() -> [RawTime] { times + (pending.map { [$0] } ?? []) }
    }

    private final class EntryReader: MarkReader {
        var entries: Entries

        init(tellsVCPU: Bool) { entries = Entries(tellsVCPU: tellsVCPU) }

        func take(_ marks: Span<Mark>) { entries.take(marks) }
    }

    /// Follows the host's CPUs and threads.
    private struct Entries {
        private struct Thread {
            var windows: EntryWindows
            /// It may have been in the guest since then: the recording has a hole, or begins there.
            var doubtfulSince: RawTime?
        }

        let tellsVCPU: Bool
        private var threads: [Int32: Thread] = [:]
        /// By lane: the thread that entered a guest there, and when.
        private var open: [UInt16: (thread: Int32, since: RawTime)] = [:]
        private var holes = 0
        private var changes: [TSCOffsetChange] = []
        private var first: RawTime?
        private var last: RawTime = 0

        init(tellsVCPU: Bool) { self.tellsVCPU = tellsVCPU }

        mutating func take(_ marks: Span<Mark>) {
            for index in marks.indices where marks[index].isOfSoundTime { take(marks[index]) }
        }

        private mutating func take(_ mark: Mark) {
            let time = RawTime(bitPattern: mark.time)
            if first == nil { first = time }
            last = max(last, time)
            switch mark.kind {
            case Mark.Reserved.lostBegin:
                holes += 1
                close(mark.lane, time)
                for id in threads.keys where threads[id]?.doubtfulSince == nil { threads[id]?.doubtfulSince = time }
            case Mark.Reserved.lostEnd:
                holes -= 1
                open[mark.lane] = nil
            case Kind.entry.rawValue:
                close(mark.lane, time)
                settle(mark, time)
                open[mark.lane] = (mark.thread, time)
            case Kind.exit.rawValue:
                // The first mark of a thread: it was in the guest when the recording began.
                settle(mark, time)
                close(mark.lane, time)
                if holes > 0 { threads[mark.thread]?.doubtfulSince = time }
            case Kind.left.rawValue: close(mark.lane, time)
            case Kind.offset.rawValue:
                changes.append(
                    TSCOffsetChange(
                        time: time, thread: mark.thread, previous: Int64(bitPattern: mark.a),
                        next: Int64(bitPattern: mark.b)))
            default: break
            }
        }

        private mutating func close(_ lane: UInt16, _ time: RawTime) {
            guard let entered = open.removeValue(forKey: lane) else { return }
            threads[entered.thread]?.windows.add(entered.since, time)
        }

        /// A thread has made itself known: what was doubtful about it ends here.
        private mutating func settle(_ mark: Mark, _ time: RawTime) {
            let id = mark.thread
            if threads[id] == nil {
                threads[id] = Thread(
                    windows: EntryWindows(thread: id), doubtfulSince: mark.kind == Kind.exit.rawValue ? 0 : nil)
            }
            if mark.kind == Kind.entry.rawValue, tellsVCPU {
                threads[id]?.windows.vcpu = Int(Int32(truncatingIfNeeded: mark.a))
            }
            if let since = threads[id]?.doubtfulSince {
                threads[id]?.windows.add(since, time)
                threads[id]?.doubtfulSince = nil
            }
        }

        mutating func finish() -> HostEntries? {
            guard let first else { return nil }
            for (_, entered) in open { threads[entered.thread]?.windows.add(entered.since, .max) }
            for id in threads.keys {
                if let since = threads[id]?.doubtfulSince { threads[id]?.windows.add(since, .max) }
            }
            return HostEntries(
                recorded: first...max(first, last),
                windows: threads.values.map(\.windows).sorted { $0.thread < $1.thread },
                changes: changes)
        }
    }
}

extension Mark {
    /// A raw time of 2⁶³ or more is negative here: no clock has counted so far, so the timestamp is corrupt.
    fileprivate var isOfSoundTime: Bool { time >= 0 }
}
