// The second pass of an explanation: the slow packets one by one, the others as counts.

import ClockSync
import PacketPath
import TraceData

/// What is slow in one flow, as the first pass found it.
struct TailTarget {
    var machine: Int
    var device: String
    var direction: Direction
    var path: PathKind
    /// Its table is of packets without a known send call.
    var isWithoutCall: Bool
    /// A packet is slow that took longer; nil where packets of this flow are not asked for.
    var limit: Nanoseconds?
    /// The stage that is asked for; nil for the whole way.
    var stage: Int?
    var stageCount: Int

    func isOf(_ journey: borrowing Journey) -> Bool {
        if journey.machine == machine, journey.direction == direction, journey.path == path { return true }
        return false
    }
}

/// What was read of a flow.
struct TailReading {
    var slow: [SlowPacket] = []
    /// Measured packets, slow or not.
    var count = 0
    /// Of all of them, slow or not.
    var traits: [Trait: Int] = [:]
    /// When each began, host time, in the order in which they ended; the first ones, where there are very many.
    var begins: [Nanoseconds] = []
    var hasTooMany = false

    /// So many beginnings are kept: 8 MiB.
    static let mostBegins = 1 << 20
}

/// Sorts the packets of a session into slow ones and others.
final class TailReader: JourneyReader {
    private let targets: [TailTarget]
    /// The one packet that is kept, whatever it took …
    private let wanted: Int?
    /// … and when it was where.
    private(set) var wantedTimes = PointTimes()
    private(set) var readings: [TailReading] = []
    private let paths = PathTable()
    private var names = NameTable()
    /// By the device's number in this pass: numbers are handed out anew in each.
    private var known: [UInt16: [Int]] = [:]

    init(_ targets: [TailTarget], wanted: Int? = nil) {
        self.targets = targets
        self.wanted = wanted
    }

    func begin(_ start: PassStart) {
        names = start.names
        known = [:]
        readings = targets.map { _ in TailReading() }
    }

    func take(_ journey: borrowing Journey) {
        guard journey.outcome == .complete, let index = target(of: journey) else { return }
        let target = targets[index]
        guard journey.isWithoutCall == target.isWithoutCall else { return }
        let waypoints = paths[journey.path, journey.direction]
        var tiles = StageTiles()
        var stages = [Nanoseconds?](repeating: nil, count: target.stageCount)
        tiles.follow(journey, waypoints) { stages[$0.stage] = $0.time }
        let traits = Trait.all(of: journey)
        for trait in traits { readings[index].traits[trait, default: 0] += 1 }
        let place = readings[index].count
        readings[index].count += 1
        let begin = journey.firstTime(waypoints) ?? 0
        if place < TailReading.mostBegins { readings[index].begins.append(begin) }
        let (number, time) = (journey.number, target.stage.map { stages[$0] ?? 0 } ?? tiles.total)
        guard wanted.map({ $0 == number }) ?? target.limit.map({ time > $0 }) ?? false else { return }
        if wanted != nil { wantedTimes = journey.times }
        guard readings[index].slow.count < TailQuestion.mostSlow else {
            readings[index].hasTooMany = true
            return
        }
        readings[index].slow.append(
            SlowPacket(
                number: number, place: place, begin: begin, total: tiles.total, traits: traits, stages: stages))
    }

    private func target(of journey: borrowing Journey) -> Int? {
        if known[journey.device] == nil {
            let name = names.name(journey.device)
            known[journey.device] = targets.indices.filter { targets[$0].device == name }
        }
        for index in known[journey.device] ?? [] where targets[index].isOf(journey) { return index }
        return nil
    }
}
