// Interrupts that are served by threads (PREEMPT_RT, threadirqs): the way from the interrupt over its thread to the
// packet.

import ClockSync
import PacketPath
import Testing

extension Scene {
    /// The thread irq/32-nic0, or irq/25-virtio0.
    static let irqThread: Int32 = 55

    /// An interrupt whose handler only wakes its thread.
    /// - Returns: when it came, and when the thread was woken.
    mutating func threadedInterrupt(_ irq: Int32, lane: Int, waking: Bool = true) -> (
        irq: Nanoseconds, wake: Nanoseconds?
    ) {
        let time = mark(.irqEntry, lane: lane, .hardIRQ, a: UInt64(irq))
        // IRQ_WAKE_THREAD.
        mark(.irqExit, lane: lane, .hardIRQ, a: UInt64(irq), b: 2)
        return (time, waking ? wake(Self.irqThread, lane: lane, .hardIRQ) : nil)
    }

    /// The thread gets the CPU and asks for a poll.
    mutating func irqThreadRaises(lane: Int) -> Nanoseconds {
        let run = switchTo(Self.irqThread, lane: lane)
        mark(.netRxRaised, lane: lane, thread: Self.irqThread)
        return run
    }

    mutating func irqThreadSleeps(lane: Int) { switchTo(0, from: Self.irqThread, state: Self.sleeping, lane: lane) }
}

@Suite struct ThreadedInterruptTests {
    /// From the interrupt to the tap; the thread may run on another CPU than its interrupt came on.
    private func bringIn(_ packets: [Packet], irqLane: Int = 0, in scene: inout Scene) {
        let (irq, wake) = scene.threadedInterrupt(scene.line.nicIRQ, lane: irqLane)
        packets.stamp(.nicIRQ, irq)
        packets.stamp(.nicWake, wake)
        packets.stamp(.nicRun, scene.irqThreadRaises(lane: scene.line.nicLane))
        scene.nicPolls(packets, thread: Scene.irqThread)
        scene.irqThreadSleeps(lane: scene.line.nicLane)
    }

    @Test(arguments: [0, 1])
    func `a packet has its interrupt, and the thread that served it`(irqLane: Int) {
        var scene = Scene()
        let packets = scene.packets(3)
        for batch in [[packets[0]], Array(packets[1...])] {
            bringIn(batch, irqLane: irqLane, in: &scene)
            scene.deliver(batch)
        }
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
        #expect(found.count(.complete) == 3)
    }

    @Test func `an interrupt with a number that none can have costs nothing but itself`() {
        var scene = Scene()
        let packets = scene.packets(2)
        bringIn([packets[0]], in: &scene)
        scene.deliver([packets[0]])
        let number = UInt64(UInt32(bitPattern: -5))
        scene.mark(.irqEntry, lane: 0, .hardIRQ, a: number)
        scene.mark(.irqExit, lane: 0, .hardIRQ, a: number, b: 2)
        _ = scene.wake(77, lane: 0, .hardIRQ)
        scene.switchTo(77, lane: 0)
        scene.mark(.netRxRaised, lane: 0, thread: 77)
        scene.switchTo(0, from: 77, state: Scene.sleeping, lane: 0)
        bringIn([packets[1]], in: &scene)
        scene.deliver([packets[1]])
        let found = scene.run()
        #expect(found.count(.complete) == 2)
        #expect(found[packets[1]]?.points[.guestRead] == packets[1].points[.guestRead])
    }

    @Test func `the idle thread serves no interrupt, though nothing is known of whose thread another one's is`() {
        var scene = Scene()
        let packets = scene.packets(2)
        // Nobody is seen to be woken for it.
        _ = scene.threadedInterrupt(99, lane: 0, waking: false)
        scene.mark(.netRxRaised, lane: 0)
        scene.nicPolls([packets[0]])
        scene.deliver([packets[0]])
        bringIn([packets[1]], in: &scene)
        scene.deliver([packets[1]])
        let found = scene.run()
        #expect(found[packets[0]]?.points[.nicIRQ] == nil)
        #expect(found[packets[1]]?.points == packets[1].points)
    }

    @Test func `the host's own packets have them too`() {
        var scene = Scene.ofHost()
        let packet = scene.packet()
        let (irq, wake) = scene.threadedInterrupt(scene.line.nicIRQ, lane: 1)
        packet.points[.nicIRQ] = irq
        packet.points[.nicWake] = wake
        packet.points[.nicRun] = scene.irqThreadRaises(lane: 0)
        scene.nicReceives(packet, thread: Scene.irqThread)
        packet.points[.appWake] = scene.wake(scene.line.reader, lane: 0, thread: Scene.irqThread, .softIRQ)
        scene.nicPollEnds(work: 1, thread: Scene.irqThread)
        packet.points[.appRun] = scene.readerRuns()
        scene.readOwn(packet)
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `a thread that is awake is neither woken nor switched to`() {
        var scene = Scene()
        let packets = scene.packets(2)
        let (irq, wake) = scene.threadedInterrupt(scene.line.nicIRQ, lane: 0)
        packets[0].points[.nicIRQ] = irq
        packets[0].points[.nicWake] = wake
        packets[0].points[.nicRun] = scene.irqThreadRaises(lane: 0)
        scene.nicPolls([packets[0]], thread: Scene.irqThread)
        // Another one while the thread runs; then a timer wakes somebody.
        packets[1].points[.nicIRQ] = scene.threadedInterrupt(scene.line.nicIRQ, lane: 0, waking: false).irq
        scene.mark(.netRxRaised, lane: 0, thread: Scene.irqThread)
        scene.wake(77, lane: 0, .hardIRQ)
        scene.nicPolls([packets[1]], waking: false, thread: Scene.irqThread)
        scene.irqThreadSleeps(lane: 0)
        scene.deliver(packets)
        let found = scene.run()
        for packet in packets { #expect(found[packet]?.points == packet.points) }
    }

    @Test func `an interrupt that brought nothing in is not the next packet's`() {
        var scene = Scene()
        _ = scene.threadedInterrupt(scene.line.nicIRQ, lane: 0)
        scene.switchTo(Scene.irqThread, lane: 0)
        scene.irqThreadSleeps(lane: 0)
        let packet = scene.packet()
        bringIn([packet], in: &scene)
        scene.deliver([packet])
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `NET_RX raised by a thread that serves no interrupt is nobody's interrupt`() {
        var scene = Scene()
        let packets = scene.packets(2)
        bringIn([packets[0]], in: &scene)
        scene.deliver([packets[0]])
        _ = scene.threadedInterrupt(scene.line.nicIRQ, lane: 0)
        // Somebody sends over lo, before the thread runs.
        scene.mark(.netRxRaised, lane: 0, thread: 98)
        scene.nicPolls([packets[1]])
        scene.deliver([packets[1]])
        let found = scene.run()
        #expect(found[packets[1]]?.points == packets[1].points)
    }

    @Test func `a guest's interrupt is the one whose thread asked for the poll`() {
        var scene = Scene()
        let packet = scene.packet()
        scene.bringIn([packet])
        packet.points[.vhostRun] = scene.vhostRuns()
        scene.vhostCopies(packet)
        scene.signal([packet])
        scene.vhostSleeps()
        scene.enter([packet])
        packet.points[.guestIRQ] = scene.threadedInterrupt(scene.line.inputIRQ, lane: scene.line.guestLane).irq
        _ = scene.irqThreadRaises(lane: scene.line.guestLane)
        scene.guestPolls([packet])
        scene.irqThreadSleeps(lane: scene.line.guestLane)
        scene.readAll([packet])
        scene.vcpuHalts()
        #expect(scene.run()[packet]?.points == packet.points)
    }

    @Test func `after a hole an interrupt that waited for its thread is unknown`() {
        var scene = Scene()
        let packets = scene.packets(2)
        bringIn([packets[0]], in: &scene)
        scene.deliver([packets[0]])
        let hole = scene.now
        _ = scene.threadedInterrupt(scene.line.nicIRQ, lane: 0)
        let end = scene.now
        scene.otherInterrupt(lane: 0)
        _ = scene.irqThreadRaises(lane: 0)
        scene.nicPolls([packets[1]], thread: Scene.irqThread)
        scene.irqThreadSleeps(lane: 0)
        scene.deliver([packets[1]])
        scene.lose(lane: 0, hole + 15..<end)
        let found = scene.run()
        #expect(found[packets[1]]?.points[.nicIRQ] == nil)
        #expect(found[packets[1]]?.points[.nicWake] == nil)
    }
}
