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
            if waking, index == 0 {
                packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
            }
        }
        scene.nicPollEnds(work: packets.count)
    }

    /// sock_recv_length, of so much data.
    @discardableResult
    private func receives(_ data: Int, flags: UInt64 = 0, in scene: inout Scene) -> Nanoseconds {
        scene.mark(
            .socketRead, lane: scene.line.guestLane, thread: scene.line.reader, a: Self.socket,
            b: UInt64(UInt32(truncatingIfNeeded: data)) | 2 << 32 | 17 << 38 | flags << 48)
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

    @Test func `a packet that is freed on the CPU it came from, before its reader has returned, is read all the same`()
    {
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

    @Test func `a read that finds nothing tells what was read before it`() {
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
        #expect(found.outcomes(packets) == [.complete, .complete, .complete])
    }

    @Test func `before a socket is known to be empty nothing is joined`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        // Something may be on the socket from before the recording.
        bringIn(packets, waking: false, in: &scene)
        scene.readerRuns()
        for _ in packets { receives(64, in: &scene) }
        // Wake-ups are recorded, and nobody was woken.
        scene.wake(700, lane: scene.line.workerLane)
        #expect(scene.run().outcomes(packets) == [.ambiguous, .ambiguous, .ambiguous])
    }

    @Test func `what is still on a socket when the recording ends is its edge`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        bringIn([packets[0]], in: &scene)
        read([packets[0]], in: &scene)
        bringIn([packets[1]], in: &scene)
        #expect(scene.run().outcomes(packets) == [.complete, .traceEdge])
    }

    @Test func `a length that does not fit ends what is on the socket as ambiguous`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        bringIn([packets[0], packets[1]], in: &scene)
        scene.readerRuns()
        receives(65, in: &scene)
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

    // MARK: What another CPU overtakes

    /// The stack receives a packet on the NIC's CPU, and its socket says so only after `meanwhile`.
    private func bringIn(
        _ packet: Packet, in scene: inout Scene, before ready: Bool = true, meanwhile: (inout Scene) -> Void
    ) {
        scene.nicReceives(packet)
        meanwhile(&scene)
        if ready { self.ready(in: &scene) }
        scene.nicPollEnds(work: 1)
    }

    @Test func `a reader that polls by itself may return with a packet before its socket has said that it is there`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(4)
        scene.readerRuns()
        receives(-11, in: &scene)
        // From the second on, each read would go to the packet before.
        for (index, packet) in packets.enumerated() {
            if index == 1 {
                bringIn(packet, in: &scene) { packet.points[.appRead] = receives(64, in: &$0) }
            } else {
                bringIn(packet, in: &scene) { _ in }
                packet.points[.appRead] = receives(64, in: &scene)
            }
            receives(-11, in: &scene)
        }
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a read that found nothing before a hole's end does not shift the packets after it`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(6)
        scene.readerRuns()
        receives(-11, in: &scene)
        bringIn(packets[0], in: &scene) { _ in }
        packets[0].points[.appRead] = receives(64, in: &scene)
        receives(-11, in: &scene)
        // The reader looks, and then a packet comes of which nothing is seen.
        let hole = scene.now
        bringIn(packets[1], in: &scene) { _ in }
        scene.lose(lane: scene.line.nicLane, hole..<scene.now)
        scene.otherInterrupt(lane: scene.line.nicLane)
        receives(-11, in: &scene)
        // From here on each packet is read while the next one comes in, which looks as if it were read early.
        for (packet, next) in zip(packets[1...], packets[2...]) {
            bringIn(next, in: &scene) {
                packet.points[.appRead] = receives(64, in: &$0)
                if next === packets[5] { receives(-11, in: &$0) }
            }
        }
        packets[5].points[.appRead] = receives(64, in: &scene)
        receives(-11, in: &scene)
        #expect(scene.run().falsehoods(among: packets).isEmpty)
    }

    @Test
    func `a read of something that was never seen to arrive makes what follows ambiguous until the socket is empty`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        scene.readerRuns()
        receives(-11, in: &scene)
        bringIn([packets[0]], waking: false, in: &scene)
        receives(64, in: &scene)
        // Nothing has come in meanwhile.
        receives(64, in: &scene)
        bringIn([packets[1]], waking: false, in: &scene)
        receives(64, in: &scene)
        receives(-11, in: &scene)
        bringIn([packets[2]], waking: false, in: &scene)
        receives(64, in: &scene)
        let found = scene.run()
        #expect(found.outcome(packets[0]) == .ambiguous)
        #expect(found.outcome(packets[2]) == .complete)
    }

    @Test func `two threads that may have read in either order have no packet for certain`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        let other: Int32 = 97
        bringIn(packets, in: &scene)
        scene.switchTo(other, lane: scene.line.workerLane)
        scene.readerRuns()
        receives(64, in: &scene)
        scene.mark(.socketRead, lane: scene.line.workerLane, thread: other, a: Self.socket, b: 64 | 2 << 32 | 17 << 38)
        let certain = receives(64, in: &scene)
        let found = scene.run()
        #expect(found.outcomes(Array(packets[..<2])) == [.ambiguous, .ambiguous])
        #expect(found.journeys.allSatisfy { $0.outcome != .complete || $0.times[.appRead] == certain })
    }

    @Test func `a packet that a busy CPU puts on a socket for another one is not taken for its own`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        scene.readerRuns()
        receives(-11, in: &scene)
        // The second CPU's packet is put on the queue by the first one, which says so twice (Linux 6.18).
        scene.skbMark(
            .stackReceive, packets[1].hostSKB, scene.line.nic, length: 92, lane: scene.line.workerLane, .softIRQ)
        scene.nicReceives(packets[0])
        ready(in: &scene)
        ready(in: &scene)
        scene.nicPollEnds(work: 1)
        packets[0].points[.appRead] = receives(64, in: &scene)
        let second = receives(64, in: &scene)
        receives(-11, in: &scene)
        let found = scene.run()
        #expect(found[packets[0]]?.points == packets[0].points)
        #expect(found.journeys.contains { $0.times[.appRead] == second && $0.outcome == .complete })
        #expect(found.count(.complete) == 2)
    }

    // MARK: Several at once

    @Test func `the stack takes several packets and delivers them in order, and the first one wakes the reader`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(3)
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        for packet in packets { scene.nicReceives(packet) }
        for (index, packet) in packets.enumerated() {
            ready(in: &scene)
            if index == 0 {
                packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
            }
        }
        scene.nicPollEnds(work: packets.count)
        read(packets, in: &scene)
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `the newest packet's release shows what was read of a socket whose packets never woke anybody`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(4)
        bringIn(Array(packets[..<2]), waking: false, in: &scene)
        scene.readerRuns()
        for packet in packets[..<2] { packet.points[.appRead] = receives(64, in: &scene) }
        scene.readerSleeps()
        // The CPU that they came from frees them, all together.
        for packet in packets[..<2] { scene.mark(.consume, lane: scene.line.nicLane, .softIRQ, a: packet.hostSKB) }
        bringIn(Array(packets[2...]), waking: false, in: &scene)
        scene.readerRuns()
        for packet in packets[2...] { packet.points[.appRead] = receives(64, in: &scene) }
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .complete, .complete, .complete])
        for packet in packets { #expect(found[packet]?.times[.appRead] == packet.points[.appRead]) }
    }

    // MARK: Kinds of reads

    @Test func `the queue of errors is another one, and a short buffer gets a part of its packet`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        bringIn(packets, in: &scene)
        packets.stamp(.appRun, scene.readerRuns())
        receives(0, flags: 0x2000, in: &scene)
        packets[0].points[.appRead] = receives(16, in: &scene)
        packets[1].points[.appRead] = receives(64, in: &scene)
        scene.readerSleeps()
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a packet that is cut into datagrams is read with the first of them`() {
        var scene = Scene.ofHost()
        let (cut, after) = (scene.packet(42 + 4 * 100), scene.packet())
        cut.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(cut)
        scene.mark(.consume, lane: scene.line.nicLane, .softIRQ, a: cut.hostSKB)
        for index in 0..<4 {
            ready(in: &scene)
            if index == 0 { cut.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ) }
        }
        scene.nicPollEnds(work: 1)
        cut.points[.appRun] = scene.readerRuns()
        cut.points[.appRead] = receives(100, in: &scene)
        for _ in 1..<4 { receives(100, in: &scene) }
        scene.readerSleeps()
        bringIn([after], in: &scene)
        read([after], in: &scene)
        let found = scene.run()
        #expect(found[cut]?.points == cut.points)
        #expect(found[after]?.points == after.points)
        #expect(found.journeys.count == 2)
    }

    @Test func `fragments are read with the datagram that they make`() {
        var scene = Scene.ofHost()
        let fragments = [scene.packet(1514), scene.packet(1514), scene.packet(1082)]
        fragments.stamp(.nicIRQ, scene.nicInterrupt())
        for fragment in fragments { scene.nicReceives(fragment) }
        // The first one's data goes to the last one's address.
        scene.mark(.consume, lane: scene.line.nicLane, .softIRQ, a: fragments[0].hostSKB)
        ready(in: &scene)
        fragments[2].points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 3)
        fragments.stamp(.appRun, scene.readerRuns())
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: fragments[1].hostSKB)
        fragments.stamp(.appRead, receives(4000, in: &scene))
        let found = scene.run()
        #expect(found.outcomes(fragments) == [.complete, .complete, .complete])
        for fragment in fragments { #expect(found[fragment]?.times[.appRead] == fragment.points[.appRead]) }
    }

    @Test(arguments: [MarkKind.consume, .drop])
    func `a raw socket's reader has a copy, whatever becomes of the packet`(end: MarkKind) {
        var scene = Scene.ofHost()
        let packet = scene.packet(98)
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        // AF_INET, IPPROTO_ICMP.
        scene.mark(.socketReady, lane: scene.line.nicLane, .softIRQ, a: Self.socket, b: 2 | 1 << 8)
        packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
        scene.mark(end, lane: scene.line.nicLane, .softIRQ, a: packet.hostSKB, b: 3)
        scene.nicPollEnds(work: 1)
        packet.points[.appRun] = scene.readerRuns()
        packet.points[.appRead] = scene.mark(
            .socketRead, lane: scene.line.guestLane, thread: scene.line.reader, a: Self.socket,
            b: 84 | 2 << 32 | 1 << 38)
        #expect(scene.run()[packet]?.points == packet.points)
    }

    /// The tunnel's device delivers 106 bytes of the 156 that came in.
    @Test(arguments: [(64, Outcome.complete), (65, .ambiguous)])
    func `what came through a tunnel is read at the length it comes out with`(read: Int, outcome: Outcome) {
        var scene = Scene.ofHost()
        let (before, packet) = (scene.packet(), scene.packet(156))
        bringIn([before], in: &scene)
        self.read([before], in: &scene)
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        for kind in [MarkKind.napiReceive, .stackReceive] {
            scene.skbMark(kind, packet.hostSKB, Self.tunnel, length: 92, lane: scene.line.nicLane, .softIRQ)
        }
        ready(in: &scene)
        packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 1)
        packet.points[.appRun] = scene.readerRuns()
        packet.points[.appRead] = receives(read, in: &scene)
        scene.readerSleeps()
        let found = scene.run()
        #expect(found.journeys.count == 2)
        #expect(found.outcomes([before, packet]) == [.complete, outcome])
        if outcome == .complete { #expect(found[packet]?.points == packet.points) }
    }

    private static let tunnel: UInt16 = 60

    @Test func `one that listens in is not the reader`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        // AF_PACKET.
        scene.mark(.socketReady, lane: scene.line.nicLane, .softIRQ, a: Self.socket + 4096, b: 17)
        ready(in: &scene)
        packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ)
        scene.nicPollEnds(work: 1)
        read([packet], in: &scene)
        #expect(scene.run()[packet]?.points == packet.points)
    }

    // MARK: What is not recorded

    private static func kernel(readsSilently: Bool, tellsSockets: Bool = true) -> KernelTraits {
        var kernel = KernelTraits()
        kernel.readsSilently = readsSilently
        kernel.tellsSockets = tellsSockets
        return kernel
    }

    @Test func `without the sockets' events a packet of a silent kernel is not-recorded, freed or not`() {
        var scene = Scene.ofHost()
        scene.kernels = [Self.kernel(readsSilently: true, tellsSockets: false)]
        let packets = scene.packets(2)
        scene.bringInOwn(packets)
        scene.readerRuns()
        scene.readerSleeps()
        scene.mark(.consume, lane: scene.line.nicLane, .softIRQ, a: packets[0].hostSKB)
        #expect(scene.run().outcomes(packets) == [.notRecorded, .notRecorded])
    }

    @Test func `a kernel whose sockets do not tell of every packet is not asked`() {
        var scene = Scene.ofHost()
        scene.kernels = [Self.kernel(readsSilently: false)]
        let packets = scene.packets(3)
        packets.stamp(.nicIRQ, scene.nicInterrupt())
        for (index, packet) in packets.enumerated() {
            scene.nicReceives(packet)
            // Only the first one finds the queue empty (Linux 6.10 to 6.17).
            if index == 0 { ready(in: &scene) }
        }
        scene.nicPollEnds(work: packets.count)
        scene.readerRuns()
        for packet in packets {
            scene.readOwn(packet)
            receives(packet.length - 42, in: &scene)
        }
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .complete, .complete])
        for packet in packets { #expect(found[packet]?.times[.appRead] == packet.points[.appRead]) }
    }
}
