// What has a packet's address after the packet was freed without an event: its copy, release or drop is never the
// packet's.

import ClockSync
import PacketPath
import Testing

@Suite struct ReusedCopyTests {
    private static let socket: UInt64 = 0xffff_8881_0900_0000
    private static let stranger: Int32 = 97

    // MARK: Datagrams

    /// A host whose UDP readers free packets without an event (Linux 6.18 and newer).
    private func silentHost() -> Scene {
        var scene = Scene.ofHost()
        var kernel = KernelTraits()
        kernel.readsSilently = true
        scene.kernels = [kernel]
        return scene
    }

    private func bringIn(_ packet: Packet, waking: Bool = true, in scene: inout Scene, wakingStranger: Bool = false) {
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        scene.mark(.socketReady, lane: scene.line.nicLane, .softIRQ, a: Self.socket, b: 2 | 17 << 8)
        if waking { packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ) }
        if wakingStranger { scene.wake(Self.stranger, lane: scene.line.nicLane, .softIRQ) }
        scene.nicPollEnds(work: 1)
    }

    /// sock_recv_length of a socket of `family` and `protocol`.
    @discardableResult
    private func receives(
        _ data: Int, socket: UInt64 = socket, family: UInt64 = 2, protocol number: UInt64 = 17, thread: Int32? = nil,
        in scene: inout Scene
    ) -> Nanoseconds {
        scene.mark(
            .socketRead, lane: scene.line.guestLane, thread: thread ?? scene.line.reader, a: socket,
            b: UInt64(data) | family << 32 | number << 38)
    }

    /// What another skb with the packet's address goes through by now.
    enum Reuse: CaseIterable {
        /// vsock's kernel thread gives one back.
        case drop
        case consume
        /// A Unix socket's reader copies its data and frees it.
        case copy

        func act(on packet: Packet, in scene: inout Scene) {
            let lane = scene.line.workerLane
            switch self {
            case .drop: scene.mark(.drop, lane: lane, thread: stranger, a: packet.hostSKB, b: 2)
            case .consume: scene.mark(.consume, lane: lane, thread: stranger, a: packet.hostSKB)
            case .copy:
                scene.mark(.copy, lane: lane, thread: stranger, a: packet.hostSKB, b: 20)
                scene.mark(.consume, lane: lane, thread: stranger, a: packet.hostSKB)
                scene.mark(.socketRead, lane: lane, thread: stranger, a: 0xffff_8881_0a00_0000, b: 20 | 1 << 32)
            }
        }
    }

    @Test(arguments: Reuse.allCases)
    func `another skb at a packet's address neither reads nor drops it while the socket's order is unknown`(
        reuse: Reuse
    ) {
        var scene = silentHost()
        let packets = scene.packets(3)
        // Read before the recording's first proof that the queue is empty.
        bringIn(packets[0], waking: false, in: &scene)
        scene.readerRuns()
        packets[0].points[.appRead] = receives(64, in: &scene)
        reuse.act(on: packets[0], in: &scene)
        bringIn(packets[1], waking: false, in: &scene)
        packets[1].points[.appRead] = receives(64, in: &scene)
        receives(0x1_0000_0000 - 11, in: &scene)
        scene.readerSleeps()
        bringIn(packets[2], in: &scene)
        packets[2].points[.appRun] = scene.readerRuns()
        packets[2].points[.appRead] = receives(64, in: &scene)
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .complete, .complete])
        for packet in packets { #expect(found[packet]?.times[.appRead] == packet.points[.appRead]) }
    }

    @Test func `a datagram's copy is its reader's if the call was of its socket`() {
        var scene = silentHost()
        let packet = scene.packet(1066)
        bringIn(packet, in: &scene)
        packet.points[.appRun] = scene.readerRuns()
        packet.points[.appRead] = scene.mark(
            .copy, lane: scene.line.guestLane, thread: scene.line.reader, a: packet.hostSKB, b: 1024)
        receives(1024, in: &scene)
        #expect(scene.run()[packet]?.points == packet.points)
    }

    /// The stranger reads the socket, and is seen for the first time when it is woken.
    @Test(arguments: [false, true])
    func `a reader that has slept since before the recording proves that its socket was empty`(hasReadBefore: Bool) {
        var scene = silentHost()
        // It never catches up: no later instant proves anything.
        let packets = scene.packets(4)
        if hasReadBefore {
            bringIn(scene.packet(), waking: false, in: &scene)
            receives(64, thread: Self.stranger, in: &scene)
        }
        for (index, packet) in packets.enumerated() {
            bringIn(packet, waking: false, in: &scene, wakingStranger: index == 0)
        }
        for packet in packets {
            packet.points[.appRead] = receives(64, thread: Self.stranger, in: &scene)
            bringIn(scene.packet(), waking: false, in: &scene)
        }
        let found = scene.run()
        // Had it read before, it would have been awake in the recording, and what it did then is not known.
        #expect(found.outcomes(packets) == Array(repeating: hasReadBefore ? .ambiguous : .complete, count: 4))
        guard !hasReadBefore else { return }
        for packet in packets { #expect(found[packet]?.times[.appRead] == packet.points[.appRead]) }
    }

    // MARK: Streams

    /// tcp_probe, which tells skb and socket.
    private func probe(_ packet: Packet, socket: UInt64 = socket, data: Int, in scene: inout Scene) {
        scene.mark(
            .tcpReceive, lane: scene.line.nicLane, .softIRQ, a: packet.hostSKB,
            b: 80 | UInt64(data) << 16 | (socket & 0xffff_ffff) << 32)
    }

    /// - Parameter probed: false for one that waits until the reader is done with the socket, and is merged then.
    private func segment(data: Int, waking: Bool = false, probed: Bool = true, in scene: inout Scene) -> Packet {
        let packet = scene.packet(66 + data)
        packet.points[.nicIRQ] = scene.nicInterrupt()
        scene.nicReceives(packet)
        if probed { probe(packet, data: data, in: &scene) }
        if waking { packet.points[.appWake] = scene.wake(scene.line.reader, lane: scene.line.nicLane, .softIRQ) }
        scene.nicPollEnds(work: 1)
        return packet
    }

    @discardableResult
    private func copies(_ bytes: Int, from packet: Packet, thread: Int32? = nil, in scene: inout Scene) -> Nanoseconds {
        scene.mark(
            .copy, lane: scene.line.guestLane, thread: thread ?? scene.line.reader, a: packet.hostSKB, b: UInt64(bytes))
    }

    @Test(arguments: [(1, 0), (2, 6)])
    func `merged data is not what a Unix socket's reader, or another connection's, copies at its address`(
        family: UInt64, number: UInt64
    ) {
        var scene = silentHost()
        let first = segment(data: 100, waking: true, in: &scene)
        first.points[.appRun] = scene.readerRuns()
        first.points[.appRead] = copies(100, from: first, in: &scene)
        receives(100, protocol: 6, in: &scene)
        let head = segment(data: 100, in: &scene)
        let merged = segment(data: 50, in: &scene)
        // Freed as it was merged; another skb has its address, and is read.
        copies(30, from: merged, thread: Self.stranger, in: &scene)
        receives(30, socket: Self.socket + 4096, family: family, protocol: number, thread: Self.stranger, in: &scene)
        head.points[.appRead] = copies(150, from: head, in: &scene)
        receives(150, protocol: 6, in: &scene)
        let last = segment(data: 10, in: &scene)
        last.points[.appRead] = copies(10, from: last, in: &scene)
        receives(10, protocol: 6, in: &scene)
        let found = scene.run()
        #expect(found.outcomes([first, head, merged, last]) == Array(repeating: .complete, count: 4))
        #expect(found[merged]?.times[.appRead] == head.points[.appRead])
        #expect(found[head]?.times[.appRead] == head.points[.appRead])
    }

    /// No probe has told whose connection the merged packet is, and what is read is TCP's as well.
    @Test(arguments: [MarkKind.netQueue, .startXmit, .stackReceive])
    func `merged data is not what comes over lo at its address`(kind: MarkKind) {
        var scene = silentHost()
        // Datagrams' sockets tell what they are given.
        bringIn(scene.packet(), in: &scene)
        scene.readerRuns()
        receives(64, in: &scene)
        let first = segment(data: 100, in: &scene)
        first.points[.appRead] = copies(100, from: first, in: &scene)
        receives(100, protocol: 6, in: &scene)
        let head = segment(data: 100, in: &scene)
        let merged = segment(data: 50, probed: false, in: &scene)
        head.points[.appRead] = copies(150, from: head, in: &scene)
        receives(150, protocol: 6, in: &scene)
        let last = segment(data: 10, in: &scene)
        scene.skbMark(kind, merged.hostSKB, Scene.loopback, length: 82, lane: scene.line.workerLane, .softIRQ)
        copies(30, from: merged, thread: Self.stranger, in: &scene)
        receives(30, socket: Self.socket + 4096, protocol: 6, thread: Self.stranger, in: &scene)
        last.points[.appRead] = copies(10, from: last, in: &scene)
        receives(10, protocol: 6, in: &scene)
        let found = scene.run()
        #expect(found.outcomes([first, head, merged, last]) == Array(repeating: .complete, count: 4))
        #expect(found[merged]?.times[.appRead] == head.points[.appRead])
    }

    @Test func `what the reader of a stream copies of another socket at the same address is not of the stream`() {
        var scene = silentHost()
        let first = segment(data: 100, in: &scene)
        scene.readerRuns()
        first.points[.appRead] = copies(100, from: first, in: &scene)
        receives(100, protocol: 6, in: &scene)
        // The same thread reads a Unix socket's data, at the address of what it read before.
        copies(50, from: first, in: &scene)
        receives(50, socket: Self.socket + 4096, family: 1, protocol: 0, in: &scene)
        let spliced = segment(data: 50, in: &scene)
        let last = segment(data: 10, in: &scene)
        last.points[.appRead] = copies(10, from: last, in: &scene)
        receives(10, protocol: 6, in: &scene)
        let found = scene.run()
        #expect(found.outcomes([first, last]) == [.complete, .complete])
        #expect(found.outcome(spliced) != .complete)
    }

    @Test func `where the ends of calls that read streams are not recorded, a copy is the reader's`() {
        var scene = silentHost()
        let packets = [segment(data: 100, in: &scene), segment(data: 200, in: &scene)]
        scene.readerRuns()
        for packet in packets {
            packet.points[.appRead] = copies(Int(packet.length) - 66, from: packet, in: &scene)
            // A recording of datagrams' sockets only has this.
            receives(64, in: &scene)
            scene.senderCalls()
            scene.senderReturns()
        }
        let found = scene.run()
        #expect(found.outcomes(packets) == [.complete, .complete])
    }
}
