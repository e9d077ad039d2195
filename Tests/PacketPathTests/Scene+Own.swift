// Acts of a host that is followed for itself: its NIC, its stack, and an application on a CPU of its own.

import ClockSync
import PacketPath

extension Scene {
    /// A host without guests; its application is `line.reader`, on lane `line.guestLane`.
    static func ofHost() -> Scene { Scene(threads: [], hostCPUs: 3) }

    /// From the NIC to the socket, in one poll; the first packet wakes the application if it sleeps.
    mutating func bringInOwn(_ packets: [Packet], interrupting: Bool = true, waking: Bool = true) {
        packets.stamp(.nicIRQ, interrupting ? nicInterrupt() : nil)
        for (index, packet) in packets.enumerated() {
            nicReceives(packet)
            if waking, index == 0 { packet.points[.appWake] = wake(line.reader, lane: line.nicLane, .softIRQ) }
        }
        nicPollEnds(work: packets.count)
    }

    /// From the NIC to the application, which sleeps before and after.
    mutating func receiveOwn(_ packets: [Packet], copying: Bool = false) {
        bringInOwn(packets)
        packets.stamp(.appRun, readerRuns())
        for packet in packets { readOwn(packet, copying: copying) }
        readerSleeps()
    }

    mutating func readOwn(_ packet: Packet, copying: Bool = false) {
        let (lane, thread) = (line.guestLane, line.reader)
        if copying { packet.points[.appRead] = mark(.copy, lane: lane, thread: thread, a: packet.hostSKB, b: 64) }
        let freed = mark(.consume, lane: lane, thread: thread, a: packet.hostSKB)
        if !copying { packet.points[.appRead] = freed }
    }

    /// net_dev_queue, in the application's thread unless another one is named.
    mutating func queueOwn(
        _ packet: Packet, _ device: UInt16? = nil, thread: Int32? = nil, _ context: Context = .thread
    ) {
        skbMark(
            .netQueue, packet.hostSKB, device ?? line.nic, length: packet.length, lane: line.guestLane,
            thread: thread ?? line.reader,
            context)
    }

    mutating func beginOwn(
        _ packet: Packet, _ device: UInt16? = nil, thread: Int32? = nil, _ context: Context = .thread
    ) {
        packet.points[.hostEgress] = skbMark(
            .startXmit, packet.hostSKB, device ?? line.nic, length: packet.length, lane: line.guestLane,
            thread: thread ?? line.reader,
            context)
    }

    @discardableResult
    mutating func endOwn(
        _ packet: Packet, _ device: UInt16? = nil, rc: UInt32 = 0, thread: Int32? = nil, _ context: Context = .thread
    ) -> Nanoseconds {
        skbMark(
            .xmitDone, packet.hostSKB, device ?? line.nic, length: Int(rc), lane: line.guestLane,
            thread: thread ?? line.reader, context)
    }

    /// One sending system call of an application that runs.
    mutating func sendOwn(_ packet: Packet) {
        packet.points[.appSend] = senderCalls()
        queueOwn(packet)
        beginOwn(packet)
        packet.points[.nicXmit] = endOwn(packet)
        senderReturns()
        nicFrees(packet)
    }
}
