// The host for itself: which packets are its own, and where their ways begin and end.

import ClockSync
import PacketPath
import Testing

@Suite struct HostPathTests {
    // MARK: Receive

    @Test(arguments: [false, true])
    func `a packet goes from the interrupt to the application`(copying: Bool) throws {
        var scene = Scene.ofHost()
        let packets = [scene.packets(1), scene.packets(3)]
        for packets in packets { scene.receiveOwn(packets, copying: copying) }
        let found = scene.run()
        for packet in packets.joined() {
            let journey = try #require(found[packet])
            #expect(journey.outcome == .complete)
            #expect(journey.points == packet.points)
            #expect(journey.machine == 0)
            #expect(journey.device == scene.line.nic)
            #expect(journey.path == .host)
            #expect(journey.length == packet.length)
        }
        #expect(found.journeys.count == 4)
    }

    @Test func `an application that is awake is neither woken nor switched to`() {
        var scene = Scene.ofHost()
        scene.readerRuns()
        let packet = scene.packet()
        scene.bringInOwn([packet], waking: false)
        scene.readOwn(packet)
        let found = scene.run()
        #expect(found.outcome(packet) == .complete)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `without napi_gro_receive_entry a packet begins with netif_receive_skb`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        scene.receiveOwn([packet])
        scene.forget(.napiReceive, of: 0)
        packet.points[.hostIngress] = packet.stackReceive
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `what the stack frees is the kernel's, and a drop has its reason`() {
        var scene = Scene.ofHost()
        let packets = scene.packets(2)
        scene.bringInOwn(packets, waking: false)
        scene.mark(.consume, lane: 0, .softIRQ, a: packets[0].hostSKB)
        scene.mark(.drop, lane: 0, .softIRQ, a: packets[1].hostSKB, b: .drop(3))
        let found = scene.run()
        #expect(found.outcomes(packets) == [.kernelConsumed, .dropped])
        #expect(found[packets[1]]?.dropReason == 3)
    }

    @Test func `a bare acknowledgement is the kernel's, and a frame that GRO merged ambiguous`() {
        var scene = Scene.ofHost()
        let (bare, merged) = (scene.packet(66), scene.packet(1066))
        scene.nicReceives(bare)
        scene.mark(.tcpReceive, lane: 0, .softIRQ, a: bare.hostSKB, b: 80)
        merged.points[.hostIngress] = scene.skbMark(
            .napiReceive, merged.hostSKB, scene.line.nic, length: 1052, lane: 0, .softIRQ)
        scene.mark(.groMerged, lane: 0, .softIRQ)
        scene.nicPollEnds(work: 2)
        let found = scene.run()
        #expect(found.outcomes([bare, merged]) == [.kernelConsumed, .ambiguous])
    }

    @Test func `a packet that comes up through a bridge is one packet`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        scene.skbMark(.stackReceive, packet.hostSKB, 20, length: packet.length - 14, lane: 0, .softIRQ)
        packet.points[.appWake] = scene.wake(scene.line.reader, lane: 0, .softIRQ)
        scene.nicPollEnds(work: 1)
        packet.points[.appRun] = scene.readerRuns()
        scene.readOwn(packet)
        let found = scene.run()
        #expect(found.journeys.count == 1)
        #expect(found[packet]?.points == packet.points)
        #expect(found[packet]?.device == scene.line.nic)
    }

    // MARK: Somebody else's

    @Test(arguments: [false, true])
    func `a packet that goes on to another device is not the host's`(queueing: Bool) {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        scene.nicInterrupt()
        scene.nicReceives(packet)
        if queueing {
            scene.skbMark(.netQueue, packet.hostSKB, scene.line.tap, length: packet.length, lane: 0, .softIRQ)
        }
        scene.tapReceives(packet, waking: true)
        scene.nicPollEnds(work: 1)
        scene.vhostRuns()
        scene.vhostCopies(packet)
        #expect(scene.run().journeys.isEmpty)
    }

    @Test func `what a vhost worker sends and takes is its guest's`() {
        var scene = Scene.ofHost()
        let (fromTap, fromMacvtap, toMacvtap) = (scene.packet(), scene.packet(), scene.packet())
        scene.vhostWrites(fromTap)
        scene.skbMark(
            .netQueue, fromTap.hostSKB, scene.line.nic, length: 106, lane: 1, thread: scene.line.worker, .thread)
        scene.nicSends(fromTap)
        scene.skbMark(
            .netQueue, fromMacvtap.hostSKB, scene.line.tap, length: 106, lane: 1, thread: scene.line.worker, .thread)
        scene.macvtapSends(fromMacvtap)
        scene.macvtapReceives(toMacvtap, waking: true)
        scene.vhostCopies(toMacvtap)
        #expect(scene.run().journeys.isEmpty)
    }

    @Test func `what threads say to each other over lo is nobody's`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        scene.readerRuns()
        scene.queueOwn(packet, Scene.loopback)
        scene.beginOwn(packet, Scene.loopback)
        scene.endOwn(packet, Scene.loopback)
        scene.skbMark(.stackReceive, packet.hostSKB, Scene.loopback, length: 92, lane: 0, .softIRQ)
        scene.readOwn(packet)
        #expect(scene.run().journeys.isEmpty)
    }

    // MARK: Transmit

    @Test func `a packet goes from the system call to the NIC`() throws {
        var scene = Scene.ofHost()
        scene.readerRuns()
        let packets = scene.packets(2)
        for packet in packets { scene.sendOwn(packet) }
        let found = scene.run()
        for packet in packets {
            let journey = try #require(found[packet])
            #expect(journey.outcome == .complete)
            #expect(journey.points == packet.points)
            #expect(journey.device == scene.line.nic)
        }
        #expect(found.journeys.count == 2)
    }

    @Test func `request and answer at one address are two packets`() {
        var scene = Scene.ofHost()
        let (request, answer) = (scene.packet(), scene.packet())
        answer.hostSKB = request.hostSKB
        scene.bringInOwn([request])
        request.points[.appRun] = scene.readerRuns()
        scene.readOwn(request)
        scene.sendOwn(answer)
        let found = scene.run()
        #expect(found[request]?.points == request.points)
        #expect(found[answer]?.points == answer.points)
    }

    @Test(arguments: [false, true])
    func `of stacked devices the last one is the NIC`(later: Bool) {
        var scene = Scene.ofHost()
        scene.readerRuns()
        let packet = scene.packet()
        packet.points[.appSend] = scene.senderCalls()
        scene.queueOwn(packet, 20)
        scene.beginOwn(packet, 20)
        scene.queueOwn(packet)
        if later { scene.endOwn(packet, 20) }
        scene.beginOwn(packet)
        packet.points[.nicXmit] = scene.endOwn(packet)
        if !later { scene.endOwn(packet, 20) }
        let found = scene.run()
        #expect(found.journeys.count == 1)
        #expect(found[packet]?.points == packet.points)
        #expect(found[packet]?.device == scene.line.nic)
    }

    @Test func `a driver that is busy is tried again, and one that drops says so`() {
        var scene = Scene.ofHost()
        scene.readerRuns()
        let (retried, dropped) = (scene.packet(), scene.packet())
        retried.points[.appSend] = scene.senderCalls()
        scene.queueOwn(retried)
        scene.beginOwn(retried)
        scene.endOwn(retried, rc: 0x10)
        scene.beginOwn(retried)
        retried.points[.nicXmit] = scene.endOwn(retried)
        dropped.points[.appSend] = scene.senderCalls()
        scene.queueOwn(dropped)
        scene.beginOwn(dropped)
        scene.mark(.drop, lane: scene.line.guestLane, thread: scene.line.reader, a: dropped.hostSKB, b: .drop(9))
        scene.endOwn(dropped)
        let found = scene.run()
        #expect(found[retried]?.points == retried.points)
        #expect(found.outcomes([retried, dropped]) == [.complete, .dropped])
    }

    @Test func `the kernel's own packets have no call`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        scene.queueOwn(packet, thread: 0, .softIRQ)
        scene.beginOwn(packet, thread: 0, .softIRQ)
        packet.points[.nicXmit] = scene.endOwn(packet, thread: 0, .softIRQ)
        let found = scene.run()
        #expect(found.outcome(packet) == .complete)
        #expect(found[packet]?.points == packet.points)
    }

    // MARK: Edges and holes

    @Test func `a packet is read after the recording's end, and another was sent by a call before its beginning`() {
        var scene = Scene.ofHost()
        scene.readerRuns()
        let begin = scene.now
        let (sent, unread) = (scene.packet(), scene.packet())
        scene.sendOwn(sent)
        scene.bringInOwn([unread], waking: false)
        scene.begin(0, at: sent.points[.appSend]! + 1)
        let found = scene.run()
        #expect(sent.points[.appSend]! >= begin)
        #expect(found.outcomes([sent, unread]) == [.traceEdge, .traceEdge])
    }

    @Test func `packets that touch a hole are lost events`() {
        var scene = Scene.ofHost()
        let (whole, touched) = (scene.packet(), scene.packet())
        scene.receiveOwn([whole])
        scene.bringInOwn([touched])
        let hole = scene.now
        scene.otherInterrupt(lane: 2)
        scene.readerRuns()
        scene.readOwn(touched)
        scene.lose(lane: 2, hole..<hole + 15)
        let found = scene.run()
        #expect(found.outcomes([whole, touched]) == [.complete, .lostEvents])
    }

    @Test func `guests are followed where there are some, unless the host is asked for`() {
        let followed = [nil, .host, .tap].map { (path: PathKind?) in
            var tracker = Tracker(threadsOfGuests: [[:]], path: path, lanes: [], sink: Collector())
            return tracker.finish().isEmpty && tracker.followsHost
        }
        #expect(followed == [false, true, false])
    }
}
