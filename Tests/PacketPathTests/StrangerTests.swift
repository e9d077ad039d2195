// What is not the guest's: the host's own traffic, other devices' workers, frames that became part of others.

import PacketPath
import Testing

@Suite struct StrangerTests {
    @Test func `the host's own traffic on the NIC makes no journeys`() {
        var scene = Scene()
        for _ in 0..<5 {
            // In: from the NIC to a thread of the host.
            let request = scene.packet()
            scene.nicInterrupt()
            scene.nicReceives(request)
            scene.wake(900, lane: 0, .softIRQ)
            scene.nicPollEnds(work: 1)
            scene.switchTo(900, lane: 1)
            scene.mark(.copy, lane: 1, thread: 900, a: request.hostSKB, b: 64)
            scene.mark(.consume, lane: 1, thread: 900, a: request.hostSKB)
            // Out: straight to the NIC.
            let reply = scene.packet()
            scene.nicSends(reply, thread: 900)
            scene.switchTo(0, from: 900, state: Scene.sleeping, lane: 1)
            scene.nicFrees(reply)
            scene.receive(scene.packets(1))
        }
        let found = scene.run()
        #expect(found.journeys.count == 5)
        #expect(found.count(.complete) == 5)
    }

    /// A packet that two threads of the host exchange over `lo`.
    private func loop(_ scene: inout Scene) {
        let packet = scene.packet()
        scene.skbMark(.startXmit, packet.hostSKB, 20, length: 106, lane: 1, thread: 900, .thread)
        scene.skbMark(.xmitDone, packet.hostSKB, 20, lane: 1, thread: 900, .thread)
        scene.skbMark(.stackReceive, packet.hostSKB, 20, length: 92, lane: 1, thread: 900, .softIRQ)
        scene.switchTo(901, from: 900, state: Scene.sleeping, lane: 1)
        scene.mark(.copy, lane: 1, thread: 901, a: packet.hostSKB, b: 64)
        scene.mark(.consume, lane: 1, thread: 901, a: packet.hostSKB)
        scene.switchTo(0, from: 901, state: Scene.sleeping, lane: 1)
    }

    @Test func `what threads of the host say to each other over lo is no guest's`() {
        var scene = Scene()
        var packets: [Packet] = []
        for _ in 0..<3 {
            loop(&scene)
            packets.append(scene.packet())
            scene.receive([packets.last!])
        }
        let found = scene.run()
        #expect(found.journeys.count == 3)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `lo does not become the guest's tap when the guest's first packet was copied before the recording`() {
        var scene = Scene()
        let early = scene.packet()
        let packets = scene.packets(3)
        scene.prepare(.inGuest)
        scene.bringIn([early])
        scene.vhostRuns()
        scene.vhostCopies(early)
        let begin = scene.now
        loop(&scene)
        scene.vhostSignals()
        scene.vhostSleeps()
        scene.enter([early], .inGuest)
        scene.guestInterrupt()
        scene.guestPolls([early])
        scene.readAll([early])
        scene.vcpuHalts()
        for packet in packets { scene.receive([packet]) }
        scene.begin(0, at: begin)
        scene.begin(1, at: begin)
        let found = scene.run()
        #expect(found.journeys.count == 4)
        #expect(found.outcome(early) == .traceEdge)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `the vsock worker of the same name wakes the vCPU and is woken by it, and changes nothing`() {
        var scene = Scene()
        var packets: [Packet] = []
        func vsock(_ scene: inout Scene) {
            // The guest writes to the vsock device's notification address …
            scene.prepare(.inGuest)
            scene.vcpuExits(.nestedPageFault)
            scene.mark(.doorbell, lane: 0, thread: 181)
            scene.wake(184, lane: 0, thread: 181)
            scene.vcpuEnters()
            scene.vcpuHalts()
            // … and its worker answers.
            scene.switchTo(184, lane: 1)
            scene.mark(.msi, lane: 1, thread: 184, a: 42)
            scene.wake(181, lane: 1, thread: 184)
            scene.switchTo(0, from: 184, state: Scene.sleeping, lane: 1)
            scene.vcpuRuns()
            scene.vcpuEnters(injecting: 42)
            scene.vcpuHalts()
        }
        for _ in 0..<4 {
            vsock(&scene)
            packets += scene.packets(2)
            scene.receive([packets[packets.count - 2]])
            vsock(&scene)
            scene.transmit([packets[packets.count - 1]])
        }
        let found = scene.run()
        #expect(found.journeys.count == packets.count)
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `a vCPU that the vsock worker woke was not woken by the packet`() throws {
        var scene = Scene()
        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        packet.points[.irqInject] = scene.vhostSignals()
        // The other worker's wake-up comes in between, from another CPU; this one's finds the thread woken already.
        scene.wake(181, lane: 0, thread: 184)
        scene.vhostSleeps()
        scene.enter([packet])
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        let journey = try #require(scene.run()[packet])
        #expect(journey.points == packet.points)
    }
}
