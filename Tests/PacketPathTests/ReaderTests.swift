// The last stages of a received packet: whom it wakes, when that runs, and what counts as reading.

import PacketPath
import Testing

@Suite struct ReaderTests {
    /// A packet up to the guest's driver, with the reader in whatever state it is.
    private func deliver(_ packet: Packet, in scene: inout Scene, waking: Bool) {
        scene.interruptRunningGuest(with: [packet])
        scene.guestPolls([packet], waking: waking)
    }

    @Test func `a reader that is running needs neither a wake-up nor a switch`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.wakeSender()
        deliver(packet, in: &scene, waking: false)
        scene.reads(packet)
        scene.restSender()
        let found = scene.run()
        #expect(found.outcome(packet) == .complete)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `a reader that something else woke was not woken by the packet`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.prepare(.inGuest)
        // A timer wakes it before the packet comes; it gets its CPU afterwards.
        scene.wake(scene.line.reader, lane: scene.line.guestLane, .hardIRQ)
        deliver(packet, in: &scene, waking: false)
        packet.points[.guestRun] = scene.readerRuns()
        scene.reads(packet)
        scene.restSender()
        let found = scene.run()
        #expect(packet.points[.guestWake] == nil)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `a wake-up that another packet caused is not lent, whether that came before or after`() {
        var scene = Scene()
        let packets = scene.packets(2)
        let (unread, later) = (scene.packet(), scene.packet())
        scene.receive(packets)
        // The reader is awake when the packet comes, sleeps on something else, and the next packet wakes it.
        scene.wakeSender()
        deliver(unread, in: &scene, waking: false)
        scene.readerSleeps()
        deliver(later, in: &scene, waking: true)
        [unread, later].stamp(.guestRun, scene.readerRuns())
        scene.reads(unread)
        scene.reads(later)
        scene.restSender()
        let found = scene.run()
        #expect(packets[1].points[.guestWake] == nil && packets[1].points[.guestRun] != nil)
        #expect(found[packets[1]]?.points == packets[1].points)
        #expect(found[later]?.points == later.points)
        #expect(found[unread]?.times.has(.guestWake) == false)
    }

    @Test func `a read is skb_copy_datagram_iovec where there is one, and consume_skb of the same packet adds nothing`()
    {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.receive(packets, copying: true)
        let found = scene.run()
        #expect(found.journeys.count == 2)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `ARP that the kernel consumes in its softirq has no reader`() {
        var scene = Scene()
        let packet = scene.packet(60)
        scene.prepare(.inGuest)
        scene.bringIn([packet])
        scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.vcpuExits(.interrupt)
        scene.vcpuEnters(injecting: scene.line.vector)
        scene.guestInterrupt()
        scene.guestReceives(packet, waking: false)
        scene.mark(.consume, lane: scene.line.guestLane, .softIRQ, a: packet.guestSKB)
        scene.guestPollEnds(work: 1)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.journeys.count == 1)
        #expect(found.outcome(packet) == .kernelConsumed)
    }

    @Test func `kfree_skb in the guest is a drop with the kernel's reason, whoever calls it`() throws {
        for context in [Scene.Context.softIRQ, .thread] {
            var scene = Scene()
            let packet = scene.packet()
            scene.prepare(.inGuest)
            deliver(packet, in: &scene, waking: false)
            scene.mark(.drop, lane: scene.line.guestLane, context, a: packet.guestSKB, b: .drop(15))
            scene.vcpuHalts()
            let journey = try #require(scene.run()[packet])
            #expect(journey.outcome == .dropped)
            #expect(journey.dropReason == 15)
        }
    }

    @Test(arguments: [(66, Outcome.kernelConsumed), (106, .ambiguous)])
    func
        `an skb whose end no event tells was the kernel's, if it could hold no data, and its address is the next packet's`(
            length: Int, outcome: Outcome
        )
    {
        var scene = Scene()
        let first = scene.packet(length, guest: 0xffff_8880_1e00_4700)
        let second = scene.packet(guest: 0xffff_8880_1e00_4700)
        scene.prepare(.inGuest)
        deliver(first, in: &scene, waking: false)
        deliver(second, in: &scene, waking: true)
        scene.readAll([second])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.journeys.count == 2)
        #expect(found.outcome(first) == outcome)
        #expect(found[second]?.points == second.points)
    }

    @Test func `a packet that waits in its socket while others are read is read later, by the same address`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.receive([packets[0]])
        scene.prepare(.inGuest)
        deliver(packets[1], in: &scene, waking: false)
        deliver(packets[2], in: &scene, waking: false)
        let run = scene.readerRuns()
        [packets[1], packets[2]].stamp(.guestRun, run)
        scene.reads(packets[2])
        scene.reads(packets[1])
        scene.restSender()
        let found = scene.run()
        #expect(found.count(.complete) == 3)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `what a work queue frees nobody has read`() {
        var scene = Scene()
        let worker: Int32 = 46
        scene.queueWorkers = [[], [worker]]
        let before = scene.plainRound()
        let packet = scene.packet(66)
        scene.interruptRunningGuest(with: [packet])
        scene.guestPolls([packet], waking: false)
        scene.mark(.consume, lane: scene.line.guestLane, thread: worker, a: packet.guestSKB)
        scene.vcpuHalts()
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.outcome(packet) == .kernelConsumed)
        #expect(found.isWhole(before.all + after.all))
    }
}
