// Without vhost-net a VMM's thread serves the tap: QEMU copies a packet from it, looks at its address, and may drop it
// without an event.

import PacketPath
import Testing

@Suite struct FilteredTests {
    private func scene() -> Scene {
        var scene = Scene()
        scene.workers = []
        scene.otherThreads = [scene.line.worker]
        return scene
    }

    /// It is copied, and nothing more happens.
    private func sortOut(_ packet: Packet, in scene: inout Scene) {
        scene.bringIn([packet])
        scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.vhostSleeps()
    }

    @Test func `a packet that is sorted out before the first one is not taken for it`() throws {
        var scene = scene()
        let stranger = scene.packet(70)
        let packets = scene.packets(2)
        sortOut(stranger, in: &scene)
        for packet in packets { scene.receive([packet]) }
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(found.outcome(stranger) == .notRecorded)
        #expect(try #require(found[packets[0]]).path == .qemu)
    }

    @Test func `one that is sorted out between others leaves their order as it was`() {
        var scene = scene()
        let before = scene.packets(2)
        scene.receive(before)
        let stranger = scene.packet(70)
        sortOut(stranger, in: &scene)
        let after = scene.packets(3)
        scene.receive(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcome(stranger) == .notRecorded)
    }

    @Test func `one of the same length could be any of them, and none is complete by chance`() {
        var scene = scene()
        let before = scene.packets(2)
        scene.receive(before)
        sortOut(scene.packet(), in: &scene)
        let doubtful = scene.packets(2)
        scene.receive(doubtful)
        let after = scene.packets(2)
        scene.receive(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.count(.complete) == 4 && found.count(.ambiguous) == 3)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }

    @Test func `vhost sorts nothing out: a packet that does not come is a contradiction`() {
        var scene = Scene()
        let before = scene.packets(2)
        scene.receive(before)
        let missing = scene.packet(70)
        sortOut(missing, in: &scene)
        scene.receive(scene.packets(2))
        let found = scene.run()
        #expect(found.outcome(missing) == .ambiguous)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }

    @Test func `a worker that is woken on its way to sleep has not seen the ring empty`() {
        var scene = Scene()
        let before = scene.packets(2)
        scene.transmit(before)
        let packet = scene.packet()
        scene.wakeSender()
        scene.vhostRuns()
        scene.sends(packet, kicking: true, waking: true)
        scene.vhostSleeps()
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.nicSends(packet)
        scene.vhostSleeps()
        scene.nicFrees(packet)
        scene.restSender()
        #expect(scene.run().outcomes(before + [packet]).allSatisfy { $0 == .complete })
    }

    @Test func `what the worker settles after the guest's last packet does not hide what it had settled before`() {
        var scene = Scene()
        let packets = scene.packets(3)
        let other = scene.packet()
        scene.prepare(.inGuest)
        scene.bringIn([packets[0]])
        scene.vhostRuns()
        scene.vhostCopies(packets[0])
        scene.signal([packets[0]], .inGuest)
        scene.vhostSleeps()
        scene.enter([packets[0]], .inGuest)
        packets[0].points[.guestIRQ] = scene.guestInterrupt()
        scene.guestReceives(packets[0], waking: true)
        // The guest answers from its softirq, and the worker takes that and sleeps, before the poll is over.
        scene.guestQueues(other, thread: 0, .softIRQ)
        scene.driverBegins(other, thread: 0, .softIRQ)
        scene.kicks(other)
        scene.driverEnds(other, thread: 0, .softIRQ)
        scene.vhostRuns()
        scene.vhostWrites(other)
        scene.nicSends(other)
        scene.vhostSleeps()
        scene.guestPollEnds(work: 1)
        scene.readAll([packets[0]])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.outcome(packets[0]) == .complete)
    }
}
