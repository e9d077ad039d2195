// The packets of a session as an explanation wants them: the slow ones one by one, the others as counts.
//
// Where slow begins is known only when all packets have been seen. So the slowest so far are kept, many more than will
// be slow; and if one of those that were let go on the way turns out to be slow after all, the session is read once
// more, with what is known then.

import ClockSync
import PacketPath
import TraceData

/// A flow that has a table of its own, and which of its packets the table is of.
struct TailKey: Hashable {
    var machine: Int
    var device: String
    var direction: Direction
    var path: PathKind
    /// Packets without a known send call.
    var isWithoutCall: Bool
}

/// What was read of a flow.
struct TailReading {
    let key: TailKey
    /// Number of the stage that is asked for; nil for the whole way.
    let stage: Int?
    let stageCount: Int
    /// Above which time packets are slow, where that is known already.
    let limit: Nanoseconds?
    /// The slowest, among them all that are slow unless some were `forgotten`.
    private(set) var slow: [SlowPacket] = []
    /// Measured packets, slow or not.
    private(set) var count = 0
    /// Of all of them, slow or not.
    private(set) var traits: [Trait: Int] = [:]
    /// When each began, host time, in the order in which they ended; the first ones, where there are very many.
    private(set) var begins: [Nanoseconds] = []
    /// The longest time of a packet that was let go.
    private(set) var forgotten: Nanoseconds = -1
    private(set) var hasTooMany = false

    /// So many beginnings are kept: 8 MiB.
    private static let mostBegins = 1 << 20
    /// So many of the slowest are kept at least.
    private static let fewest = 4096

    init(_ key: TailKey, _ question: TailQuestion, limit: Nanoseconds? = nil) {
        self.key = key
        self.limit = limit ?? question.limit.time
        let stages = key.path.description.rules(key.direction).compactMap(\.stage)
        stage = question.stage.flatMap { name in stages.firstIndex { $0.name == name } }
        stageCount = stages.count
    }

    /// Counts a packet.
    /// - Returns: its place among the others.
    mutating func count(_ traits: [Trait], begin: Nanoseconds) -> Int {
        for trait in traits { self.traits[trait, default: 0] += 1 }
        if count < Self.mostBegins { begins.append(begin) }
        count += 1
        return count - 1
    }

    /// Keeps a packet.
    /// - Parameter share: of all packets that will be slow, 0 to 1; nil where it is known already that this one is.
    mutating func keep(_ packet: SlowPacket, share: Double?) {
        guard let share else {
            if slow.count < TailQuestion.mostSlow { slow.append(packet) } else { hasTooMany = true }
            return
        }
        slow.append(packet)
        let wanted = min(TailQuestion.mostSlow, max(Self.fewest, 4 * Int(share * Double(count))))
        guard slow.count >= 2 * wanted else { return }
        // The slowest remain, in the order in which they came.
        let limit = slow.map(\.measured).sorted(by: >)[wanted]
        forgotten = limit
        slow.removeAll { $0.measured <= limit }
    }

    /// Leaves those that took longer than `limit`.
    mutating func settle(_ limit: Nanoseconds) {
        slow.removeAll { $0.measured <= limit }
        if slow.count > TailQuestion.mostSlow { hasTooMany = true }
    }
}

/// Sorts the packets of a session into those that are or may be slow, and others.
final class TailReader: JourneyReader {
    private let question: TailQuestion
    /// Above which time packets are slow, where that is known.
    private let limits: [TailKey: Nanoseconds]
    private(set) var readings: [TailReading] = []
    /// When the packet that was asked for was where.
    private(set) var times = PointTimes()
    private let paths = PathTable()
    private var names = NameTable()

    init(_ question: TailQuestion, limits: [TailKey: Nanoseconds] = [:]) {
        self.question = question
        self.limits = limits
    }

    func begin(_ start: PassStart) {
        names = start.names
        readings = []
        devices = []
    }

    func take(_ journey: borrowing Journey) {
        guard journey.outcome == .complete else { return }
        let index = reading(of: journey)
        let waypoints = paths[journey.path, journey.direction]
        var tiles = StageTiles()
        var inStage: Nanoseconds?
        let stage = readings[index].stage
        tiles.follow(journey, waypoints) { if $0.stage == stage { inStage = $0.time } }
        let begin = journey.firstTime(waypoints) ?? 0
        let traits = Trait.all(of: journey)
        let place = readings[index].count(traits, begin: begin)
        if question.stage != nil, inStage == nil { return }
        let measured = inStage ?? tiles.total
        var share: Double?
        if let packet = question.packet {
            guard packet == journey.number else { return }
            times = journey.times
        } else if let limit = readings[index].limit {
            guard measured > limit else { return }
        } else {
            guard measured > readings[index].forgotten else { return }
            share = question.limit.share
        }
        var stages = [Nanoseconds?](repeating: nil, count: readings[index].stageCount)
        var again = StageTiles()
        again.follow(journey, waypoints) { stages[$0.stage] = $0.time }
        readings[index].keep(
            SlowPacket(
                number: journey.number, place: place, begin: begin, total: tiles.total, measured: measured,
                traits: traits, stages: stages), share: share)
    }

    /// By reading: the device's number in this pass. Numbers are handed out anew in each.
    private var devices: [UInt16] = []

    private func reading(of journey: borrowing Journey) -> Int {
        for index in readings.indices {
            // Asked where it stands: a copy would count references to all that it holds.
            if devices[index] == journey.device, readings[index].key.machine == journey.machine,
                readings[index].key.direction == journey.direction, readings[index].key.path == journey.path,
                readings[index].key.isWithoutCall == journey.isWithoutCall
            {
                return index
            }
        }
        let key = TailKey(
            machine: journey.machine, device: names.name(journey.device), direction: journey.direction,
            path: journey.path, isWithoutCall: journey.isWithoutCall)
        readings.append(TailReading(key, question, limit: limits[key]))
        devices.append(journey.device)
        return readings.count - 1
    }
}

extension TailQuestion.Limit {
    /// The time that is given; nil for a percentile.
    fileprivate var time: Nanoseconds? { if case .time(let time) = self { time } else { nil } }
    /// The share of packets beyond a percentile, 0 to 1; nil for a time.
    fileprivate var share: Double? { if case .percentile(let percent) = self { 1 - percent / 100 } else { nil } }
}
