// A thread that polls its device by itself (SO_BUSY_POLL), or for it (threaded NAPI): it does the softirq's work.

import PacketPath
import Testing
import TraceData

@Suite struct BusyPollTests {
    /// Softirqs are off, and no softirq is being served: TRACE_FLAG_BH_OFF, include/linux/trace_events.h.
    private static let withoutSoftIRQs: UInt8 = 0x80

    /// The reader finds packets by polling; what is done on the stack's behalf happens in its own context.
    private func poll(_ packets: [Packet], in scene: inout Scene) {
        for packet in packets { scene.guestReceives(packet, waking: false, context: .thread) }
        scene.pollEnds(
            scene.line.inputNapi, scene.line.device, work: packets.count, lane: scene.line.guestLane,
            thread: scene.line.reader)
    }

    /// Marks from `first` on that belong to the reader, made while it holds softirqs off.
    private func holdOff(from first: Int, in scene: inout Scene) {
        for index in first..<scene.marks.count { scene.marks[index].flags |= Self.withoutSoftIRQs }
    }

    @Test func `packets that a reader polls for need no wake-up, and are its own`() throws {
        var scene = Scene()
        scene.wakeSender()
        let packets = scene.packets(2)
        scene.interruptRunningGuest(with: packets)
        let begin = scene.marks.count
        poll(packets, in: &scene)
        holdOff(from: begin, in: &scene)
        for packet in packets { scene.reads(packet) }
        scene.restSender()
        let found = scene.run()
        #expect(found.outcomes(packets).allSatisfy { $0 == .complete })
        let journey = try #require(found[packets[0]])
        #expect(!journey.times.has(.guestWake) && !journey.times.has(.guestRun))
    }

    @Test func `what the stack frees while a thread polls was read by nobody`() {
        var scene = Scene()
        scene.wakeSender()
        let packet = scene.packet()
        scene.interruptRunningGuest(with: [packet])
        let begin = scene.marks.count
        poll([packet], in: &scene)
        scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, a: packet.guestSKB)
        holdOff(from: begin, in: &scene)
        scene.restSender()
        #expect(scene.run().outcome(packet) == .kernelConsumed)
    }

    @Test func `a NAPI thread wakes the reader on the packet's behalf`() throws {
        var scene = Scene()
        scene.wakeSender()
        let packet = scene.packet()
        scene.interruptRunningGuest(with: [packet])
        let begin = scene.marks.count
        scene.guestReceives(packet, waking: true, context: .thread)
        scene.guestPollEnds(work: 1)
        holdOff(from: begin, in: &scene)
        scene.readAll([packet])
        scene.restSender()
        let journey = try #require(scene.run()[packet])
        #expect(journey.outcome == .complete)
        #expect(journey.times[.guestWake] == packet.points[.guestWake])
    }
}
