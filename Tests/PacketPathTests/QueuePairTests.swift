// Several queue pairs of one device: each has a worker, an order and a place in the guest of its own.

import ClockSync
import PacketPath
import Testing

@Suite struct QueuePairTests {
    @Test(arguments: [true, false])
    func `packets of two pairs with equal lengths keep to their pair, on one vCPU and on two`(ownCPUs: Bool) {
        var (scene, lines) = Scene.withTwoPairs(ownCPUs: ownCPUs)
        var packets: [[Packet]] = [[], []]
        for index in 0..<8 {
            scene.line = lines[index % 2]
            let round = index < 4 ? scene.plainRound() : scene.busyRound()
            packets[index % 2] += round.receive + round.transmit
        }
        let found = scene.run()
        #expect(found.isWhole(scene.packets))
        #expect(found.journeys.count == scene.packets.count)
        for (pair, packets) in packets.enumerated() {
            #expect(
                packets.allSatisfy {
                    found[$0]?.queue == pair && found[$0]?.hostDevice == lines[0].tap && found[$0]?.path == .tap
                })
        }
    }

    @Test func `a pair with one packet, whose interrupt tells nothing, goes with its device`() throws {
        var (scene, lines) = Scene.withTwoPairs()
        for _ in 0..<3 { _ = scene.plainRound() }
        scene.line = lines[1]
        let packet = scene.packet()
        scene.receive([packet], vcpu: .inGuest)
        scene.line = lines[0]
        _ = scene.plainRound()
        // Nobody was woken for it, and which vector was carried in is not recorded.
        scene.forget(.injectVirq, of: 0)
        let found = scene.run()
        let journey = try #require(found[packet])
        #expect(journey.outcome == .complete && journey.queue == 1 && journey.hostDevice == lines[1].tap)
        #expect(found.unclaimed.isEmpty)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
    }

    /// Packets for both pairs in one poll of the NIC, by turns.
    private func bringInByTurns(_ packets: [[Packet]], _ lines: [Line], in scene: inout Scene) {
        let irq = scene.nicInterrupt()
        for (index, pair) in zip(packets[0], packets[1]).enumerated() {
            for (packet, line) in zip([pair.0, pair.1], lines) {
                scene.line = line
                packet.points[.nicIRQ] = irq
                scene.nicReceives(packet)
                scene.tapReceives(packet, waking: index == 0)
            }
        }
        scene.nicPollEnds(work: packets[0].count * 2)
    }

    @Test(arguments: [true, false])
    func `packets that go by turns over both pairs are in their own pair's place, though both interrupts are pending`(
        proven: Bool
    ) {
        var (scene, lines) = Scene.withTwoPairs()
        if proven {
            for line in lines {
                scene.line = line
                _ = scene.plainRound()
            }
        }
        let packets = [scene.packets(4), scene.packets(4)]
        bringInByTurns(packets, lines, in: &scene)
        for (index, line) in lines.enumerated() {
            scene.line = line
            scene.copyAndSignal(packets[index], waking: index == 0)
        }
        // One after the other, the second pair's first; both are asked for polls before either one is polled.
        scene.line = lines[1]
        let run = scene.vcpuRuns()
        packets[0].stamp(.vcpuRun, run)
        packets[1].stamp(.vcpuRun, run)
        packets[1].stamp(.vcpuEntry, scene.vcpuEnters(injecting: lines[1].vector))
        packets[1].stamp(.guestIRQ, scene.guestInterrupt())
        scene.vcpuExits(.interrupt)
        packets[0].stamp(.vcpuEntry, scene.vcpuEnters(injecting: lines[0].vector))
        scene.line = lines[0]
        packets[0].stamp(.guestIRQ, scene.guestInterrupt())
        scene.line = lines[1]
        scene.guestPolls(packets[1])
        scene.line = lines[0]
        scene.guestPolls(packets[0], waking: false)
        scene.readAll(packets[1] + packets[0])
        scene.vcpuHalts()
        let last = lines.map { line in
            scene.line = line
            return scene.plainRound()
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.misattributions(among: scene.packets).isEmpty)
        for (pair, packets) in packets.enumerated() {
            #expect(packets.allSatisfy { found[$0] == nil || found[$0]?.queue == pair })
            if proven { #expect(packets.allSatisfy { found.outcome($0) == .complete }) }
        }
        for round in last { #expect(found.isWhole(round.receive + round.transmit)) }
    }

    @Test(arguments: [[39, 41], [39, 39]] as [[UInt8]])
    func `pairs that only receive are told apart by vector and by who wakes the vCPU`(vectors: [UInt8]) {
        var (scene, lines) = Scene.withTwoPairs(ownCPUs: true, vectors: vectors)
        var packets: [[Packet]] = [[], []]
        for index in 0..<8 {
            scene.line = lines[index % 2]
            let received = scene.packets(2)
            scene.receive(received)
            packets[index % 2] += received
        }
        let found = scene.run()
        #expect(found.isWhole(scene.packets))
        for (pair, packets) in packets.enumerated() { #expect(packets.allSatisfy { found[$0]?.queue == pair }) }
    }

    @Test func `a pair that only receives beside one that only sends`() {
        var (scene, lines) = Scene.withTwoPairs()
        var (received, sent): ([Packet], [Packet]) = ([], [])
        for _ in 0..<4 {
            let (some, others) = (scene.packets(2), scene.packets(2))
            scene.line = lines[1]
            scene.receive(some)
            scene.line = lines[0]
            scene.transmit(others)
            received += some
            sent += others
        }
        let found = scene.run()
        #expect(found.isWhole(received + sent))
        #expect(received.allSatisfy { found[$0]?.queue == 1 } && sent.allSatisfy { found[$0]?.queue == 0 })
    }

    @Test(arguments: 0..<2)
    func `a packet that vanishes on one pair's ring makes nothing of the other's doubtful`(pair: Int) {
        var (scene, lines) = Scene.withTwoPairs()
        for line in lines {
            scene.line = line
            _ = scene.plainRound()
        }
        let packets = [scene.packets(3), scene.packets(3)]
        for (index, line) in lines.enumerated() {
            scene.line = line
            scene.bringIn(packets[index])
            scene.copyAndSignal(packets[index])
            scene.enter(packets[index])
            packets[index].stamp(.guestIRQ, scene.guestInterrupt())
            let taken = index == pair ? Array(packets[index][1...]) : packets[index]
            scene.guestPolls(taken)
            scene.readAll(taken)
            scene.vcpuHalts()
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(packets[1 - pair]))
        #expect(found.count(.ambiguous) == 3)
        #expect(found.journeys.count == 10)
    }

    @Test(arguments: 0..<40)
    func `one hole anywhere tells no falsehood, counts nothing twice and leaves what does not touch it whole`(
        place: Int
    ) {
        var (scene, lines) = Scene.withTwoPairs(ownCPUs: place % 2 == 0)
        expectOneHole(at: place, in: &scene, of: 2) { scene, count in
            var packets: [Packet] = []
            for index in 0..<2 * count {
                scene.line = lines[index % 2]
                let round = index < 2 ? scene.plainRound() : scene.busyRound()
                packets += round.receive + round.transmit
            }
            return packets
        }
    }

    // MARK: Without vhost-net

    @Test(arguments: [true, false])
    func `where one thread of the VMM serves both pairs, no packet is given to another's place`(sendsOnly: Bool) {
        var (scene, lines) = Scene.withTwoPairs()
        lines[1].worker = lines[0].worker
        scene.workers = []
        scene.otherThreads = [lines[0].worker]
        for index in 0..<8 {
            // By turns, and both at once.
            let packets = lines.map { _ in scene.packets(1 + index % 2) }
            if !sendsOnly {
                for (line, packets) in zip(lines, packets) {
                    scene.line = line
                    scene.receive(scene.packets(1))
                    if index % 3 == 0 { scene.receive(packets) }
                }
            }
            scene.wakeSender()
            for (line, packets) in zip(lines, packets) where index % 3 != 0 || sendsOnly {
                scene.line = line
                for packet in packets { scene.sends(packet, kicking: packet === packets[0], waking: line.pair == 0) }
            }
            scene.vhostRuns()
            for packet in packets.reversed().joined() where index % 3 != 0 || sendsOnly {
                scene.vhostWrites(packet)
                scene.nicSends(packet)
            }
            scene.vhostSleeps()
            scene.restSender()
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) > 0)
    }

    @Test func `a thread of the VMM that serves one pair is the qemu path`() {
        var scene = Scene()
        scene.workers = []
        scene.otherThreads = [scene.line.worker]
        let rounds = (0..<3).map { _ in scene.plainRound() }
        let found = scene.run()
        for round in rounds { #expect(found.isWhole(round.receive + round.transmit)) }
        #expect(found.journeys.allSatisfy { $0.path == .qemu })
    }

    @Test
    func
        `a further thread that is neither named nor known gives the pair several orders, and no packet another's place`()
    {
        var scene = Scene()
        let first = scene.line
        var second = scene.line
        second.worker = 190
        scene.workers = []
        for index in 0..<6 {
            scene.line = index % 2 == 0 ? first : second
            _ = scene.plainRound()
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) > 0)
    }
}
