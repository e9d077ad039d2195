// Native XDP: frames that have no skb on the host, and are known by their order alone.

import ClockSync
import PacketPath
import Testing

@Suite struct NativeXDPTests {
    @Test
    func
        `received frames go from their redirect to the guest, sent ones from their redirect to the bulk they leave in`()
        throws
    {
        var scene = Scene()
        let (received, sent) = (scene.packets(4), scene.packets(4))
        scene.transmitByNativeXDP([sent[0]])
        for packet in received { scene.receiveByNativeXDP([packet]) }
        for packet in sent[1...] { scene.transmitByNativeXDP([packet]) }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(found.journeys.count == 8)
        for packet in received + sent {
            let journey = try #require(found[packet])
            #expect(
                journey.path == .xdp && journey.isKnownByOrderAlone && journey.length == 106 && journey.machine == 1)
            #expect(!journey.times.has(.hostEgress) && !journey.times.has(.vhostCopy))
        }
        #expect(received[1...].allSatisfy { found[$0]?.nic == scene.line.nic })
    }

    @Test(arguments: [1, 15, 16, 17, 40])
    func `frames of one poll go out in bulks of sixteen, in order`(count: Int) {
        var scene = Scene()
        let (received, sent) = (scene.packets(count), scene.packets(count))
        scene.transmitByNativeXDP(scene.packets(1))
        scene.receiveByNativeXDP(received)
        scene.transmitByNativeXDP(sent)
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(found.journeys.count == 2 * count + 1)
    }

    @Test(arguments: [0, 1, 3])
    func `of a bulk that finds too little room the last frames are dropped`(room: Int) {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (received, sent, after) = (scene.packets(4), scene.packets(4), scene.packets(2))
        received.stamp(.nicIRQ, scene.nicInterrupt())
        for packet in received { scene.nativeXDPReceives(packet) }
        let arrived = Array(received[..<room])
        if room > 0 { arrived.stamp(.vhostWake, scene.wake(scene.line.worker, lane: 0, .softIRQ)) }
        scene.bulkToTap(sent: room, dropped: 4 - room)
        scene.nicPollEnds(work: 4)
        if room > 0 { scene.deliverBare(arrived) }
        scene.wakeSender()
        for packet in sent { scene.sends(packet, kicking: packet === sent[0]) }
        sent.stamp(.vhostRun, scene.vhostRuns())
        for packet in sent { scene.nativeXDPSends(packet) }
        scene.bulkToNIC(Array(sent[..<room]), dropped: 4 - room)
        scene.vhostSleeps()
        scene.restSender()
        scene.receiveByNativeXDP([after[0]])
        scene.transmitByNativeXDP([after[1]])
        let found = scene.run()
        #expect(found.isWhole(arrived + sent[..<room] + after))
        #expect(found.outcomes(Array(received[room...] + sent[room...])).allSatisfy { $0 == .dropped })
        #expect(found.journeys.count == 11)
    }

    @Test(arguments: [true, false])
    func `frames that arrive before their bulk is told of are counted in it`(readEarly: Bool) {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (packets, after) = (scene.packets(3), scene.packets(2))
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        for packet in packets { scene.nativeXDPReceives(packet) }
        let arrived = Array(packets[..<2])
        packets.stamp(.vhostWake, scene.wake(scene.line.worker, lane: 0, .softIRQ))
        // The worker runs on another CPU, before this one has come to the event.
        arrived.stamp(.vhostRun, scene.vhostRuns())
        scene.signal(arrived)
        scene.vhostSleeps()
        scene.enter(arrived)
        arrived.stamp(.guestIRQ, scene.guestInterrupt())
        scene.guestPolls(arrived)
        if readEarly { scene.readAll(arrived) }
        scene.bulkToTap(sent: 2, dropped: 1)
        scene.nicPollEnds(work: 3)
        if !readEarly { scene.readAll(arrived) }
        scene.vcpuHalts()
        for packet in after { scene.receiveByNativeXDP([packet]) }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(arrived + after))
        #expect(found.outcome(packets[2]) == .dropped)
        #expect(found.journeys.count == 6)
    }

    @Test func `a frame that is redirected while the guest polls an earlier one contradicts nothing`() {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (first, second) = (scene.packet(), scene.packet())
        scene.bringInByNativeXDP([first])
        first.points[.vhostRun] = scene.vhostRuns()
        scene.signal([first])
        scene.vhostSleeps()
        scene.enter([first])
        first.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestReceives(first, waking: true)
        second.points[.nicIRQ] = scene.nicInterrupt()
        scene.nativeXDPReceives(second)
        scene.guestPollEnds(work: 1)
        scene.readAll([first])
        scene.vcpuHalts()
        second.points[.vhostWake] = scene.wake(scene.line.worker, lane: 0, .softIRQ)
        scene.bulkToTap(sent: 1)
        scene.nicPollEnds(work: 1)
        scene.deliverBare([second])
        let found = scene.run()
        #expect(found.isWhole([first, second]))
        #expect(found.count(.ambiguous) == 0)
    }

    @Test func `frames of two CPUs on their way to one tap at the same time are in no known order`() {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let (first, second, after) = (scene.packet(), scene.packet(), scene.packets(2))
        scene.nativeXDPReceives(first, lane: 0)
        scene.nativeXDPReceives(second, lane: 1)
        scene.bulkToTap(sent: 1, lane: 1)
        scene.bulkToTap(sent: 1, lane: 0)
        scene.deliverBare([second, first])
        for packet in after { scene.receiveByNativeXDP([packet]) }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) == 2)
        #expect(found.isWhole(after))
        #expect(found.journeys.count == 5)
    }

    @Test(arguments: [true, false])
    func `a packet that a native program passes on is not taken for redirected`(known: Bool) {
        var scene = Scene()
        // Its reader's thread is asleep for long: nothing frees it before the next frame comes.
        if known { scene.receiveByNativeXDP(scene.packets(1)) }
        scene.transmitByNativeXDP(scene.packets(1))
        let (own, packets, after) = (scene.packet(), scene.packets(3), scene.packets(2))
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        scene.nativeXDPReceives(packets[0])
        scene.nicReceives(own)
        scene.nativeXDPReceives(packets[1])
        scene.nativeXDPReceives(packets[2])
        packets.stamp(.vhostWake, scene.wake(scene.line.worker, lane: 0, .softIRQ))
        scene.bulkToTap(sent: 3)
        scene.nicPollEnds(work: 4)
        scene.deliverBare(packets)
        for packet in after { scene.receiveByNativeXDP([packet]) }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(after))
        if known { #expect(packets.allSatisfy { found.outcome($0) == .complete }) }
        #expect(found.journeys.count == (known ? 7 : 6))
    }

    @Test func `signals for what the worker has sent are not the receive interrupt's`() {
        var scene = Scene()
        scene.transmitByNativeXDP(scene.packets(1))
        let packets = scene.packets(3)
        for packet in packets {
            scene.bringInByNativeXDP([packet])
            packet.points[.vhostRun] = scene.vhostRuns()
            scene.signal([packet])
            if packet !== packets[0], packet !== packets[1] { scene.vhostSignals(vector: 40) }
            scene.vhostSleeps()
            scene.enter([packet])
            if packet === packets[2] {
                // Out again before its first instruction, and in with the other one.
                scene.vcpuExits(.interrupt)
                scene.vcpuEnters(injecting: 40)
            }
            packet.points[.guestIRQ] = scene.guestInterrupt()
            scene.guestPolls([packet])
            scene.readAll([packet])
            scene.vcpuHalts()
        }
        #expect(scene.run().isWhole(packets))
    }

    @Test func `packets that come over the bridge are in one order with the frames, or said not to be`() {
        var scene = Scene()
        // ARP goes by the stack, both ways: the worker is known by its tap before a frame is redirected.
        let bridged = scene.packets(2)
        scene.receive([bridged[0]])
        scene.transmit([bridged[1]])
        let (received, sent) = (scene.packets(3), scene.packets(3))
        for packet in received { scene.receiveByNativeXDP([packet]) }
        for packet in sent { scene.transmitByNativeXDP([packet]) }
        let late = scene.packets(2)
        scene.receive([late[0]])
        scene.transmit([late[1]])
        let last = scene.packets(2)
        scene.receiveByNativeXDP(last)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(received + sent + last))
        #expect(found.journeys.count == scene.packets.count)
        #expect((received + sent + last).allSatisfy { found[$0]?.path == .xdp })
    }

    @Test func `a packet that overtakes frames on its way to the queue takes no frame's place`() {
        var scene = Scene()
        scene.transmit(scene.packets(1))
        scene.receiveByNativeXDP(scene.packets(1))
        scene.transmitByNativeXDP(scene.packets(1))
        let (frame, packet, after) = (scene.packet(), scene.packet(), scene.packets(2))
        scene.nativeXDPReceives(frame)
        // It is on the queue at once, the frame at the end of the poll.
        scene.nicReceives(packet)
        scene.tapReceives(packet, waking: true)
        scene.bulkToTap(sent: 1)
        scene.nicPollEnds(work: 2)
        scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.deliverCopied([packet, frame])
        scene.receiveByNativeXDP(after)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) == 2)
        #expect(found.isWhole(after))
    }
}
