// What is not seen of packets without an event: points, stages, or whole journeys; before a recording, and after one.

/// What a kernel without some events can't show, whatever is recorded: shared by the events that the same is missing
/// without.
package struct Blindness: Sendable, Equatable {
    /// Names it for programs; unique on one kind of machine.
    package var id: String
    /// For people: which points are missing, and which stages grow.
    package var meaning: String
    /// Each of its events does the same, so that nothing is missing as long as there is one of them.
    package var anyIsEnough: Bool

    private init(_ id: String, _ meaning: String, anyIsEnough: Bool = false) {
        self.id = id
        self.meaning = meaning
        self.anyIsEnough = anyIsEnough
    }
}

// On hosts.
extension Blindness {
    package static let guests = Blindness(
        "kvm", "no journey leads into a guest: no vcpu.entry, no kick, and the trace can't check the guests' clocks")
    package static let injection = Blindness("inject", "no irq.inject: vhost-signal is part of the next stage")
    package static let kick = Blindness(
        "kick", "no kick: guest-exit is part of vhost-wakeup in transmit", anyIsEnough: true)
    package static let tsc = Blindness(
        "tsc", "a guest whose TSC is set anew while it is recorded is found at the end only")
    package static let hostTransmit = Blindness("transmit", "no host.egress, so no journeys")
    package static let copy = Blindness(
        "copy", "no vhost.copy: vhost-copy is part of vhost-signal, and what comes by a macvtap is not seen")
    package static let stack = Blindness("stack", "no host.ingress on the tap, so transmit journeys stay incomplete")
    package static let sent = Blindness("sent", "no nic.xmit, so transmit journeys stay incomplete")
    package static let ovs = Blindness(
        "ovs", "what Open vSwitch does with a packet is not seen apart: it is part of host-stack")
    package static let xdp = Blindness("xdp", "packets that XDP redirects can't be followed")
}

// In guests.
extension Blindness {
    package static let receive = Blindness(
        "receive", "no guest.ingress, so receive journeys stay incomplete", anyIsEnough: true)
    package static let guestTransmit = Blindness("transmit", "no guest.egress, so no transmit journeys")
    package static let read = Blindness(
        "read", "no guest.read of datagrams, and an skb address that is used again can't be told from the packet before"
    )
    package static let calls = Blindness(
        "calls", "no guest.send: a transmit journey begins at guest.egress, without guest-stack")
}

// On both.
extension Blindness {
    package static let interrupts = Blindness("irq", "no interrupt points (nic.irq, guest.irq), and no stage irq")
    package static let poll = Blindness(
        "poll", "the order of the receive queue can't be proven, so packets become ambiguous")
    package static let switches = Blindness(
        "sched",
        "no vhost.run, vcpu.run and guest.run: vhost-wakeup, kvm-wakeup and app-wakeup are part of the next stages")
    package static let wakeUps = Blindness("waking", "no wake-up points: what a wake-up costs is not seen")
    package static let drops = Blindness("drop", "packets that are dropped are not told from those that are lost")
}

/// What a recording that holds none of an event can't say, in a few words.
package struct Absence: Sendable {
    /// Of a host with guests.
    package var onHost: String?
    package var inGuest: String?
    /// Of a host whose own packets are followed.
    package var alone: String?

    init(onHost: String? = nil, inGuest: String? = nil, alone: String? = nil) {
        self.onHost = onHost
        self.inGuest = inGuest
        self.alone = alone
    }

    /// - Parameter alone: what a host's own packets lack, where that is something else.
    init(_ everywhere: String, alone: String? = nil) {
        self.init(onHost: everywhere, inGuest: everywhere, alone: alone ?? everywhere)
    }
}

extension Absence {
    static let interruptPoints = Absence("no interrupt points")
    static let silentReaders = Absence(
        "UDP's readers leave no other trace from Linux 6.18 on: what they read is not-recorded")
}
