// Which points a received packet passes, and which of them it may lack.

import PacketPath
import Testing

@Suite struct ReceivePointTests {
    @Test func `a packet that finds everything asleep passes all fifteen points, each at its own event's time`() throws
    {
        var scene = Scene()
        scene.now = 10_000
        let packet = scene.packet()
        scene.receive([packet])
        let found = scene.run()
        let journey = try #require(found.journeys.first)
        #expect(found.journeys.count == 1)
        #expect(journey.outcome == .complete)
        #expect(
            journey.points == [
                .nicIRQ: 10_000, .hostIngress: 10_030, .hostEgress: 10_050, .vhostWake: 10_060, .vhostRun: 10_090,
                .vhostCopy: 10_100,
                .irqInject: 10_120, .vcpuWake: 10_130, .vcpuRun: 10_150, .vcpuEntry: 10_170, .guestIRQ: 10_180,
                .guestIngress: 10_210,
                .guestWake: 10_230, .guestRun: 10_250, .guestRead: 10_260,
            ])
        // The builder's own account of a packet is what the other tests compare with.
        #expect(journey.points == packet.points)
    }

    @Test func `a journey names its guest, its devices and its length with the Ethernet header`() throws {
        var scene = Scene()
        let packet = scene.packet(142)
        scene.receive([packet])
        let journey = try #require(scene.run()[packet])
        #expect(journey.machine == 1)
        #expect(journey.direction == .receive)
        #expect(journey.nic == scene.line.nic)
        #expect(journey.hostDevice == scene.line.tap)
        #expect(journey.device == scene.line.device)
        #expect(journey.length == 142)
        #expect(journey.dropReason == 0)
    }

    @Test func `a worker that is awake needs neither a wake-up nor a switch`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.receive([packet], vhostAwake: true)
        let found = scene.run()
        #expect(packet.points[.vhostWake] == nil && packet.points[.vhostRun] == nil)
        #expect(found[packet]?.points == packet.points)
        #expect(found.outcome(packet) == .complete)
    }

    @Test func `a packet is not credited with the wake-up that an earlier one caused, but waits for the same switch`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.receive(packets)
        let found = scene.run()
        #expect(packets[1].points[.vhostWake] == nil && packets[1].points[.vhostRun] != nil)
        #expect(found[packets[0]]?.points == packets[0].points)
        #expect(found[packets[1]]?.points == packets[1].points)
    }

    @Test func `another thread that is woken while the tap gets its packet is not the worker`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.receive([packets[0]])
        // ksoftirqd and a packet's worker, one after the other; then ksoftirqd alone, because the worker is awake.
        for packet in packets[1...] {
            packet.points[.nicIRQ] = scene.nicInterrupt()
            scene.nicReceives(packet)
            packet.points[.hostEgress] = scene.skbMark(
                .startXmit, packet.hostSKB, scene.line.tap, length: packet.length, lane: scene.line.nicLane, .softIRQ)
            scene.wake(14, lane: scene.line.nicLane, .softIRQ)
            if packet === packets[1] {
                packet.points[.vhostWake] = scene.wake(scene.line.worker, lane: scene.line.nicLane, .softIRQ)
            }
            scene.skbMark(.xmitDone, packet.hostSKB, scene.line.tap, lane: scene.line.nicLane, .softIRQ)
            scene.nicPollEnds(work: 1)
        }
        scene.deliver(Array(packets[1...]))
        let found = scene.run()
        #expect(found.isWhole(packets))
    }

    @Test func `sixteen packets share one NIC interrupt, one wake-up, one signal and one guest poll`() {
        var scene = Scene()
        let packets = scene.packets(16)
        scene.receive(packets)
        let found = scene.run()
        #expect(found.journeys.count == 16)
        #expect(found.count(.complete) == 16)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
        #expect(found[packets[0]]?.delivery == .woken)
        #expect(packets.dropFirst().allSatisfy { found[$0]?.delivery == .coalesced })
    }

    @Test func `NAPI that polls on without an interrupt leaves nic.irq absent`() {
        var scene = Scene()
        let first = scene.packet()
        let second = scene.packet()
        scene.receive([first])
        scene.receive([second], interrupting: false)
        let found = scene.run()
        #expect(second.points[.nicIRQ] == nil)
        #expect(found[second]?.points == second.points)
        #expect(found.outcome(second) == .complete)
    }

    @Test func `a poll that goes on after its budget was used up belongs to the first interrupt no more`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.nicInterrupt()
        scene.nicPolls(Array(packets[..<2]))
        // The driver asked to be polled again, nobody interrupted.
        scene.nicPolls(Array(packets[2...]), waking: false)
        scene.vhostRuns()
        for packet in packets { scene.vhostCopies(packet) }
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        scene.guestInterrupt()
        scene.guestPolls(packets)
        scene.readAll(packets)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 3)
        #expect(found[packets[1]]?.points[.nicIRQ] != nil)
        #expect(found[packets[2]]?.points[.nicIRQ] == nil)
    }

    @Test func `ksoftirqd polls for an interrupt as well as the interrupted thread does`() {
        var scene = Scene()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.wake(14, lane: 0, .softIRQ)
        scene.switchTo(14, lane: 0)
        scene.nicPolls([packet], thread: 14)
        scene.switchTo(0, from: 14, state: Scene.sleeping, lane: 0)
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `a packet the host itself sends is complete without the points of a NIC`() throws {
        var scene = Scene()
        let packet = scene.packet()
        // From a thread of the host's, ssh for example, through the bridge to the tap.
        scene.tapReceives(packet, waking: true, thread: 900, .thread)
        scene.deliver([packet])
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .complete)
        #expect(journey.points == packet.points)
        #expect(journey.nic == 0)
    }

    @Test func `a packet that passes the bridge's own device on its way is the tap's, from the tap's transmission on`()
        throws
    {
        var scene = Scene()
        let packet = scene.packet()
        scene.skbMark(
            .startXmit, packet.hostSKB, 30, length: packet.length, lane: scene.line.nicLane, thread: 900, .thread)
        scene.tapReceives(packet, waking: true, thread: 900, .thread)
        scene.skbMark(.xmitDone, packet.hostSKB, 30, lane: scene.line.nicLane, thread: 900, .thread)
        scene.deliver([packet])
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .complete)
        #expect(journey.points == packet.points)
        #expect(journey.hostDevice == scene.line.tap)
    }

    @Test func `nothing outside the entry windows of its vCPU happens in a true scene`() {
        var scene = Scene()
        scene.receive(scene.packets(3))
        scene.transmit(scene.packets(3))
        let found = scene.run()
        #expect(found.containments[1].inside > 20)
        #expect(found.containments[1].outside == 0)
    }
}
