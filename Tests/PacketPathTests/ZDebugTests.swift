import ClockSync
import PacketPath
import TraceData
import Testing

@Suite struct ZDebugTests {
    @Test func debug() {
        var tally: [String: [UInt64]] = [:]
        for seed in 1000..<1400 as Range<UInt64> {
            let traffic = Traffic(seed: seed, packets: 800)
            traffic.run()
            var scene = traffic.scene
            let mode = seed % 4
            if mode == 1 {
                for machine in 0...1 {
                    scene.begin(machine, at: Nanoseconds.random(in: 0...scene.now / 3, using: &traffic.random))
                    scene.end(machine, at: Nanoseconds.random(in: scene.now / 3 * 2...scene.now, using: &traffic.random))
                }
            } else if mode >= 2 {
                for _ in 0..<Int.random(in: 1...8, using: &traffic.random) {
                    let begin = Nanoseconds.random(in: 0...scene.now, using: &traffic.random)
                    let length = Nanoseconds.random(in: 1...scene.now / (mode == 2 ? 50 : 500), using: &traffic.random)
                    scene.lose(lane: Int.random(in: 0..<4, using: &traffic.random), begin..<begin + length)
                }
            }
            let found = scene.run()
            if !found.falsehoods(among: scene.packets).isEmpty { tally["\(mode) false", default: []].append(seed) }
            if found.count(.ambiguous) > 0 { tally["\(mode) ambiguous", default: []].append(seed) }
            if found.containments[1].outside > 0 { tally["\(mode) outside", default: []].append(seed) }
            for j in found.journeys where j.outcome == .complete && !j.points.isOrdered(by: PathDescription.tap.rules(j.direction)) { tally["\(mode) backwards", default: []].append(seed) }
            var owners: [Nanoseconds: Packet] = [:]
            for packet in scene.packets { for point in Packet.identity { if let time = packet.points[point] { owners[time] = packet } } }
            for j in found.journeys where j.outcome == .complete {
                let points = j.points
                guard let owner = Packet.identity.lazy.compactMap({ points[$0] }).compactMap({ owners[$0] }).first, owner.matches(points) else { continue }
                for point in Point.allCases where !Packet.identity.contains(point) && points[point] != nil && owner.points[point] != nil && points[point] != owner.points[point] {
                    if tally["\(mode) \(point.name)", default: []].last != seed { tally["\(mode) \(point.name)", default: []].append(seed) }
                }
                if points[.guestSend] != owner.points[.guestSend] { if tally["\(mode) send", default: []].last != seed { tally["\(mode) send", default: []].append(seed) } }
                if mode == 0 { for point in [Point.nicIRQ, .vhostWake, .irqInject, .guestIRQ, .guestWake, .kick] where points[point] == nil && owner.points[point] != nil {
                     tally["lacks \(point.name)", default: []].append(seed)
                } 
                for point in [Point.nicIRQ, .vhostWake, .irqInject, .guestIRQ, .guestWake, .kick] where points[point] != nil && owner.points[point] == nil {
                     tally["extra \(point.name)", default: []].append(seed)
                } }
            }
            if mode == 0 || mode == 1 { } 
            if mode >= 2 { let d = found.journeys.count - traffic.received.count - traffic.sent.count; tally["\(mode) miscount \(d)", default: []].append(seed) }
        }
        for (k, v) in tally.sorted(by: { $0.key < $1.key }) { print("ZZ", k, v.count, v.prefix(4)) }
    }
}
