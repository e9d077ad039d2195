// Recordings without skb_copy_datagram_iovec on the host: packets are followed all the same, by the order in which the
// tap has them.

import PacketPath
import Testing

@Suite struct UncopiedTests {
    private func scene() -> Scene {
        var scene = Scene()
        var host = KernelTraits()
        host.tellsCopies = false
        scene.kernels = [host]
        // The worker is known once it has taken a packet from its guest.
        scene.transmit(scene.packets(1))
        return scene
    }

    /// What is told of packets on their way in, without the worker's part.
    private func isTold(_ packet: Packet, _ found: Found) -> Bool {
        guard let journey = found[packet], journey.outcome == .complete else { return false }
        return !journey.times.has(.vhostCopy)
            && [Point.hostIngress, .hostEgress, .guestIngress, .guestRead].allSatisfy {
                journey.times[$0] == packet.points[$0]
            }
    }

    @Test func `packets are followed without their copies, one by one and in bursts`() {
        var scene = scene()
        let (steady, burst) = (scene.packets(3), scene.packets(5))
        for packet in steady { scene.receive([packet]) }
        scene.receive(burst)
        for kind in [MarkKind.copy, .consume, .drop] { scene.forget(kind, of: 0) }
        let found = scene.run()
        for packet in steady + burst { #expect(isTold(packet, found)) }
    }

    @Test func `the signal and the worker's turn are told by what KVM and the scheduler say`() throws {
        var scene = scene()
        let packets = scene.packets(4)
        for packet in packets { scene.receive([packet]) }
        for kind in [MarkKind.copy, .consume, .drop] { scene.forget(kind, of: 0) }
        let found = scene.run()
        let last = try #require(packets.last)
        #expect(found[last]?.times[.vhostRun] == last.points[.vhostRun])
        #expect(found[last]?.times[.irqInject] == last.points[.irqInject])
    }

    @Test func `a packet that finds no room on the tap's queue takes nobody's place`() {
        var scene = scene()
        let (first, dropped, last) = (scene.packet(), scene.packet(), scene.packet())
        scene.receive([first])
        scene.nicInterrupt()
        scene.nicReceives(dropped)
        dropped.points[.hostEgress] = scene.skbMark(
            .startXmit, dropped.hostSKB, scene.line.tap, length: 106, lane: scene.line.nicLane, .softIRQ)
        // FULL_RING.
        scene.mark(.drop, lane: scene.line.nicLane, .softIRQ, a: dropped.hostSKB, b: .drop(80))
        scene.skbMark(.xmitDone, dropped.hostSKB, scene.line.tap, lane: scene.line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 1)
        scene.receive([last])
        for kind in [MarkKind.copy, .consume] { scene.forget(kind, of: 0) }
        let found = scene.run()
        #expect(found.outcome(dropped) == .dropped)
        #expect(isTold(first, found))
        #expect(isTold(last, found))
    }
}
