// Holes in a recording: what touches one is counted as lost, what comes after it is found again, and nothing is made
// up.

import ClockSync
import PacketPath
import Testing

@Suite struct LossTests {
    @Test
    func `packets in flight when the host loses events are lost-events, and later ones are whole after the next proof`()
    {
        var scene = Scene()
        let before = scene.packets(2)
        let torn = scene.packets(2)
        let after = scene.packets(2)
        scene.receive(before)
        scene.receive(torn)
        scene.receive(after)
        // The copy of the second one is missing.
        let copy = torn[1].points[.vhostCopy]!
        scene.lose(lane: 1, copy..<copy + 1)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcomes(torn) == [.lostEvents, .lostEvents])
        #expect(found.journeys.count == 6)
    }

    @Test
    func
        `packets in flight when the guest loses events are lost-events, and later ones are whole after the next proof`()
    {
        var scene = Scene()
        let before = scene.packets(2)
        let torn = scene.packets(2)
        let after = scene.packets(2)
        scene.receive(before)
        scene.receive(torn)
        scene.receive(after)
        let ingress = torn[1].points[.guestIngress]!
        scene.lose(lane: 2, ingress..<ingress + 1)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcomes(torn) == [.lostEvents, .lostEvents])
        #expect(found.journeys.count == 6)
    }

    @Test(arguments: [Point.guestEgress, .hostIngress])
    func `sent packets that touch a hole are lost-events, wherever it is`(point: Point) {
        var scene = Scene()
        let before = scene.packets(2)
        let torn = scene.packets(2)
        let after = scene.packets(2)
        scene.transmit(before)
        scene.transmit(torn)
        scene.transmit(after)
        let time = torn[1].points[point]!
        scene.lose(lane: point == .guestEgress ? 2 : 1, time..<time + 1)
        let found = scene.run()
        #expect(found.isWhole(before + after))
        #expect(found.outcome(torn[0]) == .lostEvents)
        #expect(found.outcome(torn[1]) == .lostEvents)
        #expect(found.journeys.count == 6)
    }

    @Test func `a packet whose arrival is lost is not one the host sent itself`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.receive([packets[0]])
        scene.receive([packets[1]])
        scene.receive([packets[2]])
        // From the interrupt to netif_receive_skb; the transmission on the tap is there again.
        scene.lose(lane: 0, packets[1].points[.nicIRQ]!..<packets[1].points[.hostEgress]!)
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .lostEvents, .complete])
    }

    @Test func `a packet whose system call is lost is not one the kernel sent itself`() {
        var scene = Scene()
        let packets = scene.packets(3)
        for packet in packets { scene.transmit([packet]) }
        scene.lose(lane: 2, packets[1].points[.guestSend]!..<packets[1].points[.guestEgress]!)
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .lostEvents, .complete])
    }

    @Test func `a hole while nothing is under way loses nothing`() {
        var scene = Scene()
        let before = scene.plainRound()
        let quiet = scene.now
        // Timer ticks of an idle host, all lost but the last.
        for _ in 0..<20 { scene.otherInterrupt(lane: 1) }
        scene.lose(lane: 1, quiet..<scene.now - 20)
        let after = scene.plainRound()
        let last = scene.plainRound()
        let found = scene.run()
        #expect(found.isWhole(before.receive + before.transmit))
        #expect(found.isWhole(last.receive + last.transmit))
        #expect(found.outcomes(after.receive + after.transmit) == [.complete, .complete])
        #expect(found.journeys.count == 6)
    }

    @Test func `a hole that is still open at the end loses only what was under way`() {
        var scene = Scene()
        let rounds = [scene.plainRound(), scene.plainRound()]
        scene.lose(lane: 1, rounds[1].receive[0].points[.vhostCopy]!..<scene.now)
        let found = scene.run()
        #expect(found.isWhole(rounds[0].receive + rounds[0].transmit))
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.complete) == 2)
        #expect(found.journeys.count == 4)
    }

    @Test func `events lost before the first one are no different from a recording that begins late`() {
        var scene = Scene()
        let rounds = [scene.plainRound(), scene.plainRound(), scene.plainRound()]
        scene.lose(lane: 1, 0..<rounds[1].receive[0].points[.vhostCopy]!)
        let found = scene.run()
        #expect(found.isWhole(rounds[2].receive + rounds[2].transmit))
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.complete) <= 4)
    }

    @Test func `what a thread did before a hole says nothing of what it does after it`() {
        var scene = Scene()
        let rounds = [scene.plainRound(), scene.plainRound()]
        // The worker and the vCPU are seen running; that they sleep again is lost.
        scene.vhostRuns()
        scene.vcpuRuns()
        scene.vcpuEnters()
        let begin = scene.now
        scene.vhostSleeps()
        scene.vcpuHalts()
        let end = scene.now
        for lane in 0...1 { scene.otherInterrupt(lane: lane) }
        let round = scene.plainRound()
        for lane in 0...1 { scene.lose(lane: lane, begin..<end) }
        let found = scene.run()
        #expect(found.isWhole(rounds.flatMap { $0.receive + $0.transmit }))
        let journey = found[round.receive[0]]
        #expect(journey?.outcome == .complete)
        #expect(journey?.points[.vhostRun] == round.receive[0].points[.vhostRun])
        // Whether the vCPU slept or was preempted is not known.
        #expect(journey?.delivery == .unknown)
        #expect(found[round.transmit[0]]?.points == round.transmit[0].points)
    }

    @Test(arguments: [0, 1])
    func `a packet that passes a machine while any of its CPUs has a hole may lack events`(machine: Int) {
        var scene = Scene(hostCPUs: 3, guestCPUs: [2], line: Line(guestLane: 3))
        let rounds = [scene.plainRound(), scene.plainRound(), scene.plainRound(), scene.plainRound()]
        // A CPU that has nothing to do with packets, neither in the host nor in the guest.
        let lane = machine == 0 ? 2 : 4
        for round in rounds {
            for time in [round.times.lowerBound, round.times.upperBound - 1] {
                scene.now = time
                scene.otherInterrupt(lane: lane)
            }
        }
        scene.lose(lane: lane, rounds[1].times.lowerBound + 50..<rounds[1].times.upperBound - 50)
        let found = scene.run()
        #expect(found.isWhole([rounds[0], rounds[3]].flatMap { $0.receive + $0.transmit }))
        #expect(found.outcomes(rounds[2].receive + rounds[2].transmit) == [.complete, .complete])
        #expect(found.outcome(rounds[1].receive[0]) == .lostEvents)
        #expect(found.outcome(rounds[1].transmit[0]) == .lostEvents)
    }

    @Test(arguments: [false, true])
    func `a packet that came to the tap and left it inside one hole of the worker's CPU is counted once`(reusing: Bool)
    {
        var scene = Scene()
        let before = scene.plainRound()
        // Its address may be another packet's while the hole lasts, though no event has freed it.
        let torn = (0..<3).map { _ in scene.packet(host: reusing ? 0xffff_8881_0320_7500 : nil) }
        let begin = scene.now
        scene.vhostRuns()
        for packet in torn {
            scene.bringIn([packet], waking: false)
            scene.vhostCopies(packet)
        }
        scene.vhostSignals()
        scene.vhostSleeps()
        let end = scene.now
        scene.otherInterrupt(lane: 1)
        scene.vcpuRuns()
        scene.vcpuEnters(injecting: scene.line.vector)
        scene.guestInterrupt()
        scene.guestPolls(torn)
        scene.readAll(torn)
        scene.vcpuHalts()
        let after = [scene.plainRound(), scene.plainRound()]
        scene.lose(lane: 1, begin..<end)
        let found = scene.run()
        #expect(found.isWhole(before.receive + before.transmit + after[1].receive + after[1].transmit))
        #expect(found.seen(.receive) == 6)
        #expect(found.count(.lostEvents) == 3)
    }

    @Test func `a packet whose way to the tap is lost has its place in the order all the same`() {
        var scene = Scene()
        let before = scene.plainRound()
        let packets = scene.packets(3)
        scene.prepare(.inGuest)
        scene.vhostRuns()
        scene.bringIn([packets[0]], waking: false)
        scene.otherInterrupt(lane: 0)
        let begin = scene.now
        scene.bringIn([packets[1]], waking: false)
        let end = scene.now
        scene.otherInterrupt(lane: 0)
        scene.vhostCopies(packets[0])
        scene.vhostSignals()
        // Copied, and not on the ring yet when the guest finds it empty: the host's copy is all there is to tell.
        scene.vhostCopies(packets[1])
        scene.guestInterrupt()
        scene.guestPolls([packets[0]])
        scene.bringIn([packets[2]], waking: false)
        scene.vhostCopies(packets[2])
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.guestInterrupt()
        scene.guestPolls([packets[1], packets[2]], waking: false)
        scene.readAll(packets)
        scene.vcpuHalts()
        let after = scene.plainRound()
        scene.lose(lane: 0, begin..<end)
        let found = scene.run()
        #expect(found.isWhole(before.receive + before.transmit + after.receive + after.transmit))
        #expect(found.outcomes(Array(packets[..<2])) == [.lostEvents, .lostEvents])
        // Whether or not the order is known again so soon, the last one is one packet.
        #expect(found[packets[2]] != nil)
        #expect(found.seen(.receive) == 5)
    }

    @Test func `what guest events say after a hole is not held against windows from before it`() {
        var scene = Scene()
        let rounds = [scene.plainRound(), scene.plainRound(), scene.plainRound()]
        // All entries and exits of a while.
        scene.lose(lane: 0, rounds[0].transmit[0].points[.kick]!..<rounds[1].transmit[0].points[.kick]!)
        #expect(scene.run().containments[1].outside == 0)
    }

    /// When a packet was under way on a machine.
    private func stay(_ packet: Packet, isHost: Bool) -> ClosedRange<Nanoseconds>? {
        let isReceived = packet.points[.guestRead] != nil
        let first: Nanoseconds?
        let last: Nanoseconds?
        if isReceived {
            first = packet.points[isHost ? .hostIngress : .guestIngress]
            last = packet.points[isHost ? .vhostCopy : .guestRead]
        } else {
            first = packet.points[isHost ? .hostIngress : .guestSend]
            last = packet.points[isHost ? .nicXmit : .guestEgress]
        }
        guard let first, let last else { return nil }
        return first...last
    }

    @Test(arguments: 0..<3)
    func `wherever a hole is, no packet is made of two, all are counted, and later ones are whole`(lane: Int) {
        var original = Scene()
        let rounds = [
            original.plainRound(), original.busyRound(), original.busyRound(), original.plainRound(),
            original.plainRound(),
        ]
        let last = rounds[4].receive + rounds[4].transmit
        let times = original.timesOf(lane: lane)
        var falsehoods: [String] = []
        var miscounts: [String] = []
        var touching: [String] = []
        for begin in times where rounds[1].times.contains(begin) {
            for length: Nanoseconds in [1, 20, 60, 150, 400, 900] {
                let end = begin + length
                guard end < rounds[3].times.lowerBound else { continue }
                var scene = original
                scene.lose(lane: lane, begin..<end)
                let found = scene.run()
                let place = "hole of \(length) at \(begin)"
                falsehoods += found.problems(among: original.packets, whole: last).map { "\(place): \($0)" }
                if found.seen(.receive) != 13 || found.seen(.transmit) != 9 {
                    miscounts.append(
                        "\(place): \(found.seen(.receive)) of 13 received, \(found.seen(.transmit)) of 9 sent")
                }
                let known = (times.last { $0 < begin } ?? begin)...(times.first { $0 >= end } ?? end)
                for packet in original.packets where found.outcome(packet) == .complete {
                    if let stay = stay(packet, isHost: lane < 2), stay.lowerBound < known.upperBound,
                        stay.upperBound > known.lowerBound
                    {
                        touching.append("\(place): \(packet.points)")
                    }
                }
            }
        }
        #expect(falsehoods.isEmpty, "\(falsehoods.count) times, \(falsehoods.first ?? "")")
        #expect(miscounts.isEmpty, "\(miscounts.count) times, \(miscounts.first ?? "")")
        #expect(touching.isEmpty, "complete though they touch it: \(touching.count), \(touching.first ?? "")")
    }
}
