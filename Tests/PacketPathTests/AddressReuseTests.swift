// skb addresses that come back after a free that no event tells of: they never make one packet of two.

import ClockSync
import PacketPath
import Testing

@Suite struct AddressReuseTests {
    // MARK: The host's own stack behind a bridge

    /// A guest's packet goes up to the host itself, by the bridge's own device.
    private func comesUp(_ packet: Packet, in scene: inout Scene) {
        scene.vhostWrites(packet)
        scene.skbMark(
            .stackReceive, packet.hostSKB, Self.bridge, length: packet.length - 14, lane: scene.line.workerLane,
            thread: scene.line.worker,
            .thread)
    }

    private static let bridge: UInt16 = 50

    @Test(arguments: [false, true])
    func `an answer that the host's stack sends at once is not the packet that it answers`(queueing: Bool) {
        var scene = Scene()
        let (sent, others) = (scene.packet(1514), scene.packets(2))
        scene.transmit([others[0]])
        scene.wakeSender()
        scene.sends(sent)
        sent.points[.vhostRun] = scene.vhostRuns()
        comesUp(sent, in: &scene)
        // TCP has freed it, and its acknowledgement has the address.
        for device in [Self.bridge, scene.line.tap] {
            if queueing {
                scene.skbMark(
                    .netQueue, sent.hostSKB, device, length: 66, lane: scene.line.workerLane, thread: scene.line.worker,
                    .thread)
            }
            scene.skbMark(
                .startXmit, sent.hostSKB, device, length: 66, lane: scene.line.workerLane, thread: scene.line.worker,
                .thread)
            scene.skbMark(
                .xmitDone, sent.hostSKB, device, lane: scene.line.workerLane, thread: scene.line.worker, .thread)
        }
        scene.vhostSleeps()
        scene.restSender()
        scene.transmit([others[1]])
        let found = scene.run()
        #expect(found.outcome(sent) == .kernelConsumed)
        #expect(found.journeys.allSatisfy { $0.direction == .transmit || !$0.times.has(.hostIngress) })
        #expect(found.isWhole(others))
    }

    @Test func `a packet that the host sends later is not the one that had its address before`() {
        var scene = Scene()
        let (sent, others) = (scene.packet(), scene.packets(2))
        scene.transmit([others[0]])
        scene.wakeSender()
        scene.sends(sent)
        sent.points[.vhostRun] = scene.vhostRuns()
        comesUp(sent, in: &scene)
        scene.vhostSleeps()
        scene.restSender()
        // Any thread of the host's, to the NIC.
        let (lane, thread) = (scene.line.workerLane, Int32(700))
        scene.skbMark(.netQueue, sent.hostSKB, scene.line.nic, length: 106, lane: lane, thread: thread, .thread)
        scene.skbMark(.startXmit, sent.hostSKB, scene.line.nic, length: 106, lane: lane, thread: thread, .thread)
        scene.skbMark(.xmitDone, sent.hostSKB, scene.line.nic, lane: lane, thread: thread, .thread)
        scene.transmit([others[1]])
        let found = scene.run()
        #expect(found.outcome(sent) == .kernelConsumed)
        #expect(found.isWhole(others))
    }

    @Test func `a packet that waits in a queue and is sent by another thread is the same`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.wakeSender()
        for (index, packet) in packets.enumerated() { scene.sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets {
            scene.vhostWrites(packet)
            scene.skbMark(
                .netQueue, packet.hostSKB, scene.line.nic, length: packet.length, lane: scene.line.workerLane,
                thread: scene.line.worker,
                .thread)
        }
        scene.vhostSleeps()
        for packet in packets {
            scene.nicSends(packet, thread: 700)
            scene.nicFrees(packet)
        }
        scene.restSender()
        #expect(scene.run().isWhole(packets))
    }

    // MARK: The host for itself

    @Test(arguments: [Scene.Context.thread, .softIRQ])
    func `an acknowledgement and the next packet at its address are two, received and sent`(context: Scene.Context) {
        var scene = Scene.ofHost()
        let (received, sent) = (scene.packet(66), scene.packet(66))
        sent.hostSKB = received.hostSKB
        scene.nicInterrupt()
        scene.nicReceives(received)
        if context == .thread { scene.nicPollEnds(work: 1) }
        scene.readerRuns()
        scene.skbMark(
            .netQueue, sent.hostSKB, scene.line.nic, length: 66, lane: scene.line.nicLane, thread: scene.line.reader,
            context)
        sent.points[.hostEgress] = scene.skbMark(
            .startXmit, sent.hostSKB, scene.line.nic, length: 66, lane: scene.line.nicLane, thread: scene.line.reader,
            context)
        sent.points[.nicXmit] = scene.skbMark(
            .xmitDone, sent.hostSKB, scene.line.nic, lane: scene.line.nicLane, thread: scene.line.reader, context)
        let found = scene.run()
        #expect(found.journeys.count == 2)
        #expect(found.outcome(received) == .kernelConsumed)
        #expect(found.outcome(sent) == .complete)
    }

    @Test func `two packets that a driver without GRO gives the stack at one address are two`() {
        var scene = Scene.ofHost()
        for _ in 0..<2 {
            scene.skbMark(
                .stackReceive, 0xffff_8881_0200_0000, scene.line.nic, length: 52, lane: scene.line.nicLane, .softIRQ)
            scene.nicPollEnds(work: 1)
        }
        #expect(scene.run().journeys.count == 2)
    }

    @Test func `what a Unix socket's reader frees is no packet of TCP's, on a kernel whose sockets tell`() {
        var scene = Scene.ofHost()
        var kernel = KernelTraits()
        kernel.readsSilently = true
        scene.kernels = [kernel]
        let (first, other) = (scene.packet(74), scene.packet(66))
        scene.bringInOwn([first, other], waking: false)
        // tcp_probe tells of an established connection's packets; of this machine's, it has.
        scene.mark(.tcpReceive, lane: scene.line.nicLane, .softIRQ, a: 0xffff_8881_0f00_0000)
        scene.readerRuns()
        scene.mark(.copy, lane: scene.line.guestLane, thread: scene.line.reader, a: first.hostSKB, b: 8)
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: first.hostSKB)
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: other.hostSKB)
        #expect(scene.run().count(.complete) == 0)
    }

    // MARK: Calls

    @Test
    func `a call that ends while its packet is with the driver has lost events, and the next packet there is another`()
    {
        var scene = Scene.ofHost()
        let (lost, next) = (scene.packet(), scene.packet())
        next.hostSKB = lost.hostSKB
        scene.readerRuns()
        lost.points[.appSend] = scene.senderCalls()
        scene.queueOwn(lost)
        scene.beginOwn(lost)
        // 74 ms that nothing marks.
        scene.now += 74_000_000
        scene.senderReturns()
        scene.sendOwn(next)
        let found = scene.run()
        #expect(found.outcome(lost) == .lostEvents)
        #expect(found[next]?.points == next.points)
    }

    @Test func `only a call whose end comes first began before the recording`() {
        for isInCall in [false, true] {
            var scene = Scene.ofHost()
            let (first, second) = (scene.packet(), scene.packet())
            // A thread that has been running since before the recording.
            let thread: Int32 = 97
            scene.queueOwn(first, thread: thread)
            scene.beginOwn(first, thread: thread)
            first.points[.nicXmit] = scene.endOwn(first, thread: thread)
            if isInCall { scene.mark(.sendExit, lane: scene.line.guestLane, thread: thread) }
            scene.sendOwn(second)
            let found = scene.run()
            #expect(found.outcome(first) == (isInCall ? .traceEdge : .complete))
            #expect(found[first]?.times.has(.appSend) == false)
            #expect(found.outcome(second) == .complete)
        }
    }

    @Test func `io_uring's requests are calls, and what its thread does besides has none`() {
        var scene = Scene.ofHost()
        let (sent, other) = (scene.packet(), scene.packet())
        let (lane, thread) = (scene.line.guestLane, scene.line.reader)
        // IORING_OP_SEND is 26.
        sent.points[.appSend] = scene.mark(.submit, lane: lane, thread: thread, a: 26)
        scene.queueOwn(sent)
        scene.beginOwn(sent)
        sent.points[.nicXmit] = scene.endOwn(sent)
        scene.mark(.submit, lane: lane, thread: thread)
        scene.queueOwn(other)
        scene.beginOwn(other)
        other.points[.nicXmit] = scene.endOwn(other)
        let found = scene.run()
        #expect(found[sent]?.points == sent.points)
        #expect(found[other]?.points == other.points)
        #expect(found[other]?.isWithoutCall == true)
    }
}
