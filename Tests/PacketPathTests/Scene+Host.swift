// Acts of the host: NIC and bridge, the vhost worker, vCPU threads.

import ClockSync
import PacketPath

extension Scene {
    // MARK: NIC and bridge

    @discardableResult
    mutating func nicInterrupt() -> Nanoseconds { interrupt(line.nicIRQ, lane: line.nicLane) }

    /// The driver hands the packet to the stack.
    @discardableResult
    mutating func nicReceives(_ packet: Packet, thread: Int32 = 0) -> Nanoseconds {
        let time = skbMark(
            .napiReceive, packet.hostSKB, line.nic, length: packet.length - 14, lane: line.nicLane, thread: thread,
            .softIRQ)
        packet.points[.hostIngress] = time
        packet.stackReceive = skbMark(
            .stackReceive, packet.hostSKB, line.nic, length: packet.length - 14, lane: line.nicLane, thread: thread,
            .softIRQ)
        return time
    }

    /// The bridge, or the host's own stack, gives the packet to the tap's driver, which wakes the worker if it sleeps.
    mutating func tapReceives(_ packet: Packet, waking: Bool, thread: Int32 = 0, _ context: Context = .softIRQ) {
        packet.points[.hostEgress] = skbMark(
            .startXmit, packet.hostSKB, line.tap, length: packet.length, queue: line.pair, lane: line.nicLane,
            thread: thread, context)
        if waking { packet.points[.vhostWake] = wake(line.worker, lane: line.nicLane, thread: thread, context) }
        skbMark(.xmitDone, packet.hostSKB, line.tap, lane: line.nicLane, thread: thread, context)
    }

    mutating func nicPollEnds(work: Int, thread: Int32 = 0) {
        pollEnds(line.nicNapi, line.nic, work: work, lane: line.nicLane, thread: thread)
    }

    /// One poll that brings packets in and forwards each one at once; the first one wakes the worker if it sleeps.
    mutating func nicPolls(_ packets: [Packet], waking: Bool = true, thread: Int32 = 0) {
        for (index, packet) in packets.enumerated() {
            nicReceives(packet, thread: thread)
            tapReceives(packet, waking: waking && index == 0, thread: thread)
        }
        nicPollEnds(work: packets.count, thread: thread)
    }

    /// sched_waking of a thread.
    @discardableResult
    mutating func wake(_ target: Int32, lane: Int, thread: Int32 = 0, _ context: Context = .thread) -> Nanoseconds {
        mark(.waking, lane: lane, thread: thread, context, a: UInt64(target))
    }

    // MARK: vhost

    @discardableResult
    mutating func vhostRuns() -> Nanoseconds { switchTo(line.worker, lane: line.workerLane) }

    @discardableResult
    mutating func vhostSleeps() -> Nanoseconds {
        switchTo(0, from: line.worker, state: Self.sleeping, lane: line.workerLane)
    }

    /// The worker takes the packet from the tap and copies it into the guest's buffers.
    mutating func vhostCopies(_ packet: Packet) {
        packet.points[.vhostCopy] = mark(
            .copy, lane: line.workerLane, thread: line.worker, a: packet.hostSKB, b: UInt64(packet.length))
        mark(.consume, lane: line.workerLane, thread: line.worker, a: packet.hostSKB)
    }

    /// kvm_msi_set_irq in the worker.
    @discardableResult
    mutating func vhostSignals(vector: UInt8? = nil) -> Nanoseconds {
        mark(.msi, lane: line.workerLane, thread: line.worker, a: UInt64(vector ?? line.vector))
    }

    @discardableResult
    mutating func vhostWakesVCPU() -> Nanoseconds { wake(line.vcpu, lane: line.workerLane, thread: line.worker) }

    /// The worker writes a guest's packet to the tap: the host's skb begins.
    mutating func vhostWrites(_ packet: Packet) {
        packet.points[.hostIngress] = skbMark(
            .stackReceive, packet.hostSKB, line.tap, length: packet.length - 14, lane: line.workerLane,
            thread: line.worker, .thread)
    }

    /// The bridge gives a guest's packet to the NIC's driver, in the thread that writes it unless another one is named.
    mutating func nicSends(_ packet: Packet, thread: Int32? = nil) {
        let lane = line.workerLane
        let thread = thread ?? line.worker
        packet.points[.hostEgress] = skbMark(
            .startXmit, packet.hostSKB, line.nic, length: packet.length, lane: lane, thread: thread, .thread)
        packet.points[.nicXmit] = skbMark(.xmitDone, packet.hostSKB, line.nic, lane: lane, thread: thread, .thread)
    }

    /// The NIC is done with the packet's buffer.
    mutating func nicFrees(_ packet: Packet) { mark(.consume, lane: line.nicLane, .softIRQ, a: packet.hostSKB) }

    // MARK: vCPU

    /// Why a vCPU leaves the guest, and on which hardware.
    struct Exit {
        var reason: UInt64
        var isa: UInt64
        static let halt = Exit(reason: 0x78, isa: 2)
        static let vmxHalt = Exit(reason: 12, isa: 1)
        static let interrupt = Exit(reason: 0x60, isa: 2)
        static let nestedPageFault = Exit(reason: 0x400, isa: 2)
    }

    @discardableResult
    mutating func vcpuRuns() -> Nanoseconds { switchTo(line.vcpu, lane: line.vcpuLane) }

    @discardableResult
    mutating func vcpuEnters(injecting vector: UInt8? = nil) -> Nanoseconds {
        if let vector { mark(.injectVirq, lane: line.vcpuLane, thread: line.vcpu, a: UInt64(vector)) }
        return mark(.vmEntry, lane: line.vcpuLane, thread: line.vcpu, a: line.vcpuNumber)
    }

    @discardableResult
    mutating func vcpuExits(_ exit: Exit) -> Nanoseconds {
        mark(.vmExit, lane: line.vcpuLane, thread: line.vcpu, a: exit.reason, b: exit.isa)
    }

    mutating func vcpuSleeps() { switchTo(0, from: line.vcpu, state: Self.sleeping, lane: line.vcpuLane) }

    /// Another thread takes the CPU although the vCPU could go on.
    mutating func vcpuIsPreempted() { switchTo(77, from: line.vcpu, state: Self.preempted, lane: line.vcpuLane) }

    mutating func vcpuHalts() {
        vcpuExits(.halt)
        vcpuSleeps()
    }
}
