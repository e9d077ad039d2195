// What has to be true of any traffic over native XDP, tried on much of it.

import ClockSync
import PacketPath
import Testing

@Suite struct XDPTrafficTests {
    private func traffic(_ seed: UInt64, packets: Int = 1500) -> Traffic {
        let traffic = Traffic(seed: seed, packets: packets, plumbing: .nativeXDP)
        traffic.run()
        return traffic
    }

    @Test(arguments: 101...106 as ClosedRange<UInt64>)
    func `every frame of a whole recording ends as it did, or as ambiguous where an skb came between`(seed: UInt64) {
        let traffic = traffic(seed)
        let found = traffic.scene.run()
        #expect(found.falsehoods(among: traffic.scene.packets).first == nil)
        #expect(found.seen(.receive) == traffic.received.count)
        #expect(found.seen(.transmit) == traffic.sent.count)
        for (direction, packets) in [(Direction.receive, traffic.received), (.transmit, traffic.sent)] {
            let journeys = found.journeys.filter { $0.direction == direction }
            for outcome in [Outcome.complete, .dropped, .kernelConsumed] {
                let truth = packets.count { $0.fate == outcome }
                let count = journeys.count { $0.outcome == outcome }
                #expect(
                    count <= truth && count >= truth * 3 / 4, "\(direction.name) \(outcome.name): \(count) of \(truth)")
            }
            #expect(journeys.allSatisfy { [.complete, .dropped, .kernelConsumed, .ambiguous].contains($0.outcome) })
        }
        #expect(found.journeys.allSatisfy { $0.direction == .receive || $0.outcome != .ambiguous })
    }

    @Test(arguments: 1131...1160 as ClosedRange<UInt64>)
    func `where many packets go by the stack beside the frames, none takes another's place, torn or whole`(seed: UInt64)
    {
        let traffic = Traffic(seed: seed, packets: 600, plumbing: .nativeXDP)
        traffic.isMixed = true
        traffic.run()
        var scene = traffic.scene
        if seed % 3 == 1 { scene.begin(Int(seed % 2), at: scene.now / 5) }
        for _ in 0..<(seed % 2 == 0 ? Int.random(in: 1...6, using: &traffic.random) : 0) {
            let begin = Nanoseconds.random(in: 0...scene.now, using: &traffic.random)
            let length = Nanoseconds.random(in: 1...scene.now / 50, using: &traffic.random)
            scene.lose(lane: Int.random(in: 0..<4, using: &traffic.random), begin..<begin + length)
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).first == nil)
        #expect(found.seen(.receive) <= traffic.received.count)
        #expect(found.seen(.transmit) <= traffic.sent.count)
    }

    @Test(arguments: 111...116 as ClosedRange<UInt64>)
    func `a recording that begins and ends anywhere tells no falsehood and counts nothing twice`(seed: UInt64) {
        let traffic = traffic(seed)
        var scene = traffic.scene
        let end = scene.now
        for machine in 0...1 {
            scene.begin(machine, at: Nanoseconds.random(in: 0...end / 3, using: &traffic.random))
            scene.end(machine, at: Nanoseconds.random(in: end / 3 * 2...end, using: &traffic.random))
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).first == nil)
        #expect(found.seen(.receive) <= traffic.received.count)
        #expect(found.seen(.transmit) <= traffic.sent.count)
        #expect(found.count(.complete) > traffic.sent.count / 4)
    }

    @Test(arguments: 121...128 as ClosedRange<UInt64>)
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
        #expect(found.seen(.receive) <= traffic.received.count)
        #expect(found.seen(.transmit) <= traffic.sent.count)
        #expect(found.count(.complete) > traffic.sent.count / 4)
    }
}
