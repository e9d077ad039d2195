// VLAN tags: beside the frame on one machine, inside of it on the other; and devices that stack.

import ClockSync
import PacketPath
import Testing

@Suite struct VLANTests {
    /// A packet to the guest that has a tag, which stands beside the frame on the host and in the frame in the guest.
    private func receiveTagged(_ packet: Packet, in scene: inout Scene) {
        let line = scene.line
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        packet.points[.hostEgress] = scene.skbMark(
            .startXmit, packet.hostSKB, line.tap, length: packet.length, tagged: true, lane: line.nicLane, .softIRQ)
        packet.points[.vhostWake] = scene.wake(line.worker, lane: line.nicLane, .softIRQ)
        scene.skbMark(.xmitDone, packet.hostSKB, line.tap, lane: line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 1)
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        scene.enter([packet])
        packet.points[.guestIRQ] = scene.guestInterrupt()
        packet.points[.guestIngress] = scene.skbMark(
            .napiReceive, packet.guestSKB, line.device, length: packet.length + 4 - 14, lane: line.guestLane, .softIRQ)
        scene.skbMark(
            .stackReceive, packet.guestSKB, line.device, length: packet.length - 14, lane: line.guestLane, .softIRQ)
        packet.points[.guestWake] = scene.wake(line.reader, lane: line.guestLane, .softIRQ)
        scene.guestPollEnds(work: 1)
        scene.readAll([packet])
        scene.vcpuHalts()
    }

    @Test func `a received packet's tag counts in its length on both sides`() {
        var scene = Scene()
        let before = scene.plainRound()
        let tagged = scene.packets(3)
        for packet in tagged { receiveTagged(packet, in: &scene) }
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.isWhole(before.receive + tagged + after.receive))
        #expect(tagged.allSatisfy { found[$0]?.length == 110 })
    }

    @Test func `a VLAN device on top of the guest's is one packet, on the ring of the lower one`() {
        var scene = Scene()
        let before = scene.plainRound()
        let sent = scene.packets(2)
        let vlan: UInt16 = 33
        for packet in sent {
            scene.wakeSender()
            packet.points[.guestSend] = scene.senderCalls()
            let (lane, thread) = (scene.line.guestLane, scene.line.reader)
            func upper(_ kind: MarkKind, length: Int) {
                scene.skbMark(kind, packet.guestSKB, vlan, length: length, lane: lane, thread: thread, .thread)
            }
            upper(.netQueue, length: 102)
            upper(.startXmit, length: 102)
            // The tag stands in the frame from here on.
            scene.guestQueues(packet)
            scene.driverBegins(packet)
            scene.kicks(packet)
            scene.driverEnds(packet)
            upper(.xmitDone, length: 0)
            scene.senderReturns()
            packet.points[.vhostRun] = scene.vhostRuns()
            scene.vhostWrites(packet)
            scene.nicSends(packet)
            scene.vhostSleeps()
            scene.nicFrees(packet)
            scene.restSender()
        }
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(before.transmit + after.transmit))
        #expect(found.isWhole(sent))
        #expect(found.journeys.count == 6)
        #expect(sent.allSatisfy { found[$0]?.device == scene.line.device && found[$0]?.length == 106 })
    }
}
