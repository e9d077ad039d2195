// Open vSwitch between NIC and tap: packets that a flow matches, and packets that ovs-vswitchd has to be asked about.

import ClockSync
import PacketPath
import Testing

@Suite struct OVSTests {
    private func hasPath(_ path: PathKind, _ found: Found, _ packets: [Packet]) -> Bool {
        packets.allSatisfy { found[$0]?.path == path }
    }

    @Test func `packets that a flow matches pass the datapath's action between the stack and the next device`() throws {
        var scene = Scene()
        let (received, sent) = (scene.packets(4), scene.packets(4))
        for packet in received { scene.receiveByOVS([packet]) }
        for packet in sent { scene.transmitByOVS([packet]) }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(hasPath(.ovs, found, received + sent))
        #expect(found.journeys.count == 8)
        let way: [Point] = [.hostIngress, .ovsAction, .hostEgress]
        for packet in received + sent {
            let points = try #require(found[packet]).points
            let times = way.compactMap { points[$0] }
            #expect(times.count == 3 && times == times.sorted())
            #expect(points[.ovsUpcall] == nil && points[.ovsReply] == nil)
        }
    }

    @Test func `of several actions on one packet the first one follows the lookup`() {
        var scene = Scene()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        packet.points[.ovsAction] = scene.ovsActs(on: packet, from: scene.line.nic, lane: 0, .softIRQ)
        scene.ovsActs(on: packet, from: scene.line.nic, lane: 0, .softIRQ)
        scene.tapReceives(packet, waking: true)
        scene.ovsActs(on: packet, from: scene.line.nic, lane: 0, .softIRQ)
        scene.nicPollEnds(work: 1)
        scene.deliver([packet])
        scene.transmitByOVS(scene.packets(1))
        #expect(scene.run().isWhole([packet]))
    }

    @Test func `a packet without a flow stays one packet on its way through ovs-vswitchd, in both directions`() throws {
        var scene = Scene()
        let (received, sent) = (scene.packets(2), scene.packets(2))
        for packet in received {
            scene.missOnReceive([packet])
            scene.replyToTap(packet)
            scene.deliver([packet])
        }
        for packet in sent {
            scene.missOnTransmit([packet])
            scene.replyToNIC(packet)
        }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(hasPath(.ovs, found, received + sent))
        #expect(found.journeys.count == 4)
        for packet in received + sent {
            let points = try #require(found[packet]).points
            let times = [Point.hostIngress, .ovsUpcall, .ovsReply, .hostEgress].compactMap { points[$0] }
            #expect(times.count == 4 && times == times.sorted())
            #expect(points[.ovsAction] == nil)
        }
    }

    @Test
    func `packets of one device and length that one thread of ovs-vswitchd gives back are told apart by their order`() {
        var scene = Scene()
        let (received, sent) = (scene.packets(3), scene.packets(3))
        scene.missOnReceive(received)
        for (index, packet) in received.enumerated() { scene.replyToTap(packet, waking: index == 0) }
        scene.deliver(received)
        scene.missOnTransmit(sent)
        for packet in sent { scene.replyToNIC(packet) }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(found.journeys.count == 6)
    }

    @Test func `of packets of one device and length that wait together and do not all come back, none is told`() {
        var scene = Scene()
        let (received, after) = (scene.packets(3), scene.packets(2))
        scene.missOnReceive(received)
        for (index, packet) in received.dropLast().enumerated() { scene.replyToTap(packet, waking: index == 0) }
        scene.deliver(Array(received.dropLast()))
        scene.now += 2_000_000_000
        scene.receiveByOVS([after[0]])
        scene.receiveByOVS([after[1]])
        let found = scene.run()
        #expect(found.count(.ambiguous) == 2)
        #expect(found.isWhole(after))
    }

    @Test func `packets of one device and length that two threads of ovs-vswitchd give back can't be told apart`() {
        var scene = Scene()
        let (received, sent, after) = (scene.packets(2), scene.packets(2), scene.packets(2))
        scene.missOnReceive(received)
        // Answered in the other order: it has several threads.
        scene.replyToTap(received[1])
        scene.replyToTap(received[0], waking: false, thread: Scene.vswitchd + 1)
        scene.deliver([received[1], received[0]])
        scene.missOnTransmit(sent)
        scene.replyToNIC(sent[1])
        scene.replyToNIC(sent[0], thread: Scene.vswitchd + 1)
        scene.receiveByOVS([after[0]])
        scene.transmitByOVS([after[1]])
        let found = scene.run()
        #expect(found.count(.ambiguous) == 4)
        #expect(found.journeys.count == 6)
        #expect(found.isWhole(after))
    }

    @Test
    func
        `packets of different lengths that wait for ovs-vswitchd are told apart, and so are those of different devices`()
    {
        var scene = Scene()
        let (short, long) = (scene.packet(106), scene.packet(1514))
        scene.missOnReceive([short, long])
        scene.replyToTap(long)
        scene.replyToTap(short, waking: false)
        scene.deliver([long, short])
        let (received, sent) = (scene.packet(106), scene.packet(106))
        scene.missOnReceive([received])
        scene.missOnTransmit([sent])
        scene.replyToNIC(sent)
        scene.replyToTap(received)
        scene.deliver([received])
        let found = scene.run()
        #expect(found.isWhole([short, long, received, sent]))
        #expect(found.journeys.count == 4)
    }

    @Test
    func
        `a packet that ovs-vswitchd never gives back was not received, and is not-recorded where the guest had sent it`()
    {
        var scene = Scene()
        let before = scene.packets(1)
        scene.transmitByOVS(before)
        let (received, sent) = (scene.packets(3), scene.packets(3))
        scene.missOnReceive([received[0]])
        scene.missOnTransmit([sent[0]])
        // Those after them are not ambiguous for ever.
        for index in 1...2 {
            scene.now += 2_000_000_000
            scene.missOnReceive([received[index]])
            scene.replyToTap(received[index])
            scene.deliver([received[index]])
            scene.missOnTransmit([sent[index]])
            scene.replyToNIC(sent[index])
        }
        let found = scene.run()
        #expect(found.isWhole(Array(received[1...] + sent[1...])))
        #expect(found.outcome(sent[0]) == .notRecorded)
        #expect(found.journeys.count == 6)
    }

    @Test func `many packets that are never given back end one by one, each as what it is`() {
        var scene = Scene()
        scene.transmitByOVS(scene.packets(1))
        let (lost, received) = (scene.packets(100), scene.packets(100))
        for packet in lost { scene.missOnTransmit([packet]) }
        for packet in received { scene.missOnReceive([packet]) }
        scene.now += 2_000_000_000
        let after = scene.packet()
        scene.missOnTransmit([after])
        scene.replyToNIC(after)
        let found = scene.run()
        #expect(found.outcomes(lost).allSatisfy { $0 == .notRecorded })
        #expect(found.isWhole([after]))
        #expect(found.journeys.count == 102)
    }

    @Test func `a packet that is still with ovs-vswitchd when the recording ends is a trace edge`() {
        var scene = Scene()
        scene.transmitByOVS(scene.packets(1))
        let (received, sent) = (scene.packet(), scene.packet())
        scene.missOnReceive([received])
        scene.missOnTransmit([sent])
        let found = scene.run()
        #expect(found.outcome(sent) == .traceEdge)
        #expect(found.journeys.count == 2)
    }

    @Test func `a packet whose copy finds no room in ovs-vswitchd's queue is dropped`() {
        var scene = Scene()
        scene.transmitByOVS(scene.packets(1))
        let (dropped, next) = (scene.packets(2), scene.packets(2))
        scene.missOnReceive([dropped[0]], freeing: .drop)
        scene.missOnTransmit([dropped[1]], freeing: .drop)
        scene.missOnReceive([next[0]])
        scene.replyToTap(next[0])
        scene.deliver([next[0]])
        scene.missOnTransmit([next[1]])
        scene.replyToNIC(next[1])
        let found = scene.run()
        #expect(found.isWhole(next))
        #expect(found.outcome(dropped[1]) == .dropped)
        #expect(found[dropped[1]]?.dropReason == 2)
        #expect(found.journeys.count == 4)
    }

    @Test func `a flow that sends a packet up and forwards it all the same needs no answer`() {
        var scene = Scene()
        let packets = scene.packets(2)
        for packet in packets {
            packet.points[.nicIRQ] = scene.nicInterrupt()
            scene.nicReceives(packet)
            scene.ovsMisses(packet, from: scene.line.nic, lane: 0, .softIRQ, freeing: nil)
            packet.points[.ovsUpcall] = nil
            packet.points[.ovsAction] = scene.ovsActs(on: packet, from: scene.line.nic, lane: 0, .softIRQ)
            scene.tapReceives(packet, waking: true)
            scene.nicPollEnds(work: 1)
            scene.deliver([packet])
        }
        scene.transmitByOVS(scene.packets(1))
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(found.journeys.count == 3)
    }

    @Test func `a flow whose action it is to ask ovs-vswitchd is a miss like any other`() {
        var scene = Scene()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        scene.ovsActs(on: packet, from: scene.line.nic, lane: 0, .softIRQ)
        scene.ovsMisses(packet, from: scene.line.nic, lane: 0, .softIRQ)
        scene.nicPollEnds(work: 1)
        scene.replyToTap(packet)
        scene.deliver([packet])
        scene.transmitByOVS(scene.packets(1))
        #expect(scene.run().isWhole([packet]))
    }

    @Test func `a clone that the datapath acts on in the worker is not what ovs-vswitchd gives back`() {
        var scene = Scene()
        scene.transmitByOVS(scene.packets(1))
        let (waiting, sent) = (scene.packet(), scene.packet())
        scene.missOnTransmit([waiting])
        let clone = scene.packet()
        scene.sendToOVS([sent]) { scene, packet in
            let line = scene.line
            packet.points[.ovsAction] = scene.ovsActs(on: packet, from: line.tap, lane: 1, thread: line.worker, .thread)
            scene.ovsActs(on: clone, from: line.tap, lane: 1, thread: line.worker, .thread)
            scene.mark(.consume, lane: 1, thread: line.worker, a: clone.hostSKB)
            scene.nicSends(packet)
        }
        scene.replyToNIC(waiting)
        let found = scene.run()
        #expect(found.isWhole([waiting, sent]))
    }

    @Test func `an answer to a packet that came before the recording is a trace edge, not a packet of the host's own`()
    {
        var scene = Scene()
        let packet = scene.packet()
        scene.missOnReceive([packet])
        let begin = scene.now
        scene.replyToTap(packet)
        scene.deliver([packet])
        let after = scene.packets(2)
        scene.receiveByOVS([after[0]])
        scene.transmitByOVS([after[1]])
        scene.begin(0, at: begin)
        let found = scene.run()
        #expect(found.outcome(packet) == .traceEdge)
        #expect(found.isWhole(after))
        #expect(found.journeys.count == 3)
    }

    @Test func `packets that came before the queue's path was certain are the flow's too`() {
        var scene = Scene()
        // The host's own packet passes no NIC, and tells no path.
        let own = scene.packet()
        scene.tapReceives(own, waking: true, thread: 900, .thread)
        scene.deliver([own])
        let (sent, received) = (scene.packets(1), scene.packets(2))
        scene.transmitByOVS(sent)
        scene.receiveByOVS(received)
        let found = scene.run()
        #expect(found.isWhole(received + sent + [own]))
        #expect(hasPath(.ovs, found, received + sent + [own]))
    }

    @Test func `a tap without Open vSwitch stays a tap beside one that has it`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var packets: [[Packet]] = [[], []]
        for _ in 0..<3 {
            let (received, sent) = (scene.packets(2), scene.packets(2))
            scene.line = lines[0]
            scene.receiveByOVS([received[0]])
            scene.transmitByOVS([sent[0]])
            scene.line = lines[1]
            scene.receive([received[1]])
            scene.transmit([sent[1]])
            packets[0] += [received[0], sent[0]]
            packets[1] += [received[1], sent[1]]
        }
        let found = scene.run()
        #expect(found.isWhole(packets[0] + packets[1]))
        #expect(hasPath(.ovs, found, packets[0]) && hasPath(.tap, found, packets[1]))
    }
}
