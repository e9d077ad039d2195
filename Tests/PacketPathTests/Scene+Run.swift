// Playing a scene to the tracker, and what it made of it.

import ClockSync
import PacketPath
import TraceData

final class Collector: JourneySink {
    private(set) var journeys: [Journey] = []

    func take(_ journey: borrowing Journey) { journeys.append(copy journey) }
}

/// What the tracker found.
struct Found: CustomStringConvertible {
    let journeys: [Journey]
    let unclaimed: [UnclaimedPackets]
    /// By machine, the host first.
    let containments: [Containment]
    /// By machine: packets between recorder and agent.
    let recorderPackets: [Int]
    /// Journeys by the times that are one packet's own.
    private var owners: [Nanoseconds: [Int]] = [:]

    init(journeys: [Journey], unclaimed: [UnclaimedPackets], containments: [Containment], recorderPackets: [Int]) {
        self.journeys = journeys
        self.unclaimed = unclaimed
        self.containments = containments
        self.recorderPackets = recorderPackets
        for (index, journey) in journeys.enumerated() {
            for point in Packet.identity where journey.times.has(point) {
                // Native XDP gives a whole bulk to the NIC at one time.
                if point == .nicXmit, journey.isKnownByOrderAlone { continue }
                owners[journey.times[point], default: []].append(index)
            }
        }
    }

    /// The one journey with a time that is this packet's own; nil when there is none, or more than one.
    subscript(packet: Packet) -> Journey? {
        let own = Set(Packet.identity.flatMap { packet.points[$0].flatMap { owners[$0] } ?? [] })
        return own.count == 1 ? journeys[own.first!] : nil
    }

    func outcome(_ packet: Packet) -> Outcome? { self[packet]?.outcome }

    func outcomes(_ packets: [Packet]) -> [Outcome?] { packets.map(outcome) }

    func count(_ outcome: Outcome) -> Int { journeys.count { $0.outcome == outcome } }

    var description: String { "\(journeys.count) journeys, \(count(.complete)) complete" }
}

extension Scene {
    /// Name of "lo".
    static let loopback: UInt16 = 99

    /// Follows the scene from its first to its last mark.
    func run() -> Found {
        let collector = Collector()
        var tracker = Tracker(
            threadsOfGuests: threads, agentPorts: agentPorts, workers: workers, otherThreads: otherThreads,
            queueWorkers: queueWorkers, kernels: kernels,
            path: threads.isEmpty ? .host : nil, loopback: Self.loopback, lanes: lanes, names: names, sink: collector)
        let stream = stream()
        unsafe stream.withUnsafeBufferPointer { unsafe tracker.follow($0) }
        let unclaimed = tracker.finish()
        return Found(
            journeys: collector.journeys, unclaimed: unclaimed,
            containments: (0...threads.count).map { tracker.containment(of: $0) },
            recorderPackets: (0...threads.count).map { tracker.recorderPackets(of: $0) })
    }

    /// All marks, with those that no event makes: each lane begins with its first event and ends with its last one.
    func stream() -> [Mark] {
        var lanesOfMarks: [[Mark]] = lanes.map { _ in [] }
        // The order of equal times stays.
        for mark in marks.sorted(by: { $0.time < $1.time }) { lanesOfMarks[Int(mark.lane)].append(mark) }
        var stream: [Mark] = []
        for (lane, marks) in lanesOfMarks.enumerated() {
            guard let first = marks.first, let last = marks.last else { continue }
            // What was lost before the first event is told before it.
            let holesAtStart = marks.prefix(while: \.isOfHole)
            stream += holesAtStart
            stream.append(reserved(Mark.Reserved.laneBegin, first.time, lane))
            stream += marks.dropFirst(holesAtStart.count)
            stream.append(reserved(Mark.Reserved.laneEnd, last.time, lane))
        }
        return stream.sorted { $0.time < $1.time || $0.time == $1.time && $0.lane < $1.lane }
    }

    private func reserved(_ kind: UInt8, _ time: Nanoseconds, _ lane: Int) -> Mark {
        Mark(time: time, a: 0, b: 0, thread: 0, lane: UInt16(lane), kind: kind, flags: 0)
    }

    // MARK: What a recording leaves out

    /// The machine's recording begins at `time`.
    mutating func begin(_ machine: Int, at time: Nanoseconds) {
        marks.removeAll { lanes[Int($0.lane)].machine == machine && $0.time < time }
    }

    /// The machine's recording ends before `time`.
    mutating func end(_ machine: Int, at time: Nanoseconds) {
        marks.removeAll { lanes[Int($0.lane)].machine == machine && $0.time >= time }
    }

    /// The events of these times are lost on one CPU, as its recording then says so: from the last event before to the
    /// first after. With holes that it overlaps it makes one.
    mutating func lose(lane: Int, _ times: Range<Nanoseconds>) {
        marks.removeAll { Int($0.lane) == lane && !$0.isOfHole && times.contains($0.time) }
        let known = timesOf(lane: lane)
        let before = known.last { $0 < times.lowerBound }
        let after = known.first { $0 >= times.upperBound }
        removeHoles(lane: lane, between: before ?? .min, and: after ?? .max)
        var hole: [Mark] = []
        if let begin = before ?? after { hole.append(reserved(Mark.Reserved.lostBegin, begin, lane)) }
        if let after { hole.append(reserved(Mark.Reserved.lostEnd, after, lane)) }
        // Ahead of the first event that is there again.
        let next = marks.firstIndex { Int($0.lane) == lane && !$0.isOfHole && $0.time == after }
        marks.insert(contentsOf: hole, at: next ?? marks.count)
    }

    /// Removes the beginnings and ends of holes that are not wholly before or after these times.
    private mutating func removeHoles(lane: Int, between before: Nanoseconds, and after: Nanoseconds) {
        let places = marks.indices.filter { Int(marks[$0].lane) == lane && marks[$0].isOfHole }
        // They lie in turns; the last one need not end.
        for begin in stride(from: 0, to: places.count, by: 2).reversed() {
            let end = begin + 1 < places.count ? places[begin + 1] : nil
            guard marks[places[begin]].time < after, end.map({ marks[$0].time > before }) ?? true else { continue }
            if let end { marks.remove(at: end) }
            marks.remove(at: places[begin])
        }
    }

    /// When events happened on one CPU, in order.
    func timesOf(lane: Int) -> [Nanoseconds] {
        marks.filter { Int($0.lane) == lane && !$0.isOfHole }.map(\.time).sorted()
    }

    /// Without the events of one kind on one machine.
    mutating func forget(_ kind: MarkKind, of machine: Int) {
        marks.removeAll { $0.kind == kind.rawValue && lanes[Int($0.lane)].machine == machine }
    }

    /// A clock map that is wrong by so much.
    mutating func shift(_ machine: Int, by error: Nanoseconds) {
        for index in marks.indices where lanes[Int(marks[index].lane)].machine == machine { marks[index].time += error }
    }
}

extension Mark {
    fileprivate var isOfHole: Bool { kind == Reserved.lostBegin || kind == Reserved.lostEnd }
}
