// Which points a sent packet passes, and which of them it may lack.

import PacketPath
import Testing

@Suite struct TransmitTests {
    @Test func `a sent packet passes all eight points, each at its own event's time`() throws {
        var scene = Scene()
        scene.now = 10_000
        let packet = scene.packet()
        scene.transmit([packet])
        let found = scene.run()
        let journey = try #require(found.journeys.first)
        #expect(found.journeys.count == 1)
        #expect(journey.outcome == .complete)
        #expect(
            journey.points == [
                .guestSend: 10_030, .guestEgress: 10_050, .kick: 10_060, .vhostWake: 10_080, .vhostRun: 10_120,
                .hostIngress: 10_130,
                .hostEgress: 10_140, .nicXmit: 10_150,
            ])
        #expect(journey.points == packet.points)
        #expect(journey.direction == .transmit)
        #expect(journey.machine == 1)
        #expect(journey.device == scene.line.device)
        #expect(journey.hostDevice == scene.line.tap)
        #expect(journey.nic == scene.line.nic)
        #expect(journey.length == 106)
    }

    @Test func `a busy worker wants no kick, so there is none, and no wake-up either`() {
        var scene = Scene()
        let packets = scene.packets(3)
        // Whose worker it is has been seen before.
        scene.transmit(scene.packets(1))
        scene.transmit(packets, kicking: false, vhostAwake: true)
        let found = scene.run()
        #expect(found.count(.complete) == 4)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a kick that finds the worker awake wakes nobody`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.transmit(scene.packets(1))
        scene.transmit([packet], vhostAwake: true)
        let found = scene.run()
        #expect(packet.points[.kick] != nil && packet.points[.vhostWake] == nil)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `packets of one burst share the first one's switch, not its kick or wake-up`() {
        var scene = Scene()
        let packets = scene.packets(16)
        scene.transmit(packets)
        let found = scene.run()
        #expect(found.count(.complete) == 16)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test(arguments: [Scene.Context.thread, .softIRQ])
    func `a packet that another thread dequeues was still sent by the one that queued it`(context: Scene.Context) {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        packet.points[.guestSend] = scene.senderCalls()
        scene.guestQueues(packet)
        scene.senderReturns()
        scene.driverBegins(packet, thread: 99, context)
        scene.kicks(packet)
        scene.driverEnds(packet, thread: 99, context)
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.nicSends(packet)
        scene.vhostSleeps()
        scene.restSender()
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `a softirq that interrupts a sender and sends has no system call of its own`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        scene.senderCalls()
        // A TCP acknowledgement from the softirq on top of the thread.
        scene.guestQueues(packet, .softIRQ)
        scene.driverBegins(packet, .softIRQ)
        scene.kicks(packet)
        scene.driverEnds(packet, .softIRQ)
        scene.senderReturns()
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.nicSends(packet)
        scene.vhostSleeps()
        scene.restSender()
        let found = scene.run()
        #expect(found.outcome(packet) == .complete)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `a thread that sends outside a system call has none`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        scene.senderCalls()
        scene.senderReturns()
        scene.guestQueues(packet)
        scene.driverBegins(packet)
        scene.kicks(packet)
        scene.driverEnds(packet)
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.nicSends(packet)
        scene.vhostSleeps()
        scene.restSender()
        #expect(scene.run()[packet]?.points == packet.points)
    }
}
