// How an interrupt reached the guest, told by what its vCPU's thread was doing.

import PacketPath
import Testing

@Suite struct DeliveryTests {
    /// One packet that meets its vCPU in `state`; its journey has to be the packet's, point by point.
    private func journey(_ state: Scene.VCPUState) throws -> Journey {
        var scene = Scene()
        let packet = scene.packet()
        scene.receive([packet], vcpu: state)
        let found = scene.run()
        let journey = try #require(found[packet])
        #expect(journey.outcome == .complete)
        #expect(journey.points == packet.points)
        #expect(found.containments[1].outside == 0)
        return journey
    }

    @Test func `a sleeping vCPU is woken`() throws {
        #expect(try journey(.asleep).delivery == .woken)
    }

    @Test(arguments: [Scene.Exit.halt, .vmxHalt])
    func `a halted vCPU whose thread still polls needs no wake-up`(exit: Scene.Exit) throws {
        let journey = try journey(.polling(exit))
        #expect(journey.delivery == .haltPoll)
        #expect(!journey.times.has(.vcpuWake) && !journey.times.has(.vcpuRun))
    }

    @Test(arguments: [Scene.Exit(reason: 0x78, isa: 1), Scene.Exit(reason: 12, isa: 2)])
    func `one vendor's halt is not the other's`(exit: Scene.Exit) throws {
        #expect(try journey(.polling(exit)).delivery == .kick)
    }

    @Test func `a running vCPU is kicked out and enters again`() throws {
        #expect(try journey(.inGuest).delivery == .kick)
    }

    @Test func `a vCPU that is out for another exit already takes the interrupt along`() throws {
        #expect(try journey(.polling(.nestedPageFault)).delivery == .kick)
    }

    @Test func `a vCPU that is runnable but on no CPU is preempted, not asleep`() throws {
        let journey = try journey(.preempted)
        #expect(journey.delivery == .preempted)
        #expect(journey.times.has(.vcpuRun) && !journey.times.has(.vcpuWake))
    }

    @Test func `a vCPU that another interrupt woke before it got a CPU is preempted as well`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        // A timer was first: this packet's signal wakes nobody.
        scene.wake(scene.line.vcpu, lane: 0, .hardIRQ)
        packet.points[.irqInject] = scene.vhostSignals()
        scene.vhostSleeps()
        scene.enter([packet])
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.delivery == .preempted)
        #expect(journey.points == packet.points)
    }

    @Test func `a wake-up after the vCPU got its CPU by itself is not what brought it there`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.prepare(.preempted)
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        packet.points[.irqInject] = scene.vhostSignals()
        packet.points[.vcpuRun] = scene.vcpuRuns()
        scene.vhostWakesVCPU()
        scene.vhostSleeps()
        packet.points[.vcpuEntry] = scene.vcpuEnters(injecting: scene.line.vector)
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .complete)
        #expect(journey.points == packet.points)
    }

    @Test func `no exit between signal and guest interrupt means posted`() throws {
        let journey = try journey(.posted)
        #expect(journey.delivery == .posted)
        #expect(!journey.times.has(.vcpuEntry))
    }

    @Test func `an entry with another vector does not carry the packet's interrupt`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        packet.points[.vcpuRun] = scene.vcpuRuns()
        // The local timer goes first, with a higher vector.
        scene.vcpuEnters(injecting: 236)
        scene.vcpuExits(.interrupt)
        packet.points[.vcpuEntry] = scene.vcpuEnters(injecting: scene.line.vector)
        scene.vcpuExits(.interrupt)
        scene.vcpuEnters()
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.delivery == .woken)
        #expect(journey.points == packet.points)
    }

    @Test func `a kernel without kvm_inj_virq has the last entry before the guest's interrupt`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.receive([packet])
        scene.forget(.injectVirq, of: 0)
        let found = scene.run()
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `a guest that polls needs no interrupt`() throws {
        var scene = Scene()
        let first = scene.packet()
        let second = scene.packet()
        scene.prepare(.inGuest)
        scene.bringIn([first])
        first.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(first)
        scene.signal([first], .inGuest)
        scene.enter([first], .inGuest)
        first.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestReceives(first, waking: true)
        // While the guest polls, the next one is copied without a signal.
        scene.bringIn([second], waking: false)
        scene.vhostCopies(second)
        scene.vhostSleeps()
        scene.guestReceives(second, waking: false)
        scene.guestPollEnds(work: 2)
        scene.readAll([first, second])
        scene.vcpuHalts()
        let found = scene.run()
        let journey = try #require(found[second])
        #expect(journey.outcome == .complete)
        #expect(journey.delivery == .suppressed)
        #expect(journey.points == second.points)
        #expect(found[first]?.points == first.points)
    }

    @Test func `a batch copied after the interrupt but polled with it does not run backwards`() throws {
        var scene = Scene()
        let first = scene.packets(2)
        let second = scene.packets(2)
        scene.prepare(.inGuest)
        scene.bringIn(first)
        let run = scene.vhostRuns()
        first.stamp(.vhostRun, run)
        for packet in first { scene.vhostCopies(packet) }
        scene.signal(first, .inGuest)
        scene.enter(first, .inGuest)
        first.stamp(.guestIRQ, scene.guestInterrupt())
        // The poll has not begun yet when the next batch is on the ring, signalled for an interrupt that stays masked.
        scene.bringIn(second, waking: false)
        for packet in second { scene.vhostCopies(packet) }
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.guestPolls(first + second)
        scene.readAll(first + second)
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 4)
        for packet in first { #expect(found[packet]?.points == packet.points) }
        for packet in second {
            let journey = try #require(found[packet])
            #expect(!journey.times.has(.guestIRQ), "an interrupt cannot come before its packet")
            #expect(journey.points == packet.points)
            #expect(journey.delivery == .suppressed)
        }
    }
}
