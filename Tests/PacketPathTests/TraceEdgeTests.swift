// A recording begins and ends somewhere: what is on its way then is counted, and joined with nothing it is not.

import PacketPath
import Testing

@Suite struct TraceEdgeTests {
    /// Which machines' recordings are cut at the same time.
    enum Cut: CaseIterable { case host, guest, both }

    private func machines(_ cut: Cut) -> [Int] {
        switch cut {
        case .host: [0]
        case .guest: [1]
        case .both: [0, 1]
        }
    }

    @Test func `packets copied before the host's recording began are the first ones the guest takes`() {
        var scene = Scene()
        let packets = scene.packets(3)
        scene.bringIn(packets)
        packets.stamp(.vhostRun, scene.vhostRuns())
        scene.vhostCopies(packets[0])
        scene.vhostCopies(packets[1])
        let begin = scene.now
        scene.vhostCopies(packets[2])
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        packets.stamp(.guestIRQ, scene.guestInterrupt())
        scene.guestPolls(packets)
        scene.readAll(packets)
        scene.vcpuHalts()
        let later = scene.packets(3)
        scene.receive(later)
        scene.begin(0, at: begin)
        let found = scene.run()
        #expect(found.journeys.count == 6)
        #expect(found.outcomes(packets) == [.traceEdge, .traceEdge, .traceEdge])
        #expect(found.isWhole(later))
    }

    @Test func `packets the guest took before its recording began are the first ones the host put`() {
        var scene = Scene()
        let early = scene.packets(2)
        let later = scene.packets(3)
        scene.receive(early)
        let begin = scene.now
        scene.receive(later)
        scene.begin(1, at: begin)
        let found = scene.run()
        #expect(found.journeys.count == 5)
        #expect(found.outcomes(early) == [.traceEdge, .traceEdge])
        #expect(found.isWhole(later))
    }

    @Test func `packets under way when the recording ends are its edge, not lost`() {
        var scene = Scene()
        let whole = scene.packet()
        scene.receive([whole])
        let (onTap, onRing) = (scene.packet(), scene.packet())
        scene.bringIn([onRing])
        scene.vhostRuns()
        scene.vhostCopies(onRing)
        scene.bringIn([onTap], waking: false)
        let found = scene.run()
        #expect(found.outcomes([whole, onRing, onTap]) == [.complete, .traceEdge, .traceEdge])
        #expect(found.journeys.count == 3)
    }

    @Test func `packets after the end of the guest's recording are its edge`() {
        var scene = Scene()
        let before = scene.plainRound()
        let end = scene.now
        let after = scene.plainRound()
        scene.end(1, at: end)
        let found = scene.run()
        #expect(found.isWhole(before.receive + before.transmit))
        #expect(found.outcomes(after.receive + after.transmit) == [.traceEdge, .traceEdge])
        #expect(found.journeys.count == 4)
    }

    @Test func `packets after the end of the host's recording are its edge`() {
        var scene = Scene()
        let before = scene.plainRound()
        let end = scene.now
        let after = scene.plainRound()
        scene.end(0, at: end)
        let found = scene.run()
        #expect(found.isWhole(before.receive + before.transmit))
        #expect(found.outcomes(after.receive + after.transmit) == [.traceEdge, .traceEdge])
        #expect(found.journeys.count == 4)
    }

    @Test func `a packet that arrived before the recording is not one the host sent itself`() throws {
        var scene = Scene()
        let packet = scene.packet()
        let later = scene.packet()
        scene.receive([packet])
        scene.receive([later])
        // The host's recording begins between arrival and transmission on the tap, inside the poll.
        let begin = try #require(packet.points[.hostEgress])
        scene.begin(0, at: begin)
        let found = scene.run()
        #expect(found.outcome(packet) == .traceEdge)
        #expect(found.isWhole([later]))
    }

    @Test func `a packet that was sent before the recording is not one the kernel sent itself`() throws {
        var scene = Scene()
        let packet = scene.packet()
        let later = scene.packet()
        scene.transmit([packet])
        scene.transmit([later])
        let begin = try #require(packet.points[.guestEgress])
        scene.begin(1, at: begin)
        let found = scene.run()
        #expect(found.outcome(packet) == .traceEdge)
        #expect(found.isWhole([later]))
    }

    @Test func `a call that was entered before the recording sends none of its packets without one`() {
        var scene = Scene()
        let packets = scene.packets(3)
        let later = scene.packet()
        scene.transmit(scene.packets(1))
        scene.wakeSender()
        // sendmmsg: one call, several packets.
        packets.stamp(.guestSend, scene.senderCalls())
        let begin = scene.now
        for packet in packets {
            scene.guestQueues(packet)
            scene.driverBegins(packet)
            if packet === packets[0] { scene.kicks(packet) }
            scene.driverEnds(packet)
        }
        scene.senderReturns()
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets {
            scene.vhostWrites(packet)
            scene.nicSends(packet)
        }
        scene.vhostSleeps()
        scene.restSender()
        scene.transmit([later])
        scene.begin(1, at: begin)
        let found = scene.run()
        #expect(found.outcomes(packets) == [.traceEdge, .traceEdge, .traceEdge])
        #expect(found.isWhole([later]))
    }

    @Test(arguments: Cut.allCases)
    func `wherever a recording begins, no packet is made of two, none is counted twice, and later ones are whole`(
        cut: Cut
    ) {
        var original = Scene()
        let rounds = [
            original.plainRound(), original.busyRound(), original.busyRound(), original.plainRound(),
            original.plainRound(),
        ]
        let last = rounds[4].receive + rounds[4].transmit
        var problems: [String] = []
        var miscounts: [String] = []
        for begin in stride(from: 1000, to: rounds[3].times.lowerBound, by: Int(original.step)) {
            var scene = original
            for machine in machines(cut) { scene.begin(machine, at: begin) }
            // What one machine does not tell the other one does.
            let received = rounds.flatMap(\.receive).count { cut != .both || $0.points[.guestIngress]! >= begin }
            let sent = rounds.flatMap(\.transmit).count { cut != .both || $0.points[.hostIngress]! >= begin }
            let found = scene.run()
            problems += found.problems(among: original.packets, whole: last).map { "begun at \(begin): \($0)" }
            if found.seen(.receive) != received || found.seen(.transmit) != sent {
                miscounts.append(
                    "begun at \(begin): \(found.seen(.receive)) of \(received) received, \(found.seen(.transmit)) of \(sent) sent"
                )
            }
        }
        #expect(problems.isEmpty, "\(problems.count) times, \(problems.first ?? "")")
        #expect(miscounts.isEmpty, "\(miscounts.count) times, \(miscounts.first ?? "")")
    }

    @Test(arguments: Cut.allCases)
    func `wherever a recording ends, no packet is made of two, none is counted twice, and earlier ones are whole`(
        cut: Cut
    ) {
        var original = Scene()
        let rounds = [
            original.plainRound(), original.plainRound(), original.busyRound(), original.busyRound(),
            original.plainRound(),
        ]
        let first = rounds[0].receive + rounds[0].transmit
        var problems: [String] = []
        var miscounts: [String] = []
        for end in stride(from: rounds[1].times.upperBound, to: original.now, by: Int(original.step)) {
            var scene = original
            for machine in machines(cut) { scene.end(machine, at: end) }
            let received = rounds.flatMap(\.receive).count { cut != .both || $0.points[.hostEgress]! < end }
            let sent = rounds.flatMap(\.transmit).count { cut != .both || $0.points[.guestEgress]! < end }
            let found = scene.run()
            problems += found.problems(among: original.packets, whole: first).map { "ended at \(end): \($0)" }
            if found.seen(.receive) != received || found.seen(.transmit) != sent {
                miscounts.append(
                    "ended at \(end): \(found.seen(.receive)) of \(received) received, \(found.seen(.transmit)) of \(sent) sent"
                )
            }
        }
        #expect(problems.isEmpty, "\(problems.count) times, \(problems.first ?? "")")
        #expect(miscounts.isEmpty, "\(miscounts.count) times, \(miscounts.first ?? "")")
    }
}
