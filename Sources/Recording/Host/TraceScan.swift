// One pass over a finished trace.dat for what the recorder itself put into it.

import ClockSync
import LinuxSystem
import Sessions
import TraceData

/// Our own marks in a trace, and how much of it is our own doing.
struct TraceScan {
    /// Raw times of markers.
    var markers: [Marker.Kind: [UInt32: RawTime]] = [:]
    var allEvents = 0
    var ownEvents = 0
    /// Events that the kernel lost, as far as it counted them.
    var lost = 0

    private enum Kind {
        static let marker: UInt8 = 1
        static let other: UInt8 = 2
    }

    init() {}

    /// - Parameters:
    ///   - events: names of the events that were recorded.
    ///   - threads: the recorder's own.
    init(_ path: String, events: [RecordedEvent], threads: Set<Int32>) throws {
        try self.init(try TraceFile(path: path), events: events.map(\.event), threads: threads)
    }

    init(_ file: TraceFile, events: [String], threads: Set<Int32>) throws {
        let queries = events.compactMap { EventName($0) }.map { EventQuery($0.name, kind: Kind.other) }
        let pass = try MarkPass([
            StreamSource(
                file: file,
                selection: Selection(
                    [EventQuery("raw_data", kind: Kind.marker, [.number("id", to: .a, width: 32)])] + queries),
                // Times stay as they are: raw.
                maps: [.host(nil)])
        ])
        let reader = Reader(threads)
        try pass.run([reader])
        self = reader.scan
        for counts in pass.stream.counts {
            allEvents += counts.events
            lost = lost &+ counts.lost
        }
        lost = max(lost, file.options.statistics.reduce(0) { $0 &+ $1.overrun &+ $1.dropped })
    }

    private final class Reader: MarkReader {
        private let threads: Set<Int32>
        private(set) var scan = TraceScan()

        init(_ threads: Set<Int32>) { self.threads = threads }

        func take(_ marks: Span<Mark>) { scan.take(marks, threads) }
    }

    /// - Parameter threads: our own.
    private mutating func take(_ marks: Span<Mark>, _ threads: Set<Int32>) {
        for index in marks.indices {
            let mark = marks[index]
            guard mark.kind == Kind.marker || mark.kind == Kind.other else { continue }
            if threads.contains(mark.thread) { ownEvents += 1 }
            guard mark.kind == Kind.marker, let marker = Marker(id: UInt32(truncatingIfNeeded: mark.a)) else {
                continue
            }
            markers[marker.kind, default: [:]][marker.number] = RawTime(bitPattern: mark.time)
        }
    }
}

extension Exchange {
    /// Pairs the stamps of both sides by the probe's number.
    /// - Parameters:
    ///   - host, guest: from each side's raw time to ns.
    static func pair(
        host: TraceScan, hostClock: CycleConversion?, guest: TraceScan, guestClock: CycleConversion?,
        numbers: Range<UInt32>
    )
        -> [Exchange]
    {
        let toHost = hostClock ?? .nanoseconds
        let toGuest = guestClock ?? .nanoseconds
        return numbers.compactMap { number in
            guard let t1 = host.markers[.sent]?[number], let t2 = guest.markers[.received]?[number],
                let t3 = guest.markers[.sent]?[number],
                let t4 = host.markers[.received]?[number]
            else { return nil }
            let (sent, back) = (toHost.nanoseconds(t1), toHost.nanoseconds(t4))
            let (came, left) = (toGuest.nanoseconds(t2), toGuest.nanoseconds(t3))
            // The mean of the offsets at both ends of the way; both may be large, so each is halved by itself.
            let there = came &- sent
            let here = left &- back
            return Exchange(
                hostSent: t1, guestReceived: t2, guestSent: t3, hostReceived: t4,
                roundTrip: (back &- sent) &- (left &- came),
                offset: here &+ (there &- here) / 2)
        }
    }
}
