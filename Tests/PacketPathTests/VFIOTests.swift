// A NIC that is the guest's own: whose interrupt on the host is whose in the guest, and what can't be told of it.

import ClockSync
import PacketPath
import Testing

@Suite struct VFIOTests {
    @Test(arguments: [Scene.VCPUState.asleep, .preempted, .polling(.halt)])
    func `one interrupt brings one packet, from the host's handler to the reader`(state: Scene.VCPUState) throws {
        var scene = Scene.passedThrough()
        let packets = scene.packets(4)
        for packet in packets {
            // Some time after its last poll, so that this interrupt can't be for what that took.
            scene.now += 10_000
            scene.receiveDirectly([packet], vcpu: state)
        }
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(found.journeys.count == 4)
        #expect(found.unclaimed.isEmpty)
        let journey = try #require(found[packets[3]])
        #expect(journey.path == .vfio && journey.device == scene.line.device && journey.hostDevice == 0)
        #expect(journey.times.has(.nicIRQ) && journey.times.has(.irqInject) && journey.times.has(.vcpuEntry))
    }

    @Test func `delivery says what the vCPU did`() throws {
        for (state, delivery) in [
            (Scene.VCPUState.asleep, Delivery.woken), (.preempted, .preempted), (.inGuest, .kick),
        ] {
            var scene = Scene.passedThrough()
            let packets = scene.packets(3)
            for packet in packets {
                scene.now += 10_000
                scene.receiveDirectly([packet], vcpu: state)
            }
            #expect(scene.run()[packets[2]]?.delivery == delivery)
        }
    }

    @Test func `a sent packet ends with the guest's driver`() throws {
        var scene = Scene.passedThrough()
        let before = scene.packets(2)
        let received = scene.packets(3)
        let after = scene.packets(2)
        scene.transmitDirectly(before)
        for packet in received { scene.receiveDirectly([packet]) }
        scene.transmitDirectly(after)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found[before[0]]?.path == .vfio)
        #expect(found.count(.complete) == 7)
    }

    @Test func `packets that share an interrupt are seen from their ingress on, all but the first`() {
        var scene = Scene.passedThrough()
        let batches = (0..<3).map { _ in scene.packets(3) }
        for batch in batches { scene.receiveDirectly(batch) }
        let found = scene.run()
        #expect(found.isWhole(batches.flatMap(\.self)))
        for batch in batches.dropFirst() {
            #expect(found[batch[0]]?.delivery == .woken)
            #expect(
                batch.dropFirst().allSatisfy {
                    found[$0]?.delivery == .coalesced && found[$0]?.points[.guestIRQ] == nil
                })
        }
    }

    @Test func `an interrupt that follows a poll at once is not believed to be the next packet's`() throws {
        var scene = Scene.passedThrough()
        let before = scene.packets(3)
        let last = scene.packet()
        for packet in before { scene.receiveDirectly([packet]) }
        // The guest goes on, and the device interrupts for what has been polled already.
        scene.vcpuRuns()
        scene.vcpuEnters()
        scene.guestPollEnds(work: 0)
        scene.deviceInterrupts(waking: false)
        scene.now += 100_000
        scene.vcpuExits(.interrupt)
        scene.vcpuEnters(injecting: scene.line.vector)
        scene.guestInterrupt()
        scene.guestPolls([last])
        scene.readAll([last])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[last])
        #expect(journey.outcome == .complete && journey.delivery == .coalesced)
        #expect(journey.points == last.points)
    }

    @Test func `a packet that is taken while the guest polls has no interrupt`() throws {
        var scene = Scene.passedThrough()
        let before = scene.packets(3)
        let polled = scene.packet()
        for packet in before { scene.receiveDirectly([packet]) }
        scene.vcpuRuns()
        scene.vcpuEnters()
        scene.guestPolls([polled])
        scene.readAll([polled])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found[polled]?.delivery == .suppressed)
        #expect(found[polled]?.points == polled.points)
    }

    @Test func `where the host has no part in it, the device is the guest's own by elimination`() throws {
        var scene = Scene.passedThrough()
        let packets = scene.packets(3)
        let sent = scene.packets(1)
        // The host takes interrupts of its own.
        scene.otherInterrupt(lane: 0)
        for packet in packets { scene.receivePosted([packet]) }
        scene.transmitDirectly(sent)
        let found = scene.run()
        #expect(found.isWhole(packets + sent))
        #expect(found[packets[0]]?.path == .vfio && found[packets[0]]?.delivery == .posted)
        #expect(found.unclaimed.isEmpty)
    }

    @Test func `without the host's interrupts it can't be told how the guest's came`() throws {
        var scene = Scene.passedThrough()
        let packets = scene.packets(2)
        for packet in packets { scene.receivePosted([packet]) }
        let journey = try #require(scene.run()[packets[1]])
        #expect(journey.path == .vfio && journey.delivery == .unknown)
    }

    @Test func `a long recording loses none of the packets that came before it was known whose they are`() {
        var scene = Scene.passedThrough()
        scene.otherInterrupt(lane: 0)
        for _ in 0..<5000 { scene.receivePosted([scene.packet()]) }
        let found = scene.run()
        #expect(found.count(.complete) == 5000)
        #expect(found.unclaimed.isEmpty)
    }

    @Test(arguments: ["virtio0-input.0", "virtio1", ""])
    func `a virtio device without a queue on the host stays unclaimed`(name: String) {
        var scene = Scene.passedThrough()
        scene.line.inputName = name
        scene.otherInterrupt(lane: 0)
        for _ in 0..<3 { scene.receivePosted([scene.packet()]) }
        let found = scene.run()
        #expect(found.journeys.isEmpty)
        #expect(found.unclaimed.map(\.count) == [3])
    }

    @Test func `a NIC that QEMU emulates may have a queue on the host, and is left alone`() {
        var scene = Scene.passedThrough()
        scene.workers = []
        let other = scene.packet()
        scene.otherInterrupt(lane: 0)
        scene.bringIn([other])
        scene.vhostRuns()
        scene.vhostCopies(other)
        scene.vhostSleeps()
        for _ in 0..<3 { scene.receivePosted([scene.packet()]) }
        #expect(scene.run().journeys.allSatisfy { $0.path != .vfio })
    }

    @Test func `a virtio device beside it keeps its tap`() throws {
        var scene = Scene()
        var own = Line.secondDevice
        own.inputName = "eth1-rx-0"
        own.nicIRQ = 36
        let virtio = scene.line
        var (tapped, passed): ([Packet], [Packet]) = ([], [])
        for _ in 0..<4 {
            scene.line = virtio
            let round = scene.plainRound()
            tapped += round.receive + round.transmit
            scene.line = own
            let packet = scene.packet()
            scene.now += 10_000
            scene.receiveDirectly([packet])
            passed.append(packet)
        }
        let found = scene.run()
        #expect(found.isWhole(tapped + passed))
        #expect(tapped.allSatisfy { found[$0]?.path == .tap })
        #expect(passed.allSatisfy { found[$0]?.path == .vfio })
    }

    @Test func `after a hole of the host's the first interrupt may be another packet's`() {
        var scene = Scene.passedThrough()
        let packets = scene.packets(8)
        for packet in packets { scene.receiveDirectly([packet]) }
        let time = packets[4].points[.nicIRQ]!
        scene.lose(lane: 1, time..<time + 30)
        let found = scene.run()
        // The hole begins with the last event before it, which is the interrupt of the packet before.
        #expect(found.outcomes(Array(packets[3...4])) == [.lostEvents, .lostEvents])
        #expect(found.isWhole(Array(packets[..<3] + packets[5...])))
        #expect(found.journeys.count == 8)
        #expect(found.misattributions(among: packets).isEmpty)
    }

    @Test func `packets in the guest's hands when it loses events are lost-events`() {
        var scene = Scene.passedThrough()
        let packets = scene.packets(8)
        let sent = scene.packets(2)
        for packet in packets { scene.receiveDirectly([packet]) }
        scene.transmitDirectly(sent)
        let time = packets[4].points[.guestWake]!
        scene.lose(lane: 2, time..<time + 1)
        let found = scene.run()
        #expect(found.outcome(packets[4]) == .lostEvents)
        #expect(found.isWhole(Array(packets[..<4] + packets[6...]) + sent))
        #expect(found.misattributions(among: packets + sent).isEmpty)
    }

    @Test func `a hole of the host's does not touch what the guest sent`() {
        var scene = Scene.passedThrough()
        let received = scene.packets(3)
        let sent = scene.packets(3)
        for packet in received { scene.receiveDirectly([packet]) }
        scene.transmitDirectly(sent)
        let time = sent[1].points[.guestEgress]!
        scene.lose(lane: 1, time..<time + 1)
        #expect(scene.run().isWhole(sent))
    }
}
