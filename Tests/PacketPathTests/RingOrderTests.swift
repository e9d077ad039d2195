// Order joins the two sides of a virtqueue: what keeps it, what breaks it, and how it is found again.

import PacketPath
import Testing

@Suite struct RingOrderTests {
    @Test func `packets of different lengths keep their places`() {
        var scene = Scene()
        var packets: [Packet] = []
        for length in [60, 1514, 106, 60, 142, 1514] { packets.append(scene.packet(length)) }
        scene.receive(Array(packets[..<3]))
        scene.receive(Array(packets[3...]))
        var sent: [Packet] = []
        for length in [1514, 60, 60, 106] { sent.append(scene.packet(length)) }
        scene.transmit(sent)
        let found = scene.run()
        #expect(found.journeys.count == 10)
        #expect(found.isWhole(packets + sent))
        #expect(packets.map { found[$0]?.length } == [60, 1514, 106, 60, 142, 1514])
    }

    @Test func `a synchronised ring joins a packet before the next proof`() {
        var scene = Scene()
        scene.receive(scene.packets(1))
        // The guest's polls use up their budget, so none of them shows the ring empty until the last.
        let packets = scene.packets(6)
        scene.bringIn(packets)
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets { scene.vhostCopies(packet) }
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        packets.stamp(.guestIRQ, scene.guestInterrupt())
        for index in stride(from: 0, to: 6, by: 2) {
            for packet in packets[index..<index + 2] { scene.guestReceives(packet, waking: packet === packets[0]) }
            scene.pollEnds(scene.line.inputNapi, scene.line.device, work: 2, budget: 2, lane: scene.line.guestLane)
        }
        scene.readAll(packets)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 7)
        for packet in packets {
            // A poll that goes on does so without an interrupt.
            let points = found[packet]?.points ?? Points()
            #expect(packet.matches(points) && packet.agrees(points) && points[.guestRead] == packet.points[.guestRead])
        }
    }

    @Test func `a poll that used up its budget proves nothing`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.bringIn(packets)
        scene.vhostRuns()
        for packet in packets { scene.vhostCopies(packet) }
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.enter([], .asleep)
        scene.guestInterrupt()
        // Two packets are on the ring, the poll may take one: the first one, though it is the last one put that is left
        // over.
        scene.guestReceives(packets[0], waking: false)
        scene.pollEnds(scene.line.inputNapi, scene.line.device, work: 1, budget: 1, lane: scene.line.guestLane)
        scene.guestReceives(packets[1], waking: false)
        scene.guestPollEnds(work: 1)
        scene.readAll(packets)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 2)
        #expect(found.falsehoods(among: packets).isEmpty)
    }

    @Test func `a poll proves nothing while the worker may have copied what it has not put on the ring yet`() {
        var scene = Scene()
        let packets = scene.packets(2)
        scene.prepare(.inGuest)
        scene.bringIn(packets)
        scene.vhostRuns()
        scene.vhostCopies(packets[0])
        scene.vhostSignals()
        // Copied, but the used ring's index comes later.
        scene.vhostCopies(packets[1])
        scene.enter([], .inGuest)
        scene.guestInterrupt()
        scene.guestPolls([packets[0]])
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.guestInterrupt()
        scene.guestPolls([packets[1]], waking: false)
        scene.readAll(packets)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 2)
        #expect(found.falsehoods(among: packets).isEmpty)
    }

    @Test func `a worker that sleeps proves nothing of a packet that is being put on the ring`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.transmit([packets[0]])
        scene.wakeSender()
        scene.vhostRuns()
        packets[1].points[.guestSend] = scene.senderCalls()
        scene.guestQueues(packets[1])
        scene.driverBegins(packets[1])
        // Too late for the worker to see it: the kick comes after it slept.
        scene.vhostSleeps()
        scene.kicks(packets[1])
        scene.driverEnds(packets[1])
        scene.senderReturns()
        packets[1].points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packets[1])
        scene.nicSends(packets[1])
        scene.vhostSleeps()
        scene.restSender()
        scene.transmit([packets[2]])
        let found = scene.run()
        #expect(found.count(.complete) == 3)
        #expect(found.falsehoods(among: packets).isEmpty)
    }

    @Test func `a worker that sleeps need not know of a packet without a notification of its own`() {
        var scene = Scene()
        let packets = scene.packets(4)
        scene.transmit([packets[0]])
        scene.wakeSender()
        scene.vhostRuns()
        // A driver with more to send notifies once, after the last one.
        scene.sends(packets[1], kicking: false)
        scene.vhostSleeps()
        scene.sends(packets[2])
        scene.vhostRuns()
        for packet in packets[1...2] {
            scene.vhostWrites(packet)
            scene.nicSends(packet)
        }
        scene.vhostSleeps()
        scene.restSender()
        scene.transmit([packets[3]])
        let found = scene.run()
        #expect(found.count(.complete) == 4)
        #expect(found.falsehoods(among: packets).isEmpty)
    }

    @Test func `a ring that never runs empty does not hold its packets back for ever`() {
        var scene = Scene()
        scene.receive(scene.packets(1))
        let count = 5000
        scene.prepare(.inGuest)
        scene.nicInterrupt()
        scene.vhostRuns()
        scene.guestInterrupt()
        var packets: [Packet] = []
        for _ in 0..<count {
            let packet = scene.packet()
            packets.append(packet)
            scene.nicReceives(packet)
            scene.tapReceives(packet, waking: false)
            scene.vhostCopies(packet)
            scene.guestReceives(packet, waking: false)
            scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: packet.guestSKB)
        }
        let collector = Collector()
        var tracker = Tracker(threadsOfGuests: scene.threads, lanes: scene.lanes, sink: collector)
        let stream = scene.stream()
        unsafe stream.withUnsafeBufferPointer { unsafe tracker.follow($0) }
        #expect(collector.journeys.count > 900)
        _ = tracker.finish()
        #expect(collector.journeys.count == count + 1)
        #expect(collector.journeys.allSatisfy { $0.outcome == .complete })
    }
}
