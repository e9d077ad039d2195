// Acts of a guest: its virtio-net device, and the thread that reads and sends.

import ClockSync
import PacketPath

extension Scene {
    // MARK: Receive

    /// The interrupt of the receive queue.
    @discardableResult
    mutating func guestInterrupt() -> Nanoseconds { interrupt(line.inputIRQ, line.inputName, lane: line.guestLane) }

    /// The interrupt of the send queue: buffers are free again.
    @discardableResult
    mutating func guestCompletionInterrupt() -> Nanoseconds { interrupt(line.outputIRQ, lane: line.guestLane) }

    mutating func guestReceives(_ packet: Packet, waking: Bool, context: Context = .softIRQ) {
        packet.points[.guestIngress] = skbMark(
            .napiReceive, packet.guestSKB, line.device, length: packet.length - 14, queue: line.pair + 1,
            lane: line.guestLane, context)
        skbMark(.stackReceive, packet.guestSKB, line.device, length: packet.length - 14, lane: line.guestLane, context)
        if waking { packet.points[.guestWake] = wake(line.reader, lane: line.guestLane, context) }
    }

    mutating func guestPollEnds(work: Int) { pollEnds(line.inputNapi, line.device, work: work, lane: line.guestLane) }

    /// One poll of the receive queue; the first packet wakes the reader if it sleeps.
    mutating func guestPolls(_ packets: [Packet], waking: Bool = true) {
        for (index, packet) in packets.enumerated() { guestReceives(packet, waking: waking && index == 0) }
        guestPollEnds(work: packets.count)
    }

    /// A poll of the send queue's instance: it receives nothing.
    mutating func guestCleans(_ packets: [Packet] = []) {
        for packet in packets { mark(.consume, lane: line.guestLane, .softIRQ, a: packet.guestSKB) }
        pollEnds(line.outputNapi, line.device, work: 0, lane: line.guestLane)
    }

    @discardableResult
    mutating func readerRuns() -> Nanoseconds { switchTo(line.reader, lane: line.guestLane) }

    mutating func readerSleeps() { switchTo(0, from: line.reader, state: Self.sleeping, lane: line.guestLane) }

    /// The reader gets the packet; consume_skb alone for UDP with a checksum, skb_copy_datagram_iovec before it
    /// otherwise.
    mutating func reads(_ packet: Packet, copying: Bool = false) {
        if copying {
            packet.points[.guestRead] = mark(
                .copy, lane: line.guestLane, thread: line.reader, a: packet.guestSKB, b: UInt64(packet.length - 42))
        }
        let freed = mark(.consume, lane: line.guestLane, thread: line.reader, a: packet.guestSKB)
        if !copying { packet.points[.guestRead] = freed }
    }

    // MARK: Transmit

    @discardableResult
    mutating func senderCalls() -> Nanoseconds { mark(.sendEnter, lane: line.guestLane, thread: line.reader) }

    mutating func senderReturns() { mark(.sendExit, lane: line.guestLane, thread: line.reader) }

    /// net_dev_queue.
    mutating func guestQueues(_ packet: Packet, thread: Int32? = nil, _ context: Context = .thread) {
        skbMark(
            .netQueue, packet.guestSKB, line.device, length: packet.length, lane: line.guestLane,
            thread: thread ?? line.reader, context)
    }

    mutating func driverBegins(_ packet: Packet, thread: Int32? = nil, _ context: Context = .thread) {
        packet.points[.guestEgress] = skbMark(
            .startXmit, packet.guestSKB, line.device, length: packet.length, queue: line.pair, lane: line.guestLane,
            thread: thread ?? line.reader, context)
    }

    mutating func driverEnds(_ packet: Packet, rc: UInt32 = 0, thread: Int32? = nil, _ context: Context = .thread) {
        skbMark(
            .xmitDone, packet.guestSKB, line.device, length: Int(rc), lane: line.guestLane,
            thread: thread ?? line.reader, context)
    }

    /// The write to the notification address leaves the guest; the host wakes the worker if it sleeps, and goes back.
    mutating func kicks(_ packet: Packet, waking: Bool = true) {
        packet.points[.kick] = vcpuExits(.nestedPageFault)
        mark(.doorbell, lane: line.vcpuLane, thread: line.vcpu)
        if waking { packet.points[.vhostWake] = wake(line.worker, lane: line.vcpuLane, thread: line.vcpu) }
        vcpuEnters()
    }

    /// One sending system call, from its entry to its end.
    mutating func sends(_ packet: Packet, kicking: Bool = true, waking: Bool = true) {
        packet.points[.guestSend] = senderCalls()
        guestQueues(packet)
        driverBegins(packet)
        if kicking { kicks(packet, waking: waking) }
        driverEnds(packet)
        senderReturns()
    }
}
