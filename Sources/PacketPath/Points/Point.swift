// The vocabulary of a packet's way: points, stages, owners, reasons. DESIGN names; the kernel's words.

/// A named place on a packet's way, in the order of the columns of a packet table.
package enum Point: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case nicIRQ, nicWake, nicRun, hostIngress, ovsUpcall, ovsReply, ovsAction, hostEgress
    case vhostWake, vhostRun, vhostCopy
    case irqInject, vcpuWake, vcpuRun, vcpuEntry
    case guestIRQ, guestIngress, guestWake, guestRun, guestRead
    case guestSend, guestEgress, kick, nicXmit
    case appSend, appWake, appRun, appRead

    package var name: String {
        switch self {
        case .nicIRQ: "nic.irq"
        case .nicWake: "nic.wake"
        case .nicRun: "nic.run"
        case .hostIngress: "host.ingress"
        case .ovsUpcall: "ovs.upcall"
        case .ovsReply: "ovs.reply"
        case .ovsAction: "ovs.action"
        case .hostEgress: "host.egress"
        case .vhostWake: "vhost.wake"
        case .vhostRun: "vhost.run"
        case .vhostCopy: "vhost.copy"
        case .irqInject: "irq.inject"
        case .vcpuWake: "vcpu.wake"
        case .vcpuRun: "vcpu.run"
        case .vcpuEntry: "vcpu.entry"
        case .guestIRQ: "guest.irq"
        case .guestIngress: "guest.ingress"
        case .guestWake: "guest.wake"
        case .guestRun: "guest.run"
        case .guestRead: "guest.read"
        case .guestSend: "guest.send"
        case .guestEgress: "guest.egress"
        case .kick: "kick"
        case .nicXmit: "nic.xmit"
        case .appSend: "app.send"
        case .appWake: "app.wake"
        case .appRun: "app.run"
        case .appRead: "app.read"
        }
    }
}

extension Point {
    /// Only a guest's events mark it.
    var isGuests: Bool {
        switch self {
        case .guestIRQ, .guestIngress, .guestWake, .guestRun, .guestRead, .guestSend, .guestEgress: true
        default: false
        }
    }
}

package enum Direction: UInt8, CaseIterable, Sendable {
    /// NIC to the guest's application.
    case receive
    /// The guest's application to the NIC.
    case transmit

    package var name: String { self == .receive ? "rx" : "tx" }
    package var index: Int { Int(rawValue) }
}

/// Who a stage belongs to.
package enum Owner: UInt8, CaseIterable, Sendable {
    case irq, hostStack, vhost, kvm, guest, app

    package var name: String {
        switch self {
        case .irq: "irq"
        case .hostStack: "host-stack"
        case .vhost: "vhost"
        case .kvm: "kvm"
        case .guest: "guest"
        case .app: "app"
        }
    }
}

/// How an rx packet's interrupt reached the guest.
package enum Delivery: UInt8, CaseIterable, Sendable {
    case unknown
    /// The vCPU slept and was woken.
    case woken
    /// The vCPU had halted and its thread was still polling for work.
    case haltPoll
    /// The vCPU was running: forced out of the guest, or out for another exit already.
    case kick
    /// The vCPU was runnable but on no CPU.
    case preempted
    /// Delivered into the running guest without an exit.
    case posted
    /// The guest was polling: no interrupt was needed.
    case suppressed
    /// Came with the interrupt of an earlier packet.
    case coalesced

    package var name: String {
        switch self {
        case .unknown: "unknown"
        case .woken: "woken"
        case .haltPoll: "halt-poll"
        case .kick: "kick"
        case .preempted: "preempted"
        case .posted: "posted"
        case .suppressed: "suppressed"
        case .coalesced: "coalesced"
        }
    }
}

/// How a journey ended.
package enum Outcome: UInt8, CaseIterable, Sendable {
    case complete
    /// Began or ended outside the recording.
    case traceEdge
    /// Touched a hole in the recording.
    case lostEvents
    /// Taken by the kernel itself: ARP, ICMP, a bare TCP acknowledgement.
    case kernelConsumed
    /// Freed with a drop reason.
    case dropped
    /// Its identity across the virtqueue could not be proven.
    case ambiguous
    /// An event the path needs is not in the recording.
    case notRecorded

    package var name: String {
        switch self {
        case .complete: "complete"
        case .traceEdge: "trace-edge"
        case .lostEvents: "lost-events"
        case .kernelConsumed: "kernel-consumed"
        case .dropped: "dropped"
        case .ambiguous: "ambiguous"
        case .notRecorded: "not-recorded"
        }
    }
}
