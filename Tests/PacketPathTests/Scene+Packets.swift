// Whole ways of packets, as EVENTS of a real session show them: from rest to rest.

import PacketPath

extension Scene {
    /// What the vCPU is doing when its interrupt comes.
    enum VCPUState {
        case asleep
        /// Halted, its thread still on the CPU and polling.
        case polling(Exit)
        case inGuest
        case preempted
        /// In the guest, on hardware that delivers without an exit.
        case posted
    }

    /// Packets on their way from the NIC to the reader, in one batch.
    mutating func receive(
        _ packets: [Packet], interrupting: Bool = true, vhostAwake: Bool = false, vcpu: VCPUState = .asleep,
        copying: Bool = false
    ) {
        if vhostAwake { vhostRuns() }
        prepare(vcpu)
        bringIn(packets, interrupting: interrupting, waking: !vhostAwake)
        let run = vhostAwake ? nil : vhostRuns()
        packets.stamp(.vhostRun, run)
        for packet in packets { vhostCopies(packet) }
        signal(packets, vcpu)
        vhostSleeps()
        enter(packets, vcpu)
        packets.stamp(.guestIRQ, guestInterrupt())
        guestPolls(packets)
        readAll(packets, copying: copying)
        vcpuHalts()
    }

    /// From the NIC to the tap.
    mutating func bringIn(_ packets: [Packet], interrupting: Bool = true, waking: Bool = true) {
        packets.stamp(.nicIRQ, interrupting ? nicInterrupt() : nil)
        nicPolls(packets, waking: waking)
    }

    /// From the tap to the reader, who all sleep.
    mutating func deliver(_ packets: [Packet]) {
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { vhostCopies(packet) }
        deliverCopied(packets)
    }

    /// From the NIC to the interrupt of a guest that runs.
    mutating func interruptRunningGuest(with packets: [Packet]) {
        bringIn(packets)
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { vhostCopies(packet) }
        signal(packets, .inGuest)
        vhostSleeps()
        enter(packets, .inGuest)
        packets.stamp(.guestIRQ, guestInterrupt())
    }

    /// Brings the vCPU from its sleep to `state`.
    mutating func prepare(_ vcpu: VCPUState) {
        if case .asleep = vcpu { return }
        vcpuRuns()
        vcpuEnters()
        switch vcpu {
        case .polling(let exit): vcpuExits(exit)
        case .preempted:
            vcpuExits(.interrupt)
            vcpuIsPreempted()
        default: break
        }
    }

    /// The worker's interrupt for what it copied.
    mutating func signal(_ packets: [Packet], _ vcpu: VCPUState = .asleep) {
        packets.stamp(.irqInject, vhostSignals())
        if case .asleep = vcpu { packets.stamp(.vcpuWake, vhostWakesVCPU()) }
    }

    /// The vCPU goes, or comes back, into the guest with the interrupt.
    mutating func enter(_ packets: [Packet], _ vcpu: VCPUState = .asleep) {
        switch vcpu {
        case .asleep, .preempted: packets.stamp(.vcpuRun, vcpuRuns())
        case .polling: break
        case .inGuest: vcpuExits(.interrupt)
        case .posted: return
        }
        packets.stamp(.vcpuEntry, vcpuEnters(injecting: line.vector))
    }

    /// The reader wakes up, reads all there is and sleeps again.
    mutating func readAll(_ packets: [Packet], copying: Bool = false) {
        packets.stamp(.guestRun, readerRuns())
        for packet in packets { reads(packet, copying: copying) }
        readerSleeps()
    }

    /// Packets on their way from the sender to the NIC, each with its own system call; the worker takes them all at
    /// once.
    mutating func transmit(_ packets: [Packet], kicking: Bool = true, vhostAwake: Bool = false) {
        wakeSender()
        if vhostAwake { vhostRuns() }
        for (index, packet) in packets.enumerated() {
            sends(packet, kicking: kicking && index == 0, waking: !vhostAwake)
        }
        let run = vhostAwake ? nil : vhostRuns()
        packets.stamp(.vhostRun, run)
        for packet in packets {
            vhostWrites(packet)
            nicSends(packet)
        }
        vhostSleeps()
        for packet in packets { nicFrees(packet) }
        restSender()
    }

    mutating func wakeSender() {
        vcpuRuns()
        vcpuEnters()
        readerRuns()
    }

    mutating func restSender() {
        readerSleeps()
        vcpuHalts()
    }
}
