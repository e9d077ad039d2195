// Who belongs to whom: workers and taps, taps and guest devices, vCPU threads and guest CPUs, told by the events alone.

import PacketPath
import Testing

@Suite struct TopologyTests {
    @Test func `packets of two guests go to the guest they went to`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var rounds: [Scene.Round] = []
        for index in 0..<10 {
            scene.line = lines[index % 2]
            rounds.append(index < 6 ? scene.plainRound() : scene.busyRound())
        }
        let found = scene.run()
        #expect(found.count(.complete) == scene.packets.count)
        for (index, round) in rounds.enumerated() {
            for packet in round.receive + round.transmit {
                #expect(found[packet]?.points == packet.points)
                #expect(found[packet]?.machine == index % 2 + 1)
                #expect(found[packet]?.hostDevice == lines[index % 2].tap)
            }
        }
    }

    @Test func `a copy the bridge floods to another guest is that guest's packet`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        let before = scene.plainRound()
        scene.line = lines[0]
        _ = scene.plainRound()
        let packet = scene.packet()
        let clone = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        scene.line = lines[1]
        scene.tapReceives(clone, waking: true)
        scene.line = lines[0]
        scene.tapReceives(packet, waking: true)
        scene.nicPollEnds(work: 1)
        for (packet, line) in [(packet, lines[0]), (clone, lines[1])] {
            scene.line = line
            packet.points[.vhostRun] = scene.vhostRuns()
            scene.vhostCopies(packet)
            scene.signal([packet])
            scene.vhostSleeps()
            scene.enter([packet])
            packet.points[.guestIRQ] = scene.guestInterrupt()
            if line.tap == lines[0].tap {
                scene.guestPolls([packet])
                scene.readAll([packet])
            } else {
                // Nobody's there: not this guest's address.
                scene.guestReceives(packet, waking: false)
                scene.mark(.drop, lane: 3, .softIRQ, a: packet.guestSKB, b: .drop(2))
                scene.guestPollEnds(work: 1)
            }
            scene.vcpuHalts()
        }
        let found = scene.run()
        #expect(found.isWhole([packet] + before.receive))
        #expect(found.outcome(clone) == .dropped)
        #expect(found[clone]?.machine == 2)
        #expect(found.journeys.count == 6)
    }

    @Test(arguments: [true, false])
    func `a packet from one guest to the other is sent by the one and received by the other, and shifts nobody's order`(
        proven: Bool
    ) {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        if proven { _ = scene.plainRound() }
        scene.line = lines[0]
        _ = scene.plainRound()
        // From NIC to guest 2 …
        let outside = scene.packet()
        scene.line = lines[1]
        scene.bringIn([outside])
        outside.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(outside)
        // … and right behind it one from guest 1: the bridge gives it to the other tap, not to the NIC.
        let sent = scene.packet()
        let received = scene.packet(host: sent.hostSKB)
        scene.line = lines[0]
        scene.wakeSender()
        scene.sends(sent)
        scene.restSender()
        sent.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(sent)
        let egress = scene.skbMark(
            .startXmit, sent.hostSKB, lines[1].tap, length: 106, lane: 1, thread: lines[0].worker, .thread)
        let done = scene.skbMark(.xmitDone, sent.hostSKB, lines[1].tap, lane: 1, thread: lines[0].worker, .thread)
        (sent.points[.hostEgress], sent.points[.nicXmit]) = (egress, done)
        received.points[.hostEgress] = egress
        scene.vhostSleeps()
        scene.line = lines[1]
        scene.vhostCopies(received)
        scene.signal([outside, received])
        scene.vhostSleeps()
        scene.enter([outside, received])
        [outside, received].stamp(.guestIRQ, scene.guestInterrupt())
        scene.guestPolls([outside, received])
        scene.readAll([outside, received])
        scene.vcpuHalts()
        let after = scene.plainRound()
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(after.receive + after.transmit))
        #expect(found.outcome(outside) == .complete)
        #expect(found.journeys.count { $0.machine == 2 && $0.direction == .receive } == (proven ? 4 : 3))
    }

    @Test func `two devices of one guest with two taps are told apart by who wakes the vCPU`() {
        var scene = Scene()
        let lines = [scene.line, .secondDevice]
        // Both workers have copied when the first interrupt comes: it is the second one's.
        let packets = scene.packets(2)
        scene.bringIn([packets[0]])
        packets[0].points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packets[0])
        scene.line = lines[1]
        scene.bringIn([packets[1]])
        packets[1].points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packets[1])
        scene.signal([packets[1]])
        scene.vhostSleeps()
        scene.enter([packets[1]])
        packets[1].points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packets[1]])
        scene.readAll([packets[1]])
        scene.line = lines[0]
        scene.signal([packets[0]], .inGuest)
        scene.vhostSleeps()
        scene.enter([packets[0]], .inGuest)
        packets[0].points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packets[0]])
        scene.readAll([packets[0]])
        scene.vcpuHalts()
        var rounds: [Scene.Round] = []
        for index in 0..<6 {
            scene.line = lines[index % 2]
            rounds.append(scene.plainRound())
        }
        let found = scene.run()
        #expect(found.isWhole(scene.packets))
        #expect(found.journeys.count == 14)
        for (index, round) in rounds.enumerated() {
            #expect(found[round.receive[0]]?.device == lines[index % 2].device)
            #expect(found[round.receive[0]]?.hostDevice == lines[index % 2].tap)
            #expect(found[round.transmit[0]]?.device == lines[index % 2].device)
        }
    }

    @Test func `two devices whose interrupts have the same vector, on two vCPUs, are told apart by who wakes whom`() {
        var scene = Scene(threads: [[0: 181, 1: 182]], guestCPUs: [2])
        var other = Line.secondDevice
        other.vcpu = 182
        other.vcpuNumber = 1
        other.vcpuLane = 1
        other.reader = 99
        other.guestLane = 3
        other.vector = scene.line.vector
        let lines = [scene.line, other]
        scene.line = other
        scene.rest()
        let packets = scene.packets(2)
        // Both interrupts are signalled before either one arrives.
        for (packet, line) in zip(packets, lines) {
            scene.line = line
            scene.bringIn([packet])
            packet.points[.vhostRun] = scene.vhostRuns()
            scene.vhostCopies(packet)
            scene.signal([packet])
            scene.vhostSleeps()
        }
        for (packet, line) in zip(packets, lines).reversed() {
            scene.line = line
            scene.enter([packet])
            packet.points[.guestIRQ] = scene.guestInterrupt()
            scene.guestPolls([packet])
            scene.readAll([packet])
            scene.vcpuHalts()
        }
        var rounds: [Scene.Round] = []
        for index in 0..<6 {
            scene.line = lines[index % 2]
            rounds.append(scene.plainRound())
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(scene.packets))
        for (index, round) in rounds.enumerated() {
            #expect(found[round.receive[0]]?.device == lines[index % 2].device)
        }
    }

    @Test func `the only tap that has copied is not the one of a device whose packet was copied before the recording`()
    {
        var scene = Scene()
        let lines = [scene.line, .secondDevice]
        let (early, first) = (scene.packet(), scene.packet())
        scene.prepare(.inGuest)
        scene.line = lines[1]
        scene.bringIn([early])
        scene.vhostRuns()
        scene.vhostCopies(early)
        let begin = scene.now
        scene.line = lines[0]
        scene.bringIn([first])
        first.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(first)
        // The other device's interrupt is first.
        scene.line = lines[1]
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.enter([], .inGuest)
        scene.guestInterrupt()
        scene.guestPolls([early])
        scene.line = lines[0]
        scene.signal([first], .inGuest)
        scene.vhostSleeps()
        scene.enter([first], .inGuest)
        first.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([first], waking: false)
        scene.readAll([early, first])
        scene.vcpuHalts()
        var rounds: [Scene.Round] = []
        for index in 0..<6 {
            scene.line = lines[index % 2]
            rounds.append(scene.plainRound())
        }
        scene.begin(0, at: begin)
        scene.begin(1, at: begin)
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        for (index, round) in rounds.enumerated() {
            #expect(found[round.receive[0]]?.device == lines[index % 2].device)
        }
    }

    @Test func `a guest whose host side was not recorded has unclaimed packets, and no journeys`() {
        var scene = Scene()
        scene.receive(scene.packets(3))
        scene.transmit(scene.packets(2))
        for kind in [MarkKind.copy, .stackReceive] { scene.forget(kind, of: 0) }
        let found = scene.run()
        #expect(found.journeys.isEmpty)
        #expect(found.unclaimed.map(\.count) == [5])
        #expect(found.unclaimed.map(\.machine) == [1])
        #expect(found.unclaimed.map(\.device) == [scene.line.device])
    }
}
