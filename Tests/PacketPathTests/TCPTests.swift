// TCP: what it frees without an event is not taken for a read, and the recorder's own connection is left out.

import PacketPath
import Testing

@Suite struct TCPTests {
    private static let agentPort: UInt16 = 7423

    /// tcp_probe; a kernel before Linux 6.10 does not tell the skb.
    private func probe(_ packet: Packet, data: Int, port: UInt16 = 80, tellsSKB: Bool, in scene: inout Scene) {
        scene.mark(
            .tcpReceive, lane: scene.line.guestLane, .softIRQ, a: tellsSKB ? packet.guestSKB : 2,
            b: UInt64(port) | UInt64(data) << 16)
    }

    /// A packet up to TCP in the guest, which runs.
    private func bringIn(_ packet: Packet, in scene: inout Scene) {
        scene.interruptRunningGuest(with: [packet])
        scene.guestReceives(packet, waking: false)
    }

    @Test(arguments: [false, true])
    func `a bare acknowledgement is the kernel's, whoever frees its address later`(tellsSKB: Bool) {
        var scene = Scene()
        let packet = scene.packet(66)
        scene.wakeSender()
        bringIn(packet, in: &scene)
        probe(packet, data: 0, tellsSKB: tellsSKB, in: &scene)
        scene.guestPollEnds(work: 1)
        // Another skb has the address by now, and some thread reads it.
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: packet.guestSKB)
        scene.restSender()
        let found = scene.run()
        #expect(found.outcome(packet) == .kernelConsumed)
        #expect(found[packet]?.times.has(.guestRead) == false)
    }

    @Test func `data is read where it is copied`() {
        var scene = Scene()
        let (read, unread) = (scene.packet(1066), scene.packet(566))
        scene.wakeSender()
        for packet in [read, unread] {
            bringIn(packet, in: &scene)
            probe(packet, data: packet.length - 66, tellsSKB: true, in: &scene)
            scene.guestPollEnds(work: 1)
        }
        scene.reads(read, copying: true)
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: unread.guestSKB)
        scene.restSender()
        let found = scene.run()
        #expect(found[read]?.points == read.points)
        // TCP frees nothing that way: somebody else has the address by now, and what became of the data is not known.
        #expect(found.outcome(unread) == .ambiguous)
    }

    @Test(arguments: [false, true])
    func `the recorder's packets and the answers to them are no journeys, and the order of the others holds`(
        tellsSKB: Bool
    ) {
        var scene = Scene(agentPorts: [Self.agentPort])
        scene.transmit(scene.packets(2))
        let before = scene.packets(2)
        scene.receive(before)
        let (probed, answer) = (scene.packet(66), scene.packet(66))
        scene.wakeSender()
        bringIn(probed, in: &scene)
        probe(probed, data: 0, port: Self.agentPort, tellsSKB: tellsSKB, in: &scene)
        // TCP answers at once.
        scene.guestQueues(answer, thread: 0, .softIRQ)
        scene.driverBegins(answer, thread: 0, .softIRQ)
        scene.kicks(answer)
        scene.driverEnds(answer, thread: 0, .softIRQ)
        scene.guestPollEnds(work: 1)
        scene.vhostRuns()
        scene.vhostWrites(answer)
        scene.nicSends(answer)
        scene.vhostSleeps()
        scene.restSender()
        let (received, sent) = (scene.packets(2), scene.packets(2))
        scene.receive(received)
        scene.transmit(sent)
        let found = scene.run()
        #expect(found.outcomes(before + received + sent) == Array(repeating: .complete, count: 6))
        #expect(found[probed] == nil && found[answer] == nil)
        #expect(found.journeys.count == 8)
        #expect(found.recorderPackets == [0, 2])
    }

    /// The stack takes a poll's packets at once, then hands them to UDP and TCP one by one.
    @Test(arguments: [false, true])
    func `of a batch the recorder's packet is told by what its length can be`(isLast: Bool) {
        var scene = Scene(agentPorts: [Self.agentPort])
        scene.receive(scene.packets(2))
        let (probed, read) = (scene.packet(66), scene.packet(106))
        let batch = isLast ? [read, probed] : [probed, read]
        scene.wakeSender()
        scene.interruptRunningGuest(with: batch)
        for packet in batch { scene.guestReceives(packet, waking: false) }
        probe(probed, data: 0, port: Self.agentPort, tellsSKB: false, in: &scene)
        scene.guestPollEnds(work: 2)
        scene.reads(read)
        scene.restSender()
        let found = scene.run()
        #expect(found[read]?.points == read.points)
        #expect(found[probed] == nil)
        #expect(found.recorderPackets == [0, 1])
    }

    @Test(arguments: [false, true])
    func `a packet of the recorder's that can't be told by its length is told when it is dropped`(inThread: Bool) {
        var scene = Scene(agentPorts: [Self.agentPort])
        scene.receive(scene.packets(2))
        let (probed, read) = (scene.packet(66), scene.packet(66))
        scene.wakeSender()
        for packet in [read, probed] { bringIn(packet, in: &scene) }
        if inThread {
            // Its socket was in use: the thread that used it takes the packet up.
            scene.guestPollEnds(work: 2)
            let thread: Int32 = 555
            scene.mark(
                .tcpReceive, lane: scene.line.guestLane, thread: thread, .thread, a: 2, b: UInt64(Self.agentPort))
            scene.mark(.drop, lane: scene.line.guestLane, thread: thread, .thread, a: probed.guestSKB, b: .drop(3))
        } else {
            probe(probed, data: 0, port: Self.agentPort, tellsSKB: false, in: &scene)
            scene.mark(.drop, lane: scene.line.guestLane, .softIRQ, a: probed.guestSKB, b: .drop(3))
            scene.guestPollEnds(work: 2)
        }
        scene.reads(read)
        scene.restSender()
        let found = scene.run()
        #expect(found[read]?.points == read.points)
        #expect(found[probed] == nil)
        #expect(found.recorderPackets == [0, 1])
    }

    @Test func `another connection's packets count, also beside the recorder's`() {
        var scene = Scene(agentPorts: [Self.agentPort])
        let (probed, other) = (scene.packet(66), scene.packet(66))
        scene.wakeSender()
        for (packet, port) in [(probed, Self.agentPort), (other, 22)] {
            bringIn(packet, in: &scene)
            probe(packet, data: 0, port: port, tellsSKB: false, in: &scene)
            scene.guestPollEnds(work: 1)
        }
        let answer = scene.packet()
        scene.sends(answer)
        scene.vhostRuns()
        scene.vhostWrites(answer)
        scene.nicSends(answer)
        scene.vhostSleeps()
        scene.restSender()
        let found = scene.run()
        #expect(found.outcome(other) == .kernelConsumed)
        #expect(found.outcome(answer) == .complete)
        #expect(found.recorderPackets == [0, 1])
    }
}
