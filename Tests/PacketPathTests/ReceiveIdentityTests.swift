// Which packets are a guest's, and which one an skb address is at the moment.

import PacketPath
import Testing

@Suite struct ReceiveIdentityTests {
    @Test func `an address that the reply takes over at once is not the request any more, in guest and host`() {
        var scene = Scene()
        var requests: [Packet] = []
        var replies: [Packet] = []
        for _ in 0..<20 {
            requests.append(scene.packet(host: 0xffff_8881_0320_7500, guest: 0xffff_8880_1ef2_4700))
            replies.append(scene.packet(host: 0xffff_8881_0320_7500, guest: 0xffff_8880_1ef2_4700))
            scene.receive([requests.last!])
            scene.transmit([replies.last!])
        }
        let found = scene.run()
        #expect(found.journeys.count == 40)
        #expect(found.count(.complete) == 40)
        for packet in requests + replies { #expect(found[packet]?.points == packet.points) }
    }

    @Test(arguments: [false, true])
    func `a packet the tap has no room for is dropped, and the guest's, also before a copy has told whose tap it is`(
        first: Bool
    ) throws {
        var scene = Scene()
        let dropped = scene.packet()
        let other = scene.packet()
        if !first { scene.receive([other]) }
        scene.nicInterrupt()
        scene.nicReceives(dropped)
        dropped.points[.hostEgress] = scene.skbMark(
            .startXmit, dropped.hostSKB, scene.line.tap, length: 106, lane: 0, .softIRQ)
        scene.mark(.drop, lane: 0, .softIRQ, a: dropped.hostSKB, b: .drop(55))
        scene.skbMark(.xmitDone, dropped.hostSKB, scene.line.tap, length: 1, lane: 0, .softIRQ)
        scene.nicPollEnds(work: 1)
        if first { scene.receive([other]) }
        let found = scene.run()
        let journey = try #require(found[dropped])
        #expect(found.journeys.count == 2)
        #expect(journey.outcome == .dropped)
        #expect(journey.dropReason == 55)
        #expect(journey.machine == 1)
        #expect(journey.device == scene.line.device)
        #expect(journey.hostDevice == scene.line.tap)
        #expect(found[other]?.points == other.points)
    }

    @Test func `a packet the bridge drops before any tap never was a guest's`() {
        var scene = Scene()
        let dropped = scene.packet()
        scene.nicInterrupt()
        scene.nicReceives(dropped)
        scene.mark(.drop, lane: 0, .softIRQ, a: dropped.hostSKB, b: .drop(7))
        scene.nicPollEnds(work: 1)
        scene.receive(scene.packets(1))
        #expect(scene.run().journeys.count == 1)
    }

    @Test func `a frame that GRO merged into another one is not seen on its own`() throws {
        var scene = Scene()
        let head = scene.packet(1514 + 1448)
        let merged = scene.packet(1514)
        head.points[.nicIRQ] = scene.nicInterrupt()
        head.points[.hostIngress] = scene.skbMark(
            .napiReceive, head.hostSKB, scene.line.nic, length: 1500, lane: 0, .softIRQ)
        scene.skbMark(.napiReceive, merged.hostSKB, scene.line.nic, length: 1500, lane: 0, .softIRQ)
        scene.mark(.groMerged, lane: 0, .softIRQ)
        scene.skbMark(.stackReceive, head.hostSKB, scene.line.nic, length: 1500 + 1448, lane: 0, .softIRQ)
        scene.tapReceives(head, waking: true)
        scene.nicPollEnds(work: 2)
        scene.deliver([head])
        let found = scene.run()
        #expect(found.journeys.count == 1)
        #expect(found[head]?.points == head.points)
        #expect(found[head]?.length == 1514 + 1448)
    }

    @Test func `a frame that the guest's GRO merged is counted, and nobody's read is made its own`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.bringIn(packets)
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets { scene.vhostCopies(packet) }
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        packets.stamp(.guestIRQ, scene.guestInterrupt())
        scene.guestReceives(packets[0], waking: true)
        packets[1].points[.guestIngress] = scene.skbMark(
            .napiReceive, packets[1].guestSKB, scene.line.device, length: 92, lane: 2, .softIRQ)
        scene.mark(.groMerged, lane: 2, .softIRQ)
        scene.guestPollEnds(work: 2)
        scene.readAll([packets[0]])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .ambiguous])
        #expect(found[packets[0]]?.points == packets[0].points)
    }
}
