// Whose interrupt brought a packet in, where several interrupts wait for their polls.

import PacketPath
import Testing

@Suite struct InterruptTests {
    @Test(arguments: [false, true])
    func `of two NICs whose interrupts are pending together each packet has its own`(reversed: Bool) {
        var scene = Scene()
        let one = scene.line
        let two = Line.secondNIC
        // Each interrupt has been seen alone before.
        for line in [one, two] {
            scene.line = line
            scene.receive(scene.packets(1))
        }
        let packets = scene.packets(2)
        for (packet, line) in zip(packets, [one, two]) {
            scene.line = line
            packet.points[.nicIRQ] = scene.nicInterrupt()
        }
        for (index, (packet, line)) in Array(zip(packets, [one, two])).enumerated().sorted(by: {
            ($0.offset < $1.offset) != reversed
        }) {
            scene.line = line
            scene.nicPolls([packet], waking: (index == 0) != reversed)
        }
        scene.line = one
        scene.deliver(reversed ? packets.reversed() : packets)
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
        #expect(packets.map { found[$0]?.nic } == [1, 11])
    }

    @Test func `interrupts that nothing is known of yet are left out when two are pending, not guessed`() {
        var scene = Scene()
        let one = scene.line
        let packet = scene.packet()
        scene.line = .secondNIC
        scene.nicInterrupt()
        scene.line = one
        let own = scene.nicInterrupt()
        scene.line = .secondNIC
        scene.nicPollEnds(work: 0)
        scene.line = one
        scene.nicPolls([packet])
        scene.deliver([packet])
        let found = scene.run()
        #expect(found.outcome(packet) == .complete)
        let irq = found[packet]?.points[.nicIRQ]
        #expect(irq == nil || irq == own)
    }

    @Test(arguments: [false, true])
    func `a transmit completion pending with the receive interrupt is not guest.irq`(completionFirst: Bool) {
        var scene = Scene()
        scene.receive(scene.packets(1))
        let sent = scene.packets(1)
        scene.transmit(sent)
        scene.prepare(.inGuest)
        scene.guestCompletionInterrupt()
        scene.guestCleans(sent)
        scene.vcpuHalts()

        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        scene.enter([packet])
        if completionFirst { scene.guestCompletionInterrupt() }
        packet.points[.guestIRQ] = scene.guestInterrupt()
        if !completionFirst { scene.guestCompletionInterrupt() }
        if completionFirst { scene.guestCleans() }
        scene.guestPolls([packet])
        if !completionFirst { scene.guestCleans() }
        scene.readAll([packet])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found.count(.complete) == 3)
        #expect(found[packet]?.points == packet.points)
    }

    @Test func `a completion interrupt alone does not lend itself to a packet that is polled without one`() {
        var scene = Scene()
        scene.receive(scene.packets(1))
        scene.transmit(scene.packets(1))
        scene.prepare(.inGuest)
        scene.guestCompletionInterrupt()
        scene.guestCleans()
        // The next packet is copied without a signal, because the guest is polling its receive queue.
        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.vhostSleeps()
        scene.guestCompletionInterrupt()
        scene.guestPolls([packet])
        scene.guestCleans()
        scene.readAll([packet])
        scene.vcpuHalts()
        let found = scene.run()
        #expect(found[packet]?.points == packet.points)
        #expect(found[packet]?.delivery == .suppressed)
    }

    @Test func `a receive queue that is polled on and on does not make the completion interrupt its own`() {
        var scene = Scene()
        scene.receive(scene.packets(1))
        scene.transmit(scene.packets(1))
        // Every poll uses up its budget; the one to come is asked for without an interrupt, and meanwhile a buffer is
        // free.
        var packets = scene.packets(8)
        scene.bringIn(packets)
        packets.stamp(.vhostRun, scene.vhostRuns())
        for packet in packets { scene.vhostCopies(packet) }
        scene.signal(packets)
        scene.vhostSleeps()
        scene.enter(packets)
        packets.stamp(.guestIRQ, scene.guestInterrupt())
        for index in stride(from: 0, to: 8, by: 2) {
            for packet in packets[index..<index + 2] { scene.guestReceives(packet, waking: packet === packets[0]) }
            scene.pollEnds(scene.line.inputNapi, scene.line.device, work: 2, budget: 2, lane: scene.line.guestLane)
            if index > 0 { scene.guestCleans() }
            scene.guestCompletionInterrupt()
        }
        scene.guestPollEnds(work: 0)
        scene.guestCleans()
        scene.readAll(packets)
        scene.vcpuHalts()
        for packet in packets[2...] { packet.points[.guestIRQ] = nil }

        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        scene.enter([packet])
        scene.guestCompletionInterrupt()
        packet.points[.guestIRQ] = scene.guestInterrupt()
        scene.guestCleans()
        scene.guestPolls([packet])
        scene.readAll([packet])
        scene.vcpuHalts()
        packets.append(packet)
        let found = scene.run()
        #expect(packets.map { found[$0]?.points[.guestIRQ] } == packets.map { $0.points[.guestIRQ] })
    }

    @Test func `an interrupt that does not raise NET_RX brings nothing in`() {
        var scene = Scene()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        // A disk's interrupt before the poll, and the NIC's own for sent buffers, which raises NET_TX.
        scene.otherInterrupt(lane: 0)
        scene.nicPolls([packet])
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `NET_RX raised outside an interrupt handler is nobody's interrupt`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.otherInterrupt(lane: 0)
        scene.mark(.netRxRaised, lane: 0, thread: 14, .softIRQ)
        scene.nicPolls([packet])
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `an interrupt that fires again before its poll does not move the packet's`() {
        var scene = Scene()
        let packet = scene.packet()
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicInterrupt()
        scene.nicPolls([packet])
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `another CPU's interrupt is not the packet's`() {
        var scene = Scene()
        let packet = scene.packet()
        _ = scene.interrupt(scene.line.nicIRQ, lane: 1)
        scene.nicPolls([packet])
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }
}
