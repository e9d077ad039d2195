// Open vSwitch in a recording with holes: what waits for ovs-vswitchd while events are lost.

import ClockSync
import PacketPath
import Testing

@Suite struct OVSLossTests {
    @Test func `an answer that is lost leaves nothing behind that a later one could be taken for`() {
        var scene = Scene()
        let rounds = scene.packets(3)
        scene.transmitByOVS(scene.packets(1))
        for packet in rounds {
            scene.missOnReceive([packet])
            scene.replyToTap(packet)
            scene.deliver([packet])
        }
        let torn = rounds[1].points
        scene.lose(lane: 0, torn[.ovsReply]!..<torn[.hostEgress]! + 1)
        let found = scene.run()
        #expect(found.isWhole([rounds[0], rounds[2]]))
        #expect(found.outcome(rounds[1]) == .lostEvents)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }

    @Test func `a packet that waits for ovs-vswitchd while events are lost is lost-events, once`() {
        var scene = Scene()
        scene.transmitByOVS(scene.packets(1))
        let (received, sent, after) = (scene.packet(), scene.packet(), scene.packets(2))
        scene.missOnReceive([received])
        scene.missOnTransmit([sent])
        let hole = scene.now
        for lane in 0...1 { scene.mark(.irqExit, lane: lane, .hardIRQ) }
        scene.now += 1000
        scene.replyToTap(received)
        scene.deliver([received])
        scene.replyToNIC(sent)
        scene.missOnReceive([after[0]])
        scene.replyToTap(after[0])
        scene.deliver([after[0]])
        scene.missOnTransmit([after[1]])
        scene.replyToNIC(after[1])
        scene.lose(lane: 0, hole..<hole + 500)
        let found = scene.run()
        #expect(found.isWhole(after))
        #expect(found.count(.lostEvents) == 2)
        #expect(found.journeys.count == 5)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }

    @Test func `a hole in the very first packet's way hides no path`() {
        var scene = Scene()
        let packets = scene.packets(3)
        for packet in packets { scene.receiveByOVS([packet]) }
        scene.transmitByOVS(scene.packets(1))
        let time = packets[0].points[.ovsAction]!
        scene.lose(lane: 0, time..<time + 1)
        let found = scene.run()
        #expect(found.isWhole(Array(packets[1...])))
        #expect(found.journeys.allSatisfy { $0.path == .ovs })
    }

    @Test(arguments: 0..<40)
    func `one hole anywhere tells no falsehood, counts nothing twice and leaves what does not touch it whole`(
        place: Int
    ) {
        var scene = Scene()
        var before: [Packet] = []
        func round(_ count: Int) -> [Packet] {
            let packets = scene.packets(2 * count) + [scene.packet(), scene.packet()]
            scene.receiveByOVS(Array(packets[..<count]))
            scene.transmitByOVS(Array(packets[count..<2 * count]))
            scene.missOnReceive([packets[2 * count]])
            scene.replyToTap(packets[2 * count])
            scene.deliver([packets[2 * count]])
            scene.missOnTransmit([packets[2 * count + 1]])
            scene.replyToNIC(packets[2 * count + 1])
            return packets
        }
        before += round(1)
        // What a lane lost may reach back to its last event before, and on to its first one after.
        var torn = round(1)
        let begin = scene.now
        torn += round(3)
        let end = scene.now
        torn += round(1)
        let after = round(2)
        let lane = place % 3
        let time = begin + (end - begin) * Nanoseconds(place) / 40
        scene.lose(lane: lane, time..<time + 100)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(before + after))
        #expect(found.journeys.count <= scene.packets.count)
        #expect(found.journeys.count >= scene.packets.count - torn.count)
        #expect(found.journeys.allSatisfy { $0.path == .ovs })
    }
}
