// What has to be true of any traffic, tried on much of it.

import ClockSync
import Foundation
import PacketPath
import Testing

@Suite struct TrafficTests {
    /// As many of these seeds as VIRTLAT_SEEDS says, which may be more, and those that once showed a fault.
    private static func seeds(_ usual: ClosedRange<UInt64>, and faulty: UInt64...) -> [UInt64] {
        let wanted = ProcessInfo.processInfo.environment["VIRTLAT_SEEDS"].flatMap { UInt64($0) }
        let last = wanted.map { usual.lowerBound + max(1, $0) - 1 } ?? usual.upperBound
        return Array(usual.lowerBound...last) + faulty.filter { $0 > last }
    }

    /// A model run to its end; every packet's truth is in it.
    private func traffic(_ seed: UInt64, packets: Int = 2000) -> Traffic {
        let traffic = Traffic(seed: seed, packets: packets)
        traffic.run()
        return traffic
    }

    private func counts(_ outcomes: [Outcome]) -> [String: Int] {
        outcomes.reduce(into: [:]) { $0[$1.name, default: 0] += 1 }
    }

    /// Journeys whose points run backwards.
    private func backwards(_ found: Found) -> [Points] {
        found.journeys.filter {
            $0.outcome == .complete && !$0.points.isOrdered(by: PathDescription.tap.rules($0.direction))
        }.map(\.points)
    }

    @Test(arguments: Self.seeds(1...4))
    func `every packet of a whole recording ends as it did, at its own times`(seed: UInt64) {
        let traffic = traffic(seed)
        let found = traffic.scene.run()
        for (direction, packets) in [(Direction.receive, traffic.received), (.transmit, traffic.sent)] {
            let journeys = found.journeys.filter { $0.direction == direction }
            #expect(journeys.count == packets.count)
            #expect(counts(journeys.map(\.outcome)) == counts(packets.map(\.fate)))
        }
        #expect(found.falsehoods(among: traffic.scene.packets).first == nil)
        #expect(found.misattributions(among: traffic.scene.packets).first == nil)
        #expect(backwards(found).first == nil)
        #expect(found.containments[1].outside == 0)
    }

    @Test(arguments: Self.seeds(11...14, and: 22, 126, 221, 307))
    func `a recording that begins and ends anywhere tells no falsehood and leaves nothing out`(seed: UInt64) {
        let traffic = traffic(seed)
        var scene = traffic.scene
        let end = scene.now
        // Each machine begins within the first third and ends within the last.
        var begins: [Nanoseconds] = []
        var ends: [Nanoseconds] = []
        for machine in 0...1 {
            begins.append(Nanoseconds.random(in: 0...end / 3, using: &traffic.random))
            ends.append(Nanoseconds.random(in: end / 3 * 2...end, using: &traffic.random))
            scene.begin(machine, at: begins[machine])
            scene.end(machine, at: ends[machine])
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).first == nil)
        #expect(found.misattributions(among: scene.packets).first == nil)
        #expect(backwards(found).first == nil)
        // A packet is seen where it was put, or else where it was taken …
        func isInside(_ packet: Packet, _ point: Point, _ machine: Int) -> Bool {
            packet.points[point].map { begins[machine] <= $0 && $0 < ends[machine] } ?? false
        }
        let received = traffic.received.filter { isInside($0, .hostEgress, 0) || isInside($0, .guestIngress, 1) }
        let sent = traffic.sent.filter { isInside($0, .guestEgress, 1) || isInside($0, .hostIngress, 0) }
        // … and one that was on the tap when the recording began, where it was copied, if its worker is known by then.
        let copied = traffic.received.count {
            isInside($0, .vhostCopy, 0) && !isInside($0, .hostEgress, 0) && !isInside($0, .guestIngress, 1)
        }
        // What the tap dropped unseen at the end is taken for one that the guest got later.
        let last = traffic.received.last { isInside($0, .hostEgress, 0) }
        let dropped = last?.fate == .dropped && last?.points[.vhostCopy] == nil ? 1 : 0
        #expect((received.count - dropped...received.count + copied).contains(found.seen(.receive)))
        #expect(found.seen(.transmit) == sent.count)
        #expect(found.count(.ambiguous) == 0)
        #expect(found.count(.lostEvents) == 0)
        let inside = (received + sent).filter { packet in
            packet.fate == .complete
                && Packet.identity.allSatisfy { point in
                    packet.points[point].map { begins.max()! <= $0 && $0 < ends.min()! } ?? true
                }
        }
        // The order of a ring is proven as soon as it runs empty.
        #expect(inside.count { found[$0]?.outcome == .complete } >= inside.count - 20)
    }

    @Test(arguments: Self.seeds(21...26, and: 39, 44, 49, 89, 480))
    func `with holes anywhere no complete journey is a false one, and no packet is counted twice`(seed: UInt64) {
        let traffic = traffic(seed)
        var scene = traffic.scene
        for _ in 0..<Int.random(in: 1...12, using: &traffic.random) {
            let begin = Nanoseconds.random(in: 0...scene.now, using: &traffic.random)
            let length = Nanoseconds.random(in: 1...scene.now / 50, using: &traffic.random)
            scene.lose(lane: Int.random(in: 0..<4, using: &traffic.random), begin..<begin + length)
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).first == nil)
        #expect(found.misattributions(among: scene.packets).first == nil)
        #expect(backwards(found).first == nil)
        #expect(found.count(.complete) > traffic.sent.count / 2)
        // What happened inside holes only is not seen at all.
        #expect(found.seen(.receive) <= traffic.received.count)
        #expect(found.seen(.transmit) <= traffic.sent.count)
    }
}
