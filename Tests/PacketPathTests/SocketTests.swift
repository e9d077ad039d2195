// UDP of kernels whose readers free packets without an event: which packet was read, by the order on the socket.

import ClockSync
import PacketPath
import Testing

@Suite struct SocketTests {
    private static let socket: UInt64 = 0xffff_8881_0900_0000

    /// sk_data_ready while the stack receives the packet.
    private func ready(_ socket: UInt64 = socket, in scene: inout Scene) {
        scene.mark(.socketReady, lane: scene.line.nicLane, .softIRQ, a: socket, b: 2 | 17 << 8)
    }

    /// One poll that puts packets on the socket; the first one wakes the application if it sleeps.
    private func bringIn(_ packets: [Packet], waking: Bool = true, in scene: inout Scene) {
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        for (index, packet) in packets.enumerated() {
            scene.nicReceives(packet)
            ready(in: &scene)
            if waking, index == 0 { packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ) }
        }
        scene.nicPollEnds(work: packets.count)
    }

    /// sock_recv_length, of so much data.
    @discardableResult
    private func receives(_ data: Int, flags: UInt64 = 0, in scene: inout Scene) -> Nanoseconds {
        scene.mark(
            .socketRead, lane: scene.line.guestLane, thread: scene.line.reader, a: Self.socket,
            b: UInt64(UInt32(truncatingIfNeeded: data)) | 2 << 32 | 17 << 40 | flags << 48)
    }

    private func read(_ packets: [Packet], in scene: inout Scene) {
        packets.stamp(.appRun, scene.readerRuns())
        for packet in packets { packet.points[.appRead] = receives(packet.length - 42, in: &scene) }
        scene.readerSleeps()
    }

    @Test func `packets are read in the order they came`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(1) + [scene.packet(200), scene.packet(300)]
        for batch in [[packets[0]], Array(packets[1...])] {
            bringIn(batch, in: &scene)
            read(batch, in: &scene)
        }
        let found = scene.run()
        for packet in packets {
            #expect(found.outcome(packet) == .complete)
            #expect(found[packet]?.points == packet.points)
        }
    }

    @Test func `a packet that is freed on the CPU it came from, before its reader has returned, is read all the same`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        packets[1].hostSKB = packets[0].hostSKB
        bringIn([packets[0]], in: &scene)
        packets[0].points[.appRun] = scene.readerRuns()
        scene.mark(.consume, lane: scene.line.nicLane, .softIRQ, a: packets[0].hostSKB)
        bringIn([packets[1]], waking: false, in: &scene)
        for packet in packets { packet.points[.appRead] = receives(packet.length - 42, in: &scene) }
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a kernel whose readers make an event needs no order`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        bringIn(packets, in: &scene)
        packets.stamp(.appRun, scene.readerRuns())
        for packet in packets {
            scene.readOwn(packet)
            receives(packet.length - 42, in: &scene)
        }
        scene.readerSleeps()
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `before a socket is known to be empty nothing is joined`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        // Something may be on the socket from before the recording.
        bringIn([packets[0]], waking: false, in: &scene)
        scene.readerRuns()
        receives(64, in: &scene)
        receives(-11, in: &scene)
        scene.readerSleeps()
        for packet in packets[1...] {
            bringIn([packet], in: &scene)
            read([packet], in: &scene)
        }
        let found = scene.run()
        #expect(found.outcomes(packets) == [.traceEdge, .complete, .complete])
    }

    @Test func `a length that does not fit ends what is on the socket as ambiguous`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        bringIn([packets[0], packets[1]], in: &scene)
        scene.readerRuns()
        receives(63, in: &scene)
        receives(64, in: &scene)
        scene.readerSleeps()
        bringIn([packets[2]], in: &scene)
        read([packets[2]], in: &scene)
        #expect(scene.run().outcomes(packets) == [.ambiguous, .ambiguous, .complete])
    }

    @Test func `a reader that only looks takes nothing, and another socket's packets are its own`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        scene.nicReceives(packets[0])
        ready(Self.socket + 4096, in: &scene)
        scene.nicReceives(packets[1])
        ready(in: &scene)
        packets[1].points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 2)
        packets[1].points[.appRun] = scene.readerRuns()
        receives(64, flags: 2, in: &scene)
        packets[1].points[.appRead] = receives(64, in: &scene)
        let found = scene.run()
        #expect(found[packets[1]]?.points == packets[1].points)
        #expect(found.outcome(packets[0]) == .traceEdge)
    }

    @Test func `what was on a socket in a hole is lost`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        bringIn([packets[0]], in: &scene)
        let hole = scene.now
        scene.otherInterrupt(lane: 1)
        scene.otherInterrupt(lane: 1)
        scene.lose(lane: 1, hole + 5..<hole + 25)
        read([packets[0]], in: &scene)
        bringIn([packets[1]], in: &scene)
        read([packets[1]], in: &scene)
        #expect(scene.run().outcomes(packets) == [.lostEvents, .complete])
    }
}
