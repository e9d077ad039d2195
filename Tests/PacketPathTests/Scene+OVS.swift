// Acts of Open vSwitch: the kernel's datapath, and ovs-vswitchd, which is asked where no flow matches.

import ClockSync
import PacketPath

extension Scene {
    /// A thread of ovs-vswitchd.
    static let vswitchd: Int32 = 500

    /// ovs_do_execute_action; it counts with the Ethernet header.
    @discardableResult
    mutating func ovsActs(on packet: Packet, from device: UInt16, lane: Int, thread: Int32 = 0, _ context: Context)
        -> Nanoseconds
    {
        skbMark(.ovsAction, packet.hostSKB, device, length: packet.length, lane: lane, thread: thread, context)
    }

    /// ovs_dp_upcall, which copies the packet for ovs-vswitchd; then the packet is freed, or dropped where there was no
    /// room for the copy.
    mutating func ovsMisses(
        _ packet: Packet, from device: UInt16, lane: Int, thread: Int32 = 0, _ context: Context,
        freeing: MarkKind? = .consume
    ) {
        packet.points[.ovsUpcall] = skbMark(
            .ovsUpcall, packet.hostSKB, device, length: packet.length, lane: lane, thread: thread, context)
        if let freeing { mark(freeing, lane: lane, thread: thread, context, a: packet.hostSKB, b: .drop(2)) }
    }

    /// ovs-vswitchd has the datapath send its copy, which has an address of its own.
    mutating func vswitchdReplies(_ packet: Packet, from device: UInt16, lane: Int, thread: Int32 = Scene.vswitchd) {
        packet.hostSKB += 0x500_0000
        packet.points[.ovsReply] = ovsActs(on: packet, from: device, lane: lane, thread: thread, .thread)
    }

    // MARK: Receive

    /// One poll of the NIC, whose packets all have a flow.
    mutating func bringInByOVS(_ packets: [Packet], waking: Bool = true) {
        packets.stamp(.nicIRQ, nicInterrupt())
        for (index, packet) in packets.enumerated() {
            nicReceives(packet)
            packet.points[.ovsAction] = ovsActs(on: packet, from: line.nic, lane: line.nicLane, .softIRQ)
            tapReceives(packet, waking: waking && index == 0)
        }
        nicPollEnds(work: packets.count)
    }

    mutating func receiveByOVS(_ packets: [Packet]) {
        bringInByOVS(packets)
        deliver(packets)
    }

    /// One poll of the NIC, whose packets no flow matches.
    mutating func missOnReceive(_ packets: [Packet], freeing: MarkKind? = .consume) {
        packets.stamp(.nicIRQ, nicInterrupt())
        for packet in packets {
            nicReceives(packet)
            ovsMisses(packet, from: line.nic, lane: line.nicLane, .softIRQ, freeing: freeing)
        }
        nicPollEnds(work: packets.count)
    }

    mutating func replyToTap(_ packet: Packet, waking: Bool = true, thread: Int32 = Scene.vswitchd) {
        vswitchdReplies(packet, from: line.nic, lane: line.nicLane, thread: thread)
        tapReceives(packet, waking: waking, thread: thread, .thread)
    }

    // MARK: Transmit

    /// From the sender to the worker, which takes them all; `forwarding` says what the datapath does with each.
    mutating func sendToOVS(_ packets: [Packet], forwarding: (inout Scene, Packet) -> Void) {
        wakeSender()
        for (index, packet) in packets.enumerated() { sends(packet, kicking: index == 0) }
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets {
            vhostWrites(packet)
            forwarding(&self, packet)
        }
        vhostSleeps()
        restSender()
    }

    mutating func transmitByOVS(_ packets: [Packet]) {
        sendToOVS(packets) { scene, packet in
            let line = scene.line
            packet.points[.ovsAction] = scene.ovsActs(
                on: packet, from: line.tap, lane: line.workerLane, thread: line.worker, .thread)
            scene.nicSends(packet)
        }
        for packet in packets { nicFrees(packet) }
    }

    mutating func missOnTransmit(_ packets: [Packet], freeing: MarkKind? = .consume) {
        sendToOVS(packets) { scene, packet in
            let line = scene.line
            scene.ovsMisses(
                packet, from: line.tap, lane: line.workerLane, thread: line.worker, .thread, freeing: freeing)
        }
    }

    mutating func replyToNIC(_ packet: Packet, thread: Int32 = Scene.vswitchd) {
        vswitchdReplies(packet, from: line.tap, lane: line.workerLane, thread: thread)
        nicSends(packet, thread: thread)
        nicFrees(packet)
    }
}
