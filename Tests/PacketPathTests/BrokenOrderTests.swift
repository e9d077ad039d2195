// What breaks the order of a virtqueue, and what becomes of the packets until it is found again.

import PacketPath
import Testing

@Suite struct BrokenOrderTests {
    /// Packets that come through the tap; the guest's driver shows only `taken` of them.
    private func receive(_ packets: [Packet], taken: [Packet], in scene: inout Scene) {
        scene.bringIn(packets)
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets { scene.vhostCopies(packet) }
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        packets.stamp(.guestIRQ, scene.guestInterrupt())
        scene.guestPolls(taken)
        scene.readAll(taken)
        scene.vcpuHalts()
    }

    @Test(arguments: 0..<3)
    func `a packet that vanishes on the ring is found at the next proof, and nothing after it is mispaired`(
        vanishing: Int
    ) {
        var scene = Scene()
        let before = scene.packets(2)
        let batch = scene.packets(3)
        let after = scene.packets(2)
        scene.receive(before)
        receive(batch, taken: batch.enumerated().filter { $0.offset != vanishing }.map(\.element), in: &scene)
        scene.receive(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) == 3)
        #expect(found.journeys.count == 7)
    }

    @Test(arguments: 0..<3)
    func `a packet that vanishes before the order was ever proven is no trace edge`(vanishing: Int) {
        var scene = Scene()
        let batch = scene.packets(3)
        let after = scene.packets(2)
        receive(batch, taken: batch.enumerated().filter { $0.offset != vanishing }.map(\.element), in: &scene)
        scene.receive(after)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(after))
        #expect(found.journeys.count == 5)
    }

    @Test func `a sent packet that vanishes on the ring is found when the worker sleeps`() {
        var scene = Scene()
        let packets = scene.packets(5)
        scene.transmit([packets[0]])
        scene.wakeSender()
        for packet in packets[1...3] { scene.sends(packet, kicking: packet === packets[1]) }
        scene.restSender()
        scene.vhostRuns()
        for packet in [packets[1], packets[3]] {
            scene.vhostWrites(packet)
            scene.nicSends(packet)
        }
        scene.vhostSleeps()
        scene.transmit([packets[4]])
        let found = scene.run()
        #expect(found.isWhole([packets[0], packets[4]]))
        #expect(found.falsehoods(among: packets).isEmpty)
        #expect(found.journeys.count == 5)
    }

    @Test func `a length that does not fit makes what is unproven ambiguous, and a later proof finds the order again`()
    {
        var scene = Scene()
        let before = scene.packets(1)
        let batch = [scene.packet(106), scene.packet(60), scene.packet(1514)]
        let after = scene.packets(2)
        scene.receive(before)
        // The short one vanishes: the guest takes the long one in its place.
        receive(batch, taken: [batch[0], batch[2]], in: &scene)
        scene.receive(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.outcomes([batch[0], batch[1]]) == [.ambiguous, .ambiguous])
        #expect(found.journeys.count == 6)
    }

    @Test(arguments: [true, false])
    func `packets taken in another order than they were put are not swapped`(proven: Bool) {
        var scene = Scene()
        let before = scene.packets(1)
        let batch = [scene.packet(106), scene.packet(60)]
        let after = scene.packets(1)
        if proven { scene.receive(before) }
        // Their number is right: only their lengths tell.
        receive(batch, taken: batch.reversed(), in: &scene)
        scene.receive(after)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(after + (proven ? before : [])))
        #expect(found.count(.complete) == (proven ? 2 : 1))
        #expect(found.count(.ambiguous) > 0)
    }

    @Test func `a packet out of nowhere breaks the order only until the next proof`() {
        var scene = Scene()
        let before = scene.packets(1)
        let stranger = scene.packet()
        let batch = scene.packets(2)
        let after = scene.packets(2)
        scene.receive(before)
        receive(batch, taken: [stranger] + batch, in: &scene)
        scene.receive(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.journeys.count == 6)
    }

    @Test func `two workers on one tap make its packets ambiguous`() {
        var scene = Scene()
        let before = scene.packets(1)
        scene.receive(before)
        let packets = scene.packets(4)
        for (index, packet) in packets.enumerated() {
            scene.line.worker = index % 2 == 0 ? 179 : 180
            scene.receive([packet])
        }
        let found = scene.run()
        #expect(found.journeys.count == 5)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.outcome(packets[3]) == .ambiguous)
        #expect(found.isWhole(before))
    }

    @Test func `without napi_poll the order cannot be proven, and the packets say what is missing`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.receive(packets)
        scene.receive(scene.packets(1))
        scene.forget(.napiPoll, of: 1)
        let found = scene.run()
        #expect(found.journeys.count == 4)
        #expect(found.count(.notRecorded) == 4)
    }
}
