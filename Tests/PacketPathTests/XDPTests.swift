// Generic XDP: programs that see skbs, so that a packet keeps its address but passes no net_dev event of the tap's or
// the NIC's.

import ClockSync
import PacketPath
import Testing
import TraceData

@Suite struct XDPTests {
    @Test
    func `received packets go from the stack's receipt to the tap's queue, sent ones from the tap to the NIC's driver`()
        throws
    {
        var scene = Scene()
        let (received, sent) = (scene.packets(4), scene.packets(4))
        for packet in received { scene.receiveByGenericXDP([packet]) }
        for packet in sent { scene.transmitByGenericXDP([packet]) }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(found.journeys.count == 8)
        for packet in received + sent {
            let journey = try #require(found[packet])
            #expect(journey.path == .xdp && journey.nic == scene.line.nic)
            #expect(journey.length == 106 && journey.machine == 1)
            #expect(!journey.isKnownByOrderAlone)
        }
    }

    @Test func `packets of one batch share the worker's switch`() {
        var scene = Scene()
        let (received, sent, awake) = (scene.packets(16), scene.packets(16), scene.packets(2))
        scene.receiveByGenericXDP(received)
        scene.transmitByGenericXDP(sent)
        scene.receiveByGenericXDP(awake, vhostAwake: true)
        let found = scene.run()
        #expect(awake[0].points[.vhostRun] == nil)
        #expect(found.isWhole(received + sent + awake))
    }

    @Test func `a guest that only receives has its packets, and one that only sends too`() {
        for isReceiving in [true, false] {
            var scene = Scene()
            let packets = scene.packets(3)
            for packet in packets {
                if isReceiving { scene.receiveByGenericXDP([packet]) } else { scene.transmitByGenericXDP([packet]) }
            }
            let found = scene.run()
            #expect(found.isWhole(packets))
            #expect(found.journeys.allSatisfy { $0.path == .xdp })
        }
    }

    @Test func `a packet that the program passes on is no redirected one, whatever comes next on that CPU`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.transmitByGenericXDP(scene.packets(1))
        for packet in packets {
            let own = scene.packet()
            packet.points[.nicIRQ] = scene.nicInterrupt()
            scene.nicReceives(own)
            scene.wake(900, lane: 0, .softIRQ)
            scene.genericXDPReceives(packet, waking: true)
            scene.nicPollEnds(work: 2)
            scene.deliver([packet])
            scene.mark(.copy, lane: 1, thread: 900, a: own.hostSKB, b: 64)
            scene.mark(.consume, lane: 1, thread: 900, a: own.hostSKB)
        }
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(found.journeys.count == 4)
    }

    @Test func `a packet whose skb is freed before its driver was seen to return is not-recorded`() {
        var scene = Scene()
        let (lost, after) = (scene.packet(), scene.packets(2))
        scene.transmitByGenericXDP(scene.packets(1))
        scene.transmitByGenericXDP([lost])
        let time = lost.points[.nicXmit]!
        scene.marks.removeAll { $0.time == time }
        scene.transmitByGenericXDP(after)
        let found = scene.run()
        #expect(found.outcome(lost) == .notRecorded)
        #expect(found.isWhole(after))
    }

    @Test func `a redirected packet that is dropped on a full queue is dropped, once`() {
        var scene = Scene()
        scene.transmitByGenericXDP(scene.packets(1))
        let (before, dropped, after) = (scene.packets(1), scene.packet(), scene.packets(1))
        scene.receiveByGenericXDP(before)
        scene.nicInterrupt()
        scene.nicReceives(dropped)
        dropped.points[.hostEgress] = scene.redirects(
            from: scene.line.nicInterface, to: scene.line.tapInterface, lane: 0, .softIRQ)
        scene.mark(.drop, lane: 0, .softIRQ, a: dropped.hostSKB, b: .drop(7))
        scene.nicPollEnds(work: 1)
        scene.receiveByGenericXDP(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcome(dropped) == .dropped)
        #expect(found.journeys.count == 4)
    }

    @Test(arguments: [false, true])
    func `a second guest on an ordinary tap has its own path and its own packets`(isNative: Bool) {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var (redirected, bridged): ([Packet], [Packet]) = ([], [])
        for _ in 0..<4 {
            let (received, sent) = (scene.packets(2), scene.packets(2))
            scene.line = lines[0]
            if isNative {
                scene.transmitByNativeXDP([sent[0]])
                scene.receiveByNativeXDP([received[0]])
            } else {
                scene.receiveByGenericXDP([received[0]])
                scene.transmitByGenericXDP([sent[0]])
            }
            scene.line = lines[1]
            scene.receive([received[1]])
            scene.transmit([sent[1]])
            redirected += [received[0], sent[0]]
            bridged += [received[1], sent[1]]
        }
        let found = scene.run()
        #expect(found.isWhole(redirected + bridged))
        #expect(redirected.allSatisfy { found[$0]?.path == .xdp && found[$0]?.machine == 1 })
        #expect(bridged.allSatisfy { found[$0]?.path == .tap && found[$0]?.machine == 2 })
    }

    @Test(arguments: 0..<40)
    func `one hole anywhere tells no falsehood, counts nothing twice and leaves what does not touch it whole`(
        place: Int
    ) {
        var scene = Scene()
        expectOneHole(at: place, in: &scene, of: 3) { scene, count in
            let packets = scene.packets(2 * count)
            scene.receiveByGenericXDP(Array(packets[..<count]))
            scene.transmitByGenericXDP(Array(packets[count...]))
            return packets
        }
    }

    @Test(arguments: 0..<20)
    func `a recording that begins or ends anywhere tells no falsehood`(place: Int) {
        var scene = Scene()
        for _ in 0..<3 {
            scene.receiveByGenericXDP(scene.packets(3))
            scene.transmitByGenericXDP(scene.packets(3))
        }
        let time = scene.now * Nanoseconds(place) / 20
        let machine = place % 2
        if place % 4 < 2 { scene.begin(machine, at: time) } else { scene.end(machine, at: time) }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.journeys.count <= scene.packets.count)
    }
}
