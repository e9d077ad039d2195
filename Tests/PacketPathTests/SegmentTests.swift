// Packets that a kernel cuts into segments because the device can't.

import ClockSync
import PacketPath
import Testing
import TraceData

@Suite struct SegmentTests {
    /// Packets by their length, and the lengths of the segments that hold them.
    private enum Cut {
        static let fourThousand = (length: 4410, segments: [1514, 1514, 1514])
        /// 66 bytes of headers, 1448 of data in each but the last.
        static let shortEnd = (length: 66 + 1448 * 2 + 100, segments: [1514, 1514, 166])
    }

    /// A guest's packet on its way to the host, until the worker has written it.
    private func send(_ packets: [Packet], in scene: inout Scene) {
        scene.wakeSender()
        for (index, packet) in packets.enumerated() { scene.sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, scene.vhostRuns())
    }

    private func rest(_ scene: inout Scene) {
        scene.vhostSleeps()
        scene.restSender()
    }

    /// The guest's driver gets one segment after the other.
    private func handOver(_ segments: [Packet], by thread: Int32, in scene: inout Scene) {
        for (index, packet) in segments.enumerated() {
            scene.driverBegins(packet, thread: thread)
            if index == 0 { scene.kicks(packet) }
            scene.driverEnds(packet, thread: thread)
        }
    }

    /// The worker takes them all and gives them to the NIC.
    private func forward(_ segments: [Packet], in scene: inout Scene) {
        segments.stamp(.vhostRun, scene.vhostRuns())
        for packet in segments {
            scene.vhostWrites(packet)
            scene.nicSends(packet)
        }
        rest(&scene)
    }

    private func free(_ packet: Packet, in scene: inout Scene) {
        scene.mark(.consume, lane: scene.line.workerLane, thread: scene.line.worker, a: packet.hostSKB)
    }

    /// - Returns: when the driver got it, and when it was done with it.
    @discardableResult
    private func segment(
        _ number: Int, _ length: Int, of packet: Packet, in scene: inout Scene, rc: Int = 0,
        between: (inout Scene) -> Void = { _ in }
    ) -> (begin: Nanoseconds, end: Nanoseconds) {
        let line = scene.line
        let skb = packet.hostSKB + UInt64(number + 1) * 0x10
        let begin = scene.skbMark(
            .startXmit, skb, line.nic, length: length, lane: line.workerLane, thread: line.worker, .thread)
        between(&scene)
        let end = scene.skbMark(
            .xmitDone, skb, line.nic, length: rc, lane: line.workerLane, thread: line.worker, .thread)
        return (begin, end)
    }

    /// All of it: the packet is freed, its segments go.
    private func cut(
        _ packet: Packet, _ lengths: [Int], in scene: inout Scene, between: (inout Scene) -> Void = { _ in }
    ) {
        free(packet, in: &scene)
        let times = lengths.enumerated().map {
            segment($0.offset, $0.element, of: packet, in: &scene, between: between)
        }
        packet.points[.hostEgress] = times.first?.begin
        packet.points[.nicXmit] = times.last?.end
    }

    @Test(arguments: [Cut.fourThousand, Cut.shortEnd])
    func `segments that hold a guest's packet are its way to the NIC, from the first to the last one`(
        length: Int, segments: [Int]
    ) {
        var scene = Scene()
        let before = scene.plainRound()
        let packet = scene.packet(length)
        send([packet], in: &scene)
        scene.vhostWrites(packet)
        cut(packet, segments, in: &scene)
        rest(&scene)
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.isWhole(before.all + [packet] + after.all))
        #expect(found[packet]?.points == packet.points)
        #expect(found[packet]?.length == length)
        #expect(found[packet]?.nic == scene.line.nic)
    }

    @Test func `interrupts come between segments, and drivers free what they sent before`() {
        var scene = Scene()
        let before = scene.plainRound()
        let packet = scene.packet(Cut.fourThousand.length)
        send([packet], in: &scene)
        scene.vhostWrites(packet)
        let freed: UInt64 = 0xffff_8881_0fff_0000
        cut(packet, Cut.fourThousand.segments, in: &scene) { scene in
            scene.otherInterrupt(lane: scene.line.workerLane)
            scene.mark(.consume, lane: scene.line.workerLane, thread: scene.line.worker, a: freed)
            scene.mark(.netRxRaised, lane: scene.line.workerLane, thread: scene.line.worker, .hardIRQ)
        }
        rest(&scene)
        let found = scene.run()
        #expect(found.isWhole(before.all + [packet]))
        #expect(found[packet]?.points == packet.points)
    }

    @Test(arguments: [[1514, 1514], [1514, 1514, 1513], [1514, 1514, 1514, 1514], [1514]])
    func `segments that do not hold the packet, and it alone, prove nothing`(lengths: [Int]) {
        var scene = Scene()
        let before = scene.plainRound()
        let packet = scene.packet(Cut.fourThousand.length)
        send([packet], in: &scene)
        scene.vhostWrites(packet)
        cut(packet, lengths, in: &scene)
        rest(&scene)
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.outcome(packet) == .ambiguous)
        #expect(found.seen(.transmit) == before.transmit.count + 1 + after.transmit.count)
        #expect(found.isWhole(after.all))
    }

    @Test func `a driver that refuses a segment gets it again in nobody knows what company`() {
        var scene = Scene()
        _ = scene.plainRound()
        let packet = scene.packet(Cut.fourThousand.length)
        send([packet], in: &scene)
        scene.vhostWrites(packet)
        free(packet, in: &scene)
        for (index, length) in Cut.fourThousand.segments.enumerated() {
            segment(index, length, of: packet, in: &scene, rc: index == 1 ? 0x10 : 0)
        }
        rest(&scene)
        let found = scene.run()
        #expect(found.journeys.filter { $0.outcome == .ambiguous }.count == 1)
    }

    @Test func `whose segments are whose is not told of packets that were cut at once`() {
        var scene = Scene()
        _ = scene.plainRound()
        let packets = [scene.packet(Cut.fourThousand.length), scene.packet(Cut.fourThousand.length)]
        send(packets, in: &scene)
        for packet in packets { scene.vhostWrites(packet) }
        for packet in packets { free(packet, in: &scene) }
        for packet in packets {
            for (index, length) in Cut.fourThousand.segments.enumerated() {
                segment(index, length, of: packet, in: &scene)
            }
        }
        rest(&scene)
        let found = scene.run()
        #expect(found.journeys.count { $0.direction == .transmit && $0.outcome == .ambiguous } == 2)
    }

    @Test func `a packet for the host itself is freed too, and nothing follows`() {
        var scene = Scene()
        _ = scene.plainRound()
        let packet = scene.packet()
        let other = scene.packet()
        send([packet, other], in: &scene)
        scene.vhostWrites(packet)
        free(packet, in: &scene)
        scene.vhostWrites(other)
        scene.nicSends(other)
        rest(&scene)
        let found = scene.run()
        #expect(found.outcome(packet) == .kernelConsumed)
        #expect(found[other]?.points == other.points)
    }

    @Test func `a hole among segments is why the packet is not whole`() {
        var scene = Scene()
        _ = scene.plainRound()
        let packet = scene.packet(Cut.fourThousand.length)
        send([packet], in: &scene)
        scene.vhostWrites(packet)
        cut(packet, Cut.fourThousand.segments, in: &scene)
        let end = packet.points[.nicXmit]!
        rest(&scene)
        scene.lose(lane: scene.line.workerLane, end - scene.step..<end + 1)
        #expect(scene.run().outcome(packet) == .lostEvents)
    }

    @Test func `segments that a guest makes are packets of its ring, and all have its sender's call`() {
        var scene = Scene()
        let before = scene.plainRound()
        let line = scene.line
        let whole = scene.packet(4410)
        scene.wakeSender()
        let call = scene.senderCalls()
        scene.guestQueues(whole)
        scene.mark(.consume, lane: line.guestLane, thread: line.reader, a: whole.guestSKB)
        let segments = scene.packets(3, length: 1514)
        segments.stamp(.guestSend, call)
        handOver(segments, by: line.reader, in: &scene)
        scene.senderReturns()
        forward(segments, in: &scene)
        // What is sent later has its own call, or none.
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.isWhole(before.all + segments + after.all))
        for packet in segments { #expect(found[packet]?.points == packet.points) }
        #expect(found.seen(.transmit) == before.transmit.count + 3 + after.transmit.count)
    }

    @Test func `of two packets that a guest cuts at once no segment knows its call`() {
        var scene = Scene()
        _ = scene.plainRound()
        let line = scene.line
        let whole = scene.packets(2, length: 2962)
        scene.wakeSender()
        for packet in whole {
            scene.senderCalls()
            scene.guestQueues(packet)
            scene.senderReturns()
        }
        for packet in whole { scene.mark(.consume, lane: line.guestLane, thread: 99, a: packet.guestSKB) }
        let segments = scene.packets(4, length: 1514)
        handOver(segments, by: 99, in: &scene)
        forward(segments, in: &scene)
        let found = scene.run()
        for packet in segments { #expect(found[packet]?.points == packet.points) }
        #expect(found.outcomes(segments).allSatisfy { $0 == .complete })
    }

    @Test func `segments of what the host sends for itself have its application's call`() {
        var scene = Scene.ofHost()
        let line = scene.line
        let whole = scene.packet(4410)
        let (before, after) = (scene.packet(), scene.packet())
        scene.sendOwn(before)
        let call = scene.senderCalls()
        scene.queueOwn(whole)
        scene.mark(.consume, lane: line.guestLane, thread: line.reader, a: whole.hostSKB)
        let segments = scene.packets(3, length: 1514)
        segments.stamp(.appSend, call)
        for packet in segments {
            scene.beginOwn(packet)
            packet.points[.nicXmit] = scene.endOwn(packet)
        }
        scene.senderReturns()
        scene.sendOwn(after)
        let found = scene.run()
        #expect(found.isWhole([before] + segments + [after]))
        for packet in segments { #expect(found[packet]?.points == packet.points) }
    }
}
