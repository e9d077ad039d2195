// Acts of XDP programs: generic ones, which see skbs, and native ones, which see frames before there are any.

import ClockSync
import PacketPath

extension Line {
    /// Interface indices, which XDP's events have in the place of names.
    var nicInterface: UInt64 { UInt64(nic) + 100 }
    var tapInterface: UInt64 { UInt64(tap) + 100 }
}

extension Scene {
    /// xdp_redirect.
    @discardableResult
    mutating func redirects(
        from interface: UInt64, to target: UInt64, lane: Int, thread: Int32 = 0, _ context: Context
    ) -> Nanoseconds {
        mark(.redirect, lane: lane, thread: thread, context, a: interface | target << 32)
    }

    /// xdp_devmap_xmit.
    @discardableResult
    mutating func bulkIsSent(
        from interface: UInt64, to target: UInt64, sent: Int, dropped: Int = 0, lane: Int, thread: Int32 = 0,
        _ context: Context
    ) -> Nanoseconds {
        mark(
            .bulkXmit, lane: lane, thread: thread, context, a: interface | target << 32,
            b: UInt64(sent) | UInt64(dropped) << 32)
    }

    // MARK: Generic

    /// The program sees the skb as the stack begins to receive it, and puts it on the tap's queue.
    mutating func genericXDPReceives(_ packet: Packet, waking: Bool) {
        nicReceives(packet)
        packet.points[.hostEgress] = redirects(
            from: line.nicInterface, to: line.tapInterface, lane: line.nicLane, .softIRQ)
        if waking { packet.points[.vhostWake] = wake(line.worker, lane: line.nicLane, .softIRQ) }
    }

    mutating func receiveByGenericXDP(_ packets: [Packet], vhostAwake: Bool = false) {
        if vhostAwake { vhostRuns() }
        packets.stamp(.nicIRQ, nicInterrupt())
        for (index, packet) in packets.enumerated() { genericXDPReceives(packet, waking: !vhostAwake && index == 0) }
        nicPollEnds(work: packets.count)
        let run = vhostAwake ? nil : vhostRuns()
        packets.stamp(.vhostRun, run)
        for packet in packets { vhostCopies(packet) }
        deliverCopied(packets)
    }

    /// The worker writes to the tap, and the NIC's driver is called from inside the stack's receipt.
    mutating func genericXDPSends(_ packet: Packet) {
        let (lane, thread) = (line.workerLane, line.worker)
        vhostWrites(packet)
        packet.points[.hostEgress] = redirects(
            from: line.tapInterface, to: line.nicInterface, lane: lane, thread: thread, .thread)
        packet.points[.nicXmit] = mark(.stackReturn, lane: lane, thread: thread)
    }

    mutating func transmitByGenericXDP(_ packets: [Packet]) {
        wakeSender()
        for (index, packet) in packets.enumerated() { sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { genericXDPSends(packet) }
        vhostSleeps()
        for packet in packets { nicFrees(packet) }
        restSender()
    }

    // MARK: Native

    mutating func nativeXDPReceives(_ packet: Packet, lane: Int? = nil) {
        packet.points[.hostIngress] = redirects(
            from: line.nicInterface, to: line.tapInterface, lane: lane ?? line.nicLane, .softIRQ)
    }

    /// The frames of one CPU are put on the tap's queue.
    mutating func bulkToTap(sent: Int, dropped: Int = 0, lane: Int? = nil) {
        bulkIsSent(
            from: line.nicInterface, to: line.tapInterface, sent: sent, dropped: dropped, lane: lane ?? line.nicLane,
            .softIRQ)
    }

    /// One poll of the NIC, up to the tap's queue; a bulk is sent when it has 16 frames, and at the end.
    mutating func bringInByNativeXDP(_ packets: [Packet], waking: Bool = true) {
        packets.stamp(.nicIRQ, nicInterrupt())
        var waiting: [Packet] = []
        for packet in packets {
            if waiting.count == 16 {
                bulkToTap(sent: 16)
                waiting = []
            }
            nativeXDPReceives(packet)
            waiting.append(packet)
        }
        // Only the last bulk tells the worker.
        if waking { waiting.stamp(.vhostWake, wake(line.worker, lane: line.nicLane, .softIRQ)) }
        bulkToTap(sent: waiting.count)
        nicPollEnds(work: packets.count)
    }

    /// From the tap's queue to the reader: the worker makes no event but its signal.
    mutating func deliverBare(_ packets: [Packet]) {
        packets.stamp(.vhostRun, vhostRuns())
        deliverCopied(packets)
    }

    mutating func receiveByNativeXDP(_ packets: [Packet]) {
        bringInByNativeXDP(packets)
        deliverBare(packets)
    }

    mutating func nativeXDPSends(_ packet: Packet) {
        packet.points[.hostIngress] = redirects(
            from: line.tapInterface, to: line.nicInterface, lane: line.workerLane, thread: line.worker, .thread)
    }

    @discardableResult
    mutating func bulkToNIC(_ packets: [Packet], dropped: Int = 0) -> Nanoseconds {
        let time = bulkIsSent(
            from: line.tapInterface, to: line.nicInterface, sent: packets.count, dropped: dropped,
            lane: line.workerLane,
            thread: line.worker, .thread)
        packets.stamp(.nicXmit, time)
        return time
    }

    /// Packets on their way from the sender to the NIC, in one bulk.
    mutating func transmitByNativeXDP(_ packets: [Packet]) {
        wakeSender()
        for (index, packet) in packets.enumerated() { sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { nativeXDPSends(packet) }
        bulkToNIC(packets)
        vhostSleeps()
        restSender()
    }
}
