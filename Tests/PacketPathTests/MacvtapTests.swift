// A macvtap makes no event when it is given a packet: the worker that takes it tells whose it is.

import ClockSync
import PacketPath
import Testing

@Suite struct MacvtapTests {
    @Test func `a received packet passes all points but the one that no event marks`() throws {
        var scene = Scene()
        let packets = scene.packets(3)
        let sent = scene.packets(1)
        for packet in packets { scene.receiveByMacvtap([packet]) }
        scene.transmitByMacvtap(sent)
        let found = scene.run()
        #expect(found.isWhole(packets))
        let journey = try #require(found[packets[0]])
        #expect(journey.path == .macvtap && journey.direction == .receive)
        #expect(journey.nic == scene.line.nic && journey.hostDevice == scene.line.tap && journey.length == 106)
        #expect(!journey.times.has(.hostEgress))
        #expect(Point.allCases.count { journey.times.has($0) } == 14)
    }

    @Test func `a sent packet begins on the host with the macvtap's transmit, and is the NIC's with the one inside it`()
        throws
    {
        var scene = Scene()
        let before = scene.packets(1)
        let sent = scene.packets(3)
        scene.receiveByMacvtap(before)
        for packet in sent { scene.transmitByMacvtap([packet]) }
        let found = scene.run()
        #expect(found.isWhole(before + sent))
        let journey = try #require(found[sent[0]])
        #expect(journey.path == .macvtap && journey.direction == .transmit)
        #expect(journey.nic == scene.line.nic && journey.hostDevice == scene.line.tap && journey.length == 106)
        #expect(found.journeys.count == 4)
    }

    @Test func `packets of one batch share the first one's switch, not its wake-up`() {
        var scene = Scene()
        let (received, sent) = (scene.packets(16), scene.packets(16))
        scene.receiveByMacvtap(received)
        scene.transmitByMacvtap(sent)
        #expect(scene.run().isWhole(received + sent))
    }

    @Test func `a worker that is awake needs neither a wake-up nor a switch`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.receiveByMacvtap([packets[0]])
        scene.receiveByMacvtap([packets[1]], vhostAwake: true)
        scene.transmitByMacvtap(scene.packets(1))
        let found = scene.run()
        #expect(packets[1].points[.vhostWake] == nil && packets[1].points[.vhostRun] == nil)
        #expect(found.isWhole(packets))
    }

    @Test func `a guest that only receives has its packets all the same`() throws {
        var scene = Scene()
        let packets = scene.packets(4)
        // The host itself sends, so that what is put on devices is known to be recorded.
        let own = scene.packet()
        scene.nicSends(own, thread: 900)
        scene.nicFrees(own)
        for packet in packets { scene.receiveByMacvtap([packet]) }
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(try #require(found[packets[0]]).path == .macvtap)
    }

    @Test func `where nothing recorded what is put on devices, a tap would look the same, and no packet is complete`() {
        var scene = Scene()
        let packets = scene.packets(3)
        for packet in packets { scene.receive([packet]) }
        scene.forget(.startXmit, of: 0)
        #expect(scene.run().outcomes(packets).allSatisfy { $0 == .notRecorded })
    }

    @Test func `a thread of the host that reads its own packet from the NIC is no guest's worker`() {
        var scene = Scene()
        let guests = scene.packets(3)
        for packet in guests {
            let own = scene.packet()
            scene.nicInterrupt()
            scene.nicReceives(own)
            scene.wake(900, lane: 0, .softIRQ)
            scene.nicPollEnds(work: 1)
            scene.switchTo(900, lane: 1)
            scene.mark(.copy, lane: 1, thread: 900, a: own.hostSKB, b: 106)
            scene.mark(.consume, lane: 1, thread: 900, a: own.hostSKB)
            let reply = scene.packet()
            scene.nicSends(reply, thread: 900)
            scene.switchTo(0, from: 900, state: Scene.sleeping, lane: 1)
            scene.nicFrees(reply)
            scene.receiveByMacvtap([packet])
        }
        scene.transmitByMacvtap(scene.packets(1))
        let found = scene.run()
        #expect(found.isWhole(guests))
        #expect(found.journeys.count == 4)
    }

    @Test
    func
        `an application of the host that reads from the NIC is no worker, not even where the guest's notifications wake it`()
    {
        var scene = Scene()
        scene.workers = []
        for _ in 0..<3 {
            scene.receiveByMacvtap(scene.packets(1))
            scene.transmitByMacvtap(scene.packets(1))
        }
        let found = scene.run()
        #expect(found.count(.complete) == 0)
        #expect(found.unclaimed.map(\.count) == [6])
    }

    @Test(arguments: [true, false])
    func `a guest on a tap and one on a macvtap each have their own path`(tapFirst: Bool) throws {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = tapFirst ? [scene.line, .secondGuest] : [.secondGuest, scene.line]
        scene.line = .secondGuest
        scene.rest()
        var (taps, macvtaps): ([Packet], [Packet]) = ([], [])
        for _ in 0..<4 {
            let (received, sent) = (scene.packets(2), scene.packets(2))
            scene.line = lines[0]
            scene.receive(Array(received[..<1]))
            scene.transmit(Array(sent[..<1]))
            scene.line = lines[1]
            scene.receiveByMacvtap(Array(received[1...]))
            scene.transmitByMacvtap(Array(sent[1...]))
            taps += [received[0], sent[0]]
            macvtaps += [received[1], sent[1]]
        }
        let found = scene.run()
        #expect(found.isWhole(taps + macvtaps))
        #expect(found.journeys.count == 16)
        for (path, line, packets) in [(PathKind.tap, lines[0], taps), (.macvtap, lines[1], macvtaps)] {
            for packet in packets {
                let journey = try #require(found[packet])
                #expect(journey.path == path && journey.hostDevice == line.tap)
                #expect(journey.machine == (line.worker == Line().worker ? 1 : 2))
            }
        }
    }

    @Test func `two guests on macvtaps of one NIC have each their own packets`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var packets: [[Packet]] = [[], []]
        for index in 0..<8 {
            scene.line = lines[index % 2]
            let (received, sent) = (scene.packets(1), scene.packets(1))
            scene.receiveByMacvtap(received)
            scene.transmitByMacvtap(sent)
            packets[index % 2] += received + sent
        }
        let found = scene.run()
        #expect(found.isWhole(packets[0] + packets[1]))
        for (guest, packets) in packets.enumerated() {
            for packet in packets {
                #expect(found[packet]?.machine == guest + 1 && found[packet]?.hostDevice == lines[guest].tap)
            }
        }
    }

    @Test func `a guest that sends before anything was received for it has its packets from the first one on`() {
        var scene = Scene()
        // Something of the host's own, so that what devices receive is known to be recorded.
        let own = scene.packet()
        scene.nicReceives(own)
        scene.mark(.consume, lane: 0, .softIRQ, a: own.hostSKB)
        scene.nicPollEnds(work: 1)
        let packets = scene.packets(4)
        scene.transmitByMacvtap(Array(packets[..<2]))
        scene.transmitByMacvtap(Array(packets[2...]))
        let received = scene.packets(1)
        scene.receiveByMacvtap(received)
        #expect(scene.run().isWhole(packets + received))
    }

    @Test func `a packet from one macvtap to another never reaches the NIC, and shifts nobody's order`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var others: [Packet] = []
        func round() {
            for line in lines {
                scene.line = line
                let (received, sent) = (scene.packets(1), scene.packets(1))
                scene.receiveByMacvtap(received)
                scene.transmitByMacvtap(sent)
                others += received + sent
            }
        }
        round()
        let sent = scene.packet()
        scene.line = lines[0]
        scene.wakeSender()
        scene.sends(sent)
        sent.points[.vhostRun] = scene.vhostRuns()
        let (tap, worker) = (scene.line.tap, scene.line.worker)
        sent.points[.hostIngress] = scene.skbMark(
            .startXmit, sent.hostSKB, tap, length: 106, lane: 1, thread: worker, .thread)
        scene.skbMark(.xmitDone, sent.hostSKB, tap, lane: 1, thread: worker, .thread)
        // dev_forward_skb: to the stack again, as if it had come in on the NIC below.
        scene.skbMark(.stackReceive, sent.hostSKB, scene.line.nic, length: 92, lane: 1, thread: worker, .softIRQ)
        scene.vhostSleeps()
        scene.restSender()
        scene.line = lines[1]
        let received = scene.packet(host: sent.hostSKB)
        received.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(received)
        scene.deliverCopied([received])
        round()
        let found = scene.run()
        #expect(found.isWhole(others))
        #expect(found.outcomes([sent, received]) == [.notRecorded, .notRecorded])
        #expect(found[sent]?.machine == 1 && found[received]?.machine == 2)
    }

    @Test func `where two workers serve one macvtap, no packet is given to another's place`() {
        var scene = Scene()
        let first = scene.line
        scene.workers.insert(190)
        for index in 0..<6 {
            scene.line.worker = index % 2 == 0 ? first.worker : 190
            scene.receiveByMacvtap(scene.packets(1))
            scene.transmitByMacvtap(scene.packets(1))
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) > 0)
    }

    @Test func `a copy of a broadcast has its place in the order, and what it lacks is said`() {
        var scene = Scene()
        let (before, after) = (scene.packets(2), scene.packets(2))
        for packet in before { scene.receiveByMacvtap([packet]) }
        scene.transmitByMacvtap(scene.packets(1))
        // macvlan's work item hands out clones, whose addresses no event has told.
        let clone = scene.packet()
        scene.wake(scene.line.worker, lane: 0, thread: 50, .thread)
        clone.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(clone)
        scene.deliverCopied([clone])
        for packet in after { scene.receiveByMacvtap([packet]) }
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcome(clone) == .notRecorded)
    }

    @Test func `packets that a tap's worker copies unseen are not taken for a macvtap's`() {
        var scene = Scene()
        // XDP puts packets on a tap without an event of net_dev; what the guest sends shows whose worker it is.
        let packets = scene.packets(4)
        for packet in packets { scene.receiveByMacvtap([packet]) }
        scene.transmit(scene.packets(2))
        let found = scene.run()
        #expect(found.journeys.allSatisfy { $0.path == .tap && ($0.direction == .transmit || $0.outcome != .complete) })
        #expect(found.outcomes(packets).allSatisfy { $0 == .notRecorded })
    }

    @Test(arguments: [Point.vhostCopy, .hostIngress, .vhostWake])
    func `packets in flight when the host loses events are lost-events, and later ones are whole`(point: Point) {
        var scene = Scene()
        let (before, torn, after) = (scene.packets(2), scene.packets(2), scene.packets(2))
        scene.transmitByMacvtap(scene.packets(1))
        for packets in [before, torn, after] { scene.receiveByMacvtap(packets) }
        let time = torn[0].points[point]!
        scene.lose(lane: point == .vhostCopy ? 1 : 0, time..<time + 1)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.count(.complete) >= 4)
        #expect(found.journeys.count { $0.direction == .receive } == 6)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }
}
