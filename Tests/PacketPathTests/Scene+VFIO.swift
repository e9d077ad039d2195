// Acts of a guest that has a NIC of its own.

import ClockSync
import PacketPath

extension Line {
    /// A device of the guest's own: its vector on the host, its interrupt in the guest.
    static let passedThrough = {
        var line = Line()
        line.nicIRQ = 36
        line.inputName = "eth0-rx-0"
        return line
    }()
}

extension Scene {
    /// A session whose guest has a NIC of its own, and nothing else.
    static func passedThrough() -> Scene { Scene(line: .passedThrough) }

    /// The device's vector on the host, which injects its interrupt into the guest.
    mutating func deviceInterrupts(_ packets: [Packet] = [], waking: Bool = true, on lane: Int = 1) {
        let name = nameID("vfio-msix[0](0000:00:08.0)")
        packets.stamp(.nicIRQ, mark(.irqEntry, lane: lane, .hardIRQ, a: UInt64(line.nicIRQ), b: name))
        packets.stamp(.irqInject, mark(.msi, lane: lane, .hardIRQ, a: UInt64(line.vector)))
        if waking { packets.stamp(.vcpuWake, wake(line.vcpu, lane: lane, .hardIRQ)) }
        mark(.irqExit, lane: lane, .hardIRQ, a: UInt64(line.nicIRQ))
    }

    /// Packets on their way to the reader, in one batch; only the first one is the interrupt's.
    mutating func receiveDirectly(_ packets: [Packet], vcpu: VCPUState = .asleep) {
        prepare(vcpu)
        let first = Array(packets.prefix(1))
        if case .asleep = vcpu { deviceInterrupts(first) } else { deviceInterrupts(first, waking: false) }
        enter(first, vcpu)
        receiveInGuest(packets)
    }

    /// What the guest sees of them.
    mutating func receiveInGuest(_ packets: [Packet]) {
        let irq = guestInterrupt()
        packets.prefix(1).forEach { $0.points[.guestIRQ] = irq }
        guestPolls(packets)
        readAll(packets)
        vcpuHalts()
    }

    /// With posted interrupts the host wakes a vCPU that sleeps, and otherwise does nothing.
    mutating func receivePosted(_ packets: [Packet]) {
        vcpuRuns()
        vcpuEnters()
        receiveInGuest(packets)
    }

    /// Packets on their way to the device, each with its own system call.
    mutating func transmitDirectly(_ packets: [Packet]) {
        wakeSender()
        for packet in packets {
            packet.points[.guestSend] = senderCalls()
            guestQueues(packet)
            driverBegins(packet)
            packet.points[.nicXmit] = now
            driverEnds(packet)
            senderReturns()
        }
        restSender()
    }
}
