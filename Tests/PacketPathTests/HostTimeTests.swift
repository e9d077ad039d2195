// The host's part in the guest's stages: what a vCPU did on the host while its guest had a packet.

import ClockSync
import Findings
import PacketPath
import Testing
import TraceData

@Suite struct HostTimeTests {
    private static let npf = HostReason(exit: 0x400, isa: 2, exceptionClass: 0)
    private static let msr = HostReason(exit: 0x7c, isa: 2, exceptionClass: 0)
    private static let hlt = HostReason(exit: 0x78, isa: 2, exceptionClass: 0)

    /// Time outside the guest in the stage that ends at `point`, by reason; nil when it is not known.
    private func host(_ journey: Journey, _ point: Point) -> [HostReason: Nanoseconds]? {
        guard journey.host.totals[point] != nil else { return nil }
        var times: [HostReason: Nanoseconds] = [:]
        journey.host.forEachReason(point) { times[$0] = $2 }
        return times
    }

    /// Brings a packet to the guest's interrupt.
    private func interrupted(_ scene: inout Scene, _ packet: Packet) {
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        scene.enter([packet])
        packet.points[.guestIRQ] = scene.guestInterrupt()
    }

    @Test func `time between exit and entry is its reason's, and time off the CPU apart from it`() throws {
        var scene = Scene()
        let packet = scene.packet()
        interrupted(&scene, packet)
        let fault = scene.vcpuExits(.nestedPageFault)
        scene.now += 500
        let back = scene.vcpuEnters()
        scene.guestReceives(packet, waking: true)
        let exit = scene.vcpuExits(Scene.Exit(reason: 0x7c, isa: 2))
        scene.now += 70
        let preempted = scene.now
        scene.vcpuIsPreempted()
        scene.now += 1000
        let run = scene.vcpuRuns()
        scene.now += 100
        let entry = scene.vcpuEnters()
        scene.guestPollEnds(work: 1)
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.points == packet.points)
        #expect(host(journey, .guestIngress) == [Self.npf: back - fault])
        #expect(host(journey, .guestWake) == [:])
        #expect(host(journey, .guestRun) == [Self.msr: preempted - exit + (entry - run), .preempted: run - preempted])
        #expect(host(journey, .guestRead) == [:])
        #expect(journey.host.totals[.guestRun] == entry - exit)
    }

    @Test func `a stage that begins while the vCPU is out has only its own part of that time`() throws {
        var scene = Scene()
        let packet = scene.packet()
        interrupted(&scene, packet)
        scene.guestPolls([packet])
        scene.readerRuns()
        // By the map of the clocks the reader runs while its vCPU is out: what the bound of their error allows.
        scene.marks[scene.marks.count - 1].time += 500
        packet.points[.guestRun] = scene.marks[scene.marks.count - 1].time
        scene.vcpuExits(.nestedPageFault)
        scene.now += 1000
        let entry = scene.vcpuEnters()
        scene.reads(packet)
        scene.readerSleeps()
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(host(journey, .guestRead) == [Self.npf: entry - packet.points[.guestRun]!])
    }

    @Test func `a vCPU that loses its CPU before the kvm_exit was in that exit afterwards`() throws {
        var scene = Scene()
        let packet = scene.packet()
        interrupted(&scene, packet)
        let lost = scene.now
        scene.vcpuIsPreempted()
        let run = scene.vcpuRuns()
        let exit = scene.vcpuExits(.nestedPageFault)
        let entry = scene.vcpuEnters()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(host(journey, .guestIngress) == [.preempted: run - lost, Self.npf: exit - run + (entry - exit)])
    }

    @Test func `a history that does not reach back leaves a stage unknown, not zero`() throws {
        var scene = Scene()
        let packet = scene.packet()
        interrupted(&scene, packet)
        scene.guestPolls([packet])
        packet.points[.guestRun] = scene.readerRuns()
        for _ in 0..<300 {
            scene.vcpuExits(.nestedPageFault)
            scene.vcpuEnters()
        }
        scene.reads(packet)
        scene.readerSleeps()
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .complete && journey.points == packet.points)
        #expect(host(journey, .guestIngress) == [:])
        #expect(host(journey, .guestRead) == nil)
        var share = HostShare()
        share.add(journey.host, journey.host.totals, .guestRead, of: 1000)
        #expect(share.count == 0)
    }

    @Test func `what happened in a hole of the host's is unknown`() throws {
        var scene = Scene()
        let packets = scene.packets(3)
        for packet in packets.prefix(1) { scene.receive([packet]) }
        interrupted(&scene, packets[1])
        scene.guestPolls([packets[1]])
        packets[1].points[.guestRun] = scene.readerRuns()
        let exit = scene.vcpuExits(.nestedPageFault)
        scene.vcpuEnters()
        scene.vcpuExits(.nestedPageFault)
        scene.vcpuEnters()
        scene.reads(packets[1])
        scene.readerSleeps()
        scene.vcpuHalts()
        scene.receive([packets[2]])
        scene.lose(lane: 0, exit..<exit + 15)
        let found = scene.run()
        #expect(host(try #require(found[packets[0]]), .guestRead) == [:])
        #expect(host(try #require(found[packets[1]]), .guestRead) == nil)
    }

    @Test func `a sent packet's stage in the guest is the sender's vCPU's`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.transmit(scene.packets(1))
        scene.wakeSender()
        packet.points[.guestSend] = scene.senderCalls()
        let exit = scene.vcpuExits(Scene.Exit(reason: 0x7c, isa: 2))
        scene.now += 300
        let entry = scene.vcpuEnters()
        scene.guestQueues(packet)
        scene.driverBegins(packet)
        scene.kicks(packet)
        scene.driverEnds(packet)
        scene.senderReturns()
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostWrites(packet)
        scene.nicSends(packet)
        scene.vhostSleeps()
        scene.restSender()
        let journey = try #require(scene.run()[packet])
        #expect(journey.points == packet.points)
        #expect(host(journey, .guestEgress) == [Self.msr: entry - exit])
    }

    @Test func `a reader on another vCPU is woken on the host too`() throws {
        var scene = Scene(threads: [[0: 181, 1: 182]], guestCPUs: [2])
        var other = scene.line
        other.vcpu = 182
        other.vcpuNumber = 1
        other.guestLane = 3
        let first = scene.line
        let packet = scene.packet()
        scene.line = other
        scene.rest()
        let halt = scene.marks.last { $0.kind == MarkKind.vmExit.rawValue }!.time
        scene.line = first
        interrupted(&scene, packet)
        scene.guestPolls([packet])
        scene.vcpuHalts()
        scene.line = other
        scene.vcpuRuns()
        let entry = scene.vcpuEnters()
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.points == packet.points)
        #expect(halt < packet.points[.guestWake]!)
        #expect(host(journey, .guestRun) == [Self.hlt: entry - packet.points[.guestWake]!])
        #expect(host(journey, .guestRead) == [:])
    }

    @Test func `more reasons than there is room for are added up under other`() throws {
        var scene = Scene()
        let packet = scene.packet()
        interrupted(&scene, packet)
        scene.guestPolls([packet])
        packet.points[.guestRun] = scene.readerRuns()
        for reason in 0..<20 {
            scene.vcpuExits(Scene.Exit(reason: 0x60 + UInt64(reason), isa: 2))
            scene.vcpuEnters()
        }
        scene.reads(packet)
        scene.readerSleeps()
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        let times = try #require(host(journey, .guestRead))
        #expect(times.count == 13)
        #expect(times[.other] == 8 * scene.step)
        #expect(journey.host.totals[.guestRead] == 20 * scene.step)
    }

    @Test func `who had the CPU of a preempted vCPU, and where a kicked one was, is told`() throws {
        func state(_ vcpu: Scene.VCPUState) throws -> VCPUState {
            var scene = Scene()
            let packet = scene.packet()
            scene.receive([packet], vcpu: vcpu)
            return try #require(scene.run()[packet]).vcpuState
        }
        let preempted = try state(.preempted)
        #expect(preempted.kind == .preempted && preempted.by == 77)
        #expect(try state(.inGuest).kind == .inGuest)
        let out = try state(.polling(.nestedPageFault))
        #expect(out.kind == .inHost && HostReason(code: out.by) == Self.npf)
        #expect(try state(.asleep).kind == .unknown)
    }

    @Test func `a vCPU that has just got its CPU back is still in the exit it had before`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.prepare(.preempted)
        scene.vcpuRuns()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet], .inGuest)
        scene.vhostSleeps()
        scene.enter([packet], .polling(.interrupt))
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.delivery == .kick)
        #expect(journey.vcpuState.kind == .inHost && HostReason(code: journey.vcpuState.by).name == "INTR")
    }
}
