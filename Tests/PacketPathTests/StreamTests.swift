// TCP's byte streams: what was merged into one skb is told by the bytes that are read from it, or not at all.

import ClockSync
import PacketPath
import Testing

@Suite struct StreamTests {
    /// Segments come in with one poll; none of them is seen to be freed.
    private func bringIn(_ packets: [Packet], in scene: inout Scene) {
        scene.interruptRunningGuest(with: packets)
        for packet in packets { scene.guestReceives(packet, waking: false) }
        scene.guestPollEnds(work: packets.count)
    }

    /// The reader copies from one skb, in pieces.
    private func copy(_ pieces: [Int], from packet: Packet, in scene: inout Scene) -> [Nanoseconds] {
        pieces.map {
            scene.mark(.copy, lane: scene.line.guestLane, thread: scene.line.reader, a: packet.guestSKB, b: UInt64($0))
        }
    }

    @Test func `segments that were merged are read when their bytes are copied from the first one's skb`() throws {
        var scene = Scene()
        let segments = scene.packets(3, length: 1066)
        let next = scene.packet(566)
        scene.wakeSender()
        bringIn(segments, in: &scene)
        // 3000 bytes: the second segment begins in the second copy, the third one in the third.
        let copies = copy([900, 1100, 1000], from: segments[0], in: &scene)
        bringIn([next], in: &scene)
        _ = copy([500], from: next, in: &scene)
        scene.restSender()
        let found = scene.run()
        #expect(found.outcomes(segments + [next]) == Array(repeating: .complete, count: 4))
        #expect(segments.map { found[$0]?.times[.guestRead] } == copies)
    }

    @Test func `a segment whose address another one gets before the bytes are read is still known`() throws {
        var scene = Scene()
        let first = scene.packet(1066)
        let second = scene.packet(1066, guest: 0xffff_8880_1f00_0000)
        let third = scene.packet(1066, guest: 0xffff_8880_1f00_0000)
        scene.wakeSender()
        bringIn([first, second, third], in: &scene)
        let copies = copy([1000, 1000, 1000], from: first, in: &scene)
        scene.restSender()
        let found = scene.run()
        #expect(
            [first, second, third].map { packet in
                found.journeys.first { $0.times[.guestIngress] == packet.points[.guestIngress] }?.times[.guestRead]
            } == copies)
    }

    @Test func `an acknowledgement among them has no bytes and no reader`() {
        var scene = Scene()
        let (first, bare, last) = (scene.packet(1066), scene.packet(66), scene.packet(866))
        scene.wakeSender()
        bringIn([first, bare, last], in: &scene)
        _ = copy([1024, 776], from: first, in: &scene)
        scene.restSender()
        #expect(scene.run().outcomes([first, bare, last]) == [.complete, .kernelConsumed, .complete])
    }

    @Test(arguments: [54, 66, 74, 86])
    func `an acknowledgement that others were merged into has no reader either`(length: Int) {
        var scene = Scene()
        let (bare, first, last) = (scene.packet(length), scene.packet(length + 1000), scene.packet(length + 500))
        scene.wakeSender()
        bringIn([bare, first, last], in: &scene)
        let copies = copy([1000, 500], from: bare, in: &scene)
        scene.restSender()
        let found = scene.run()
        #expect(found.outcomes([bare, first, last]) == [.kernelConsumed, .complete, .complete])
        #expect([first, last].map { found[$0]?.times[.guestRead] } == copies)
    }

    @Test func `a datagram as long as an acknowledgement has its reader`() {
        var scene = Scene()
        let packet = scene.packet(66)
        scene.receive([packet], copying: true)
        let found = scene.run()
        #expect(found.outcome(packet) == .complete && found[packet]?.points == packet.points)
    }

    @Test func `where the bytes fit no number of segments, those that may have been merged are ambiguous`() {
        var scene = Scene()
        let segments = scene.packets(3, length: 1066)
        scene.wakeSender()
        bringIn(segments, in: &scene)
        _ = copy([1000, 700], from: segments[0], in: &scene)
        scene.restSender()
        #expect(scene.run().outcomes(segments) == [.complete, .ambiguous, .ambiguous])
    }

    @Test func `one datagram's bytes never tell of another one`() {
        var scene = Scene()
        // 64 bytes are the data of two packets, were they TCP over IPv6 without time stamps.
        let datagrams = scene.packets(2)
        scene.wakeSender()
        bringIn(datagrams, in: &scene)
        _ = copy([64], from: datagrams[0], in: &scene)
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: datagrams[0].guestSKB)
        let second = copy([64], from: datagrams[1], in: &scene)
        scene.restSender()
        let found = scene.run()
        #expect(found.outcomes(datagrams) == [.complete, .complete])
        #expect(found[datagrams[1]]?.times[.guestRead] == second[0])
    }

    @Test func `a frame that GRO merged is read with the one it was merged into`() {
        var scene = Scene()
        let (head, merged) = (scene.packet(1066), scene.packet(1066))
        scene.wakeSender()
        scene.interruptRunningGuest(with: [head, merged])
        let lane = scene.line.guestLane
        for packet in [head, merged] {
            packet.points[.guestIngress] = scene.skbMark(
                .napiReceive, packet.guestSKB, scene.line.device, length: packet.length - 14, lane: lane, .softIRQ)
        }
        scene.mark(.groMerged, lane: lane, .softIRQ)
        scene.skbMark(.stackReceive, head.guestSKB, scene.line.device, length: 2052, lane: lane, .softIRQ)
        scene.guestPollEnds(work: 2)
        let copies = copy([1500, 500], from: head, in: &scene)
        scene.restSender()
        let found = scene.run()
        #expect([head, merged].map { found[$0]?.times[.guestRead] } == [copies[0], copies[0]])
    }
}
