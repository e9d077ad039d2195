// Native XDP in recordings that lack something: a frame has no address by which it could be found again.

import ClockSync
import PacketPath
import Testing
import TraceData

@Suite struct NativeXDPLossTests {
    private func round(_ count: Int, in scene: inout Scene) -> [Packet] {
        let packets = scene.packets(2 * count)
        scene.receiveByNativeXDP(Array(packets[..<count]))
        scene.transmitByNativeXDP(Array(packets[count...]))
        return packets
    }

    @Test func `frames whose bulk the host lost are lost-events, and later ones are whole`() {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (before, torn, after) = (scene.packets(2), scene.packets(3), scene.packets(3))
        scene.receiveByNativeXDP(before)
        let start = scene.now
        scene.bringInByNativeXDP(torn)
        let redirect = torn[2].points[.hostIngress]!
        scene.deliverBare(torn)
        scene.receiveByNativeXDP(after)
        // All between the last redirect and the bulk, the bulk too.
        let bulk = scene.marks.first { $0.kind == MarkKind.bulkXmit.rawValue && $0.time > start }!.time
        scene.lose(lane: 0, redirect + 1..<bulk + 1)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(before + after))
        #expect(found.outcomes(torn).allSatisfy { $0 == .lostEvents })
        #expect(found.journeys.count == 9)
    }

    @Test(arguments: 0..<3)
    func `a redirect that is missing without a trace is told by its bulk`(missing: Int) {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (before, torn, after) = (round(2, in: &scene), scene.packets(3), scene.packets(2))
        scene.receiveByNativeXDP(torn)
        scene.receiveByNativeXDP(after)
        let time = torn[missing].points[.hostIngress]!
        scene.marks.removeAll { $0.time == time }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(before + after))
        #expect(found.count(.complete) == 7)
    }

    @Test(arguments: 0..<40)
    func `one hole anywhere tells no falsehood, counts nothing twice and leaves what does not touch it whole`(
        place: Int
    ) {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        expectOneHole(at: place, in: &scene, of: 3) { scene, count in round(count, in: &scene) }
    }

    @Test(arguments: 0..<30)
    func `a recording that begins or ends anywhere tells no falsehood, and counts nothing twice`(place: Int) {
        var scene = Scene()
        for _ in 0..<3 { _ = round(3, in: &scene) }
        let time = scene.now * Nanoseconds(place) / 30
        let machine = place % 2
        if place % 4 < 2 { scene.begin(machine, at: time) } else { scene.end(machine, at: time) }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.journeys.count <= scene.packets.count)
    }
}
