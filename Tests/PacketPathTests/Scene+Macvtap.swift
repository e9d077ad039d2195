// Acts of a host whose guests hang on macvtaps: no bridge, and no event for what is put on a queue.

import ClockSync
import PacketPath

extension Scene {
    /// The stack receives the packet, and macvlan's handler puts it on the queue.
    mutating func macvtapReceives(_ packet: Packet, waking: Bool) {
        nicReceives(packet)
        if waking { packet.points[.vhostWake] = wake(line.worker, lane: line.nicLane, .softIRQ) }
    }

    /// Packets on their way from the NIC to the reader, in one batch.
    mutating func receiveByMacvtap(_ packets: [Packet], vhostAwake: Bool = false) {
        if vhostAwake { vhostRuns() }
        packets.stamp(.nicIRQ, nicInterrupt())
        for (index, packet) in packets.enumerated() { macvtapReceives(packet, waking: !vhostAwake && index == 0) }
        nicPollEnds(work: packets.count)
        let run = vhostAwake ? nil : vhostRuns()
        packets.stamp(.vhostRun, run)
        for packet in packets { vhostCopies(packet) }
        deliverCopied(packets)
    }

    /// From the ring to the reader, who all sleep.
    mutating func deliverCopied(_ packets: [Packet]) {
        signal(packets)
        vhostSleeps()
        enter(packets)
        packets.stamp(.guestIRQ, guestInterrupt())
        guestPolls(packets)
        readAll(packets)
        vcpuHalts()
    }

    /// The worker gives a guest's packet to the macvtap, and that to the NIC, one call inside the other.
    mutating func macvtapSends(_ packet: Packet) {
        let (lane, thread) = (line.workerLane, line.worker)
        packet.points[.hostIngress] = skbMark(
            .startXmit, packet.hostSKB, line.tap, length: packet.length, lane: lane, thread: thread, .thread)
        nicSends(packet)
        skbMark(.xmitDone, packet.hostSKB, line.tap, lane: lane, thread: thread, .thread)
    }

    /// Packets on their way from the sender to the NIC.
    mutating func transmitByMacvtap(_ packets: [Packet]) {
        wakeSender()
        for (index, packet) in packets.enumerated() { sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { macvtapSends(packet) }
        vhostSleeps()
        for packet in packets { nicFrees(packet) }
        restSender()
    }
}
