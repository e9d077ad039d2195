// How sent packets end: on the NIC, in the host itself, or not at all.

import PacketPath
import Testing

@Suite struct TransmitEndTests {
    @Test func `NETDEV_TX_BUSY is no transmission: the packet counts once, when the driver takes it`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.wakeSender()
        packets[0].points[.guestSend] = scene.senderCalls()
        scene.guestQueues(packets[0])
        scene.driverBegins(packets[0])
        scene.driverEnds(packets[0], rc: 0x10)
        scene.senderReturns()
        // Tried again later, from the softirq.
        scene.driverBegins(packets[0], .softIRQ)
        scene.kicks(packets[0])
        scene.driverEnds(packets[0], .softIRQ)
        scene.sends(packets[1], kicking: false)
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets {
            scene.vhostWrites(packet)
            scene.nicSends(packet)
        }
        scene.vhostSleeps()
        scene.restSender()
        let found = scene.run()
        #expect(found.journeys.count == 2)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test(arguments: [false, true])
    func `a packet that the guest's driver drops never is on the ring, but counts`(first: Bool) throws {
        var scene = Scene()
        let dropped = scene.packet()
        let sent = scene.packets(2)
        if !first { scene.transmit([sent[0]]) }
        scene.wakeSender()
        scene.senderCalls()
        scene.guestQueues(dropped)
        scene.driverBegins(dropped)
        scene.mark(.drop, lane: 2, thread: 98, a: dropped.guestSKB, b: .drop(3))
        scene.driverEnds(dropped)
        scene.senderReturns()
        scene.restSender()
        if first { scene.transmit([sent[0]]) }
        scene.transmit([sent[1]])
        let found = scene.run()
        #expect(found.journeys.count == 3)
        let journey = try #require(found[dropped])
        #expect(journey.outcome == .dropped)
        #expect(journey.dropReason == 3)
        for packet in sent { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a packet the bridge delivers to the host itself is kernel-consumed`() {
        for context in [Scene.Context.thread, .softIRQ] {
            var scene = Scene()
            let packets = scene.packets(2)
            scene.wakeSender()
            for packet in packets { scene.sends(packet, kicking: packet === packets[0]) }
            scene.restSender()
            packets.stamp(.vhostRun, scene.vhostRuns())
            scene.vhostWrites(packets[0])
            // A thread of the host reads it, or its stack takes it.
            if context == .thread { scene.mark(.copy, lane: 0, thread: 900, a: packets[0].hostSKB, b: 64) }
            scene.mark(.consume, lane: 0, thread: 900, context, a: packets[0].hostSKB)
            scene.vhostWrites(packets[1])
            scene.nicSends(packets[1])
            scene.vhostSleeps()
            let found = scene.run()
            #expect(found.outcomes(packets) == [.kernelConsumed, .complete])
        }
    }

    @Test func `a driver that frees the packet before net_dev_xmit has sent it all the same`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.wakeSender()
        for packet in packets { scene.sends(packet, kicking: packet === packets[0]) }
        scene.restSender()
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets {
            scene.vhostWrites(packet)
            packet.points[.hostEgress] = scene.skbMark(
                .startXmit, packet.hostSKB, 1, length: 106, lane: 1, thread: 179, .thread)
            scene.mark(.consume, lane: 1, thread: 179, a: packet.hostSKB)
            packet.points[.nicXmit] = scene.skbMark(.xmitDone, packet.hostSKB, 1, lane: 1, thread: 179, .thread)
        }
        scene.vhostSleeps()
        let found = scene.run()
        #expect(found.count(.complete) == 2)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a NIC under a bond transmits once, where the inner driver has the packet`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.transmit([packets[0]])
        scene.wakeSender()
        scene.sends(packets[1])
        scene.restSender()
        packets[1].points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packets[1])
        scene.skbMark(.startXmit, packets[1].hostSKB, 30, length: 106, lane: 1, thread: 179, .thread)
        scene.nicSends(packets[1])
        scene.skbMark(.xmitDone, packets[1].hostSKB, 30, lane: 1, thread: 179, .thread)
        scene.vhostSleeps()
        scene.nicFrees(packets[1])
        let found = scene.run()
        #expect(found.journeys.count == 2)
        #expect(found.isWhole(packets))
        #expect(found[packets[1]]?.nic == scene.line.nic)
    }

    @Test func `a NIC that drops the packet gives the kernel's reason`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        scene.sends(packet)
        scene.restSender()
        scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.mark(.drop, lane: 1, thread: 179, a: packet.hostSKB, b: .drop(6))
        scene.vhostSleeps()
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .dropped)
        #expect(journey.dropReason == 6)
    }

    @Test(arguments: [false, true])
    func `another worker that dequeues on the NIC carries the packet on, and it stays the first one's`(freedFirst: Bool)
    {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        scene.sends(packet)
        scene.restSender()
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.vhostSleeps()
        // Queued on the NIC's qdisc; the worker of another tap holds its lock and runs it.
        scene.switchTo(190, lane: 0)
        packet.points[.hostEgress] = scene.skbMark(
            .startXmit, packet.hostSKB, 1, length: 106, lane: 0, thread: 190, .thread)
        if freedFirst { scene.mark(.consume, lane: 0, thread: 190, a: packet.hostSKB) }
        packet.points[.nicXmit] = scene.skbMark(.xmitDone, packet.hostSKB, 1, lane: 0, thread: 190, .thread)
        scene.switchTo(0, from: 190, state: Scene.sleeping, lane: 0)
        let found = scene.run()
        #expect(found.journeys.count == 1)
        #expect(found.outcome(packet) == .complete)
        #expect(found[packet]?.points == packet.points)
        #expect(found[packet]?.hostDevice == scene.line.tap)
    }
}
