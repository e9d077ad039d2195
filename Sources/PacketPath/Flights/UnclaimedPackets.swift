// Packets of which there is only a count.

/// Packets of which there is only a count: more than were kept until their device was known.
struct UncountedPacket: Hashable, Comparable {
    /// The guest's device, none while unknown.
    var port: PortID
    /// Host device, by name.
    var hostDevice: UInt16
    var direction: Direction
    var outcome: Outcome

    init(_ journey: borrowing Journey, _ port: PortID) {
        self.port = port
        hostDevice = journey.hostDevice
        direction = journey.direction
        // What it took is not known any more.
        outcome = journey.outcome == .complete ? .ambiguous : journey.outcome
    }

    /// One of them, without any time.
    var journey: Journey {
        Journey(
            machine: -1, device: 0, path: .tap, hostDevice: hostDevice, nic: 0, direction: direction, queue: 0,
            length: 0, outcome: outcome,
            dropReason: 0, delivery: .unknown, vcpuState: .unknown, times: PointTimes(), host: HostTimes())
    }

    static func < (left: UncountedPacket, right: UncountedPacket) -> Bool {
        (left.port.row, left.hostDevice, left.direction.rawValue, left.outcome.rawValue)
            < (right.port.row, right.hostDevice, right.direction.rawValue, right.outcome.rawValue)
    }
}

/// Packets of a guest device that no queue of the host was found for.
package struct UnclaimedPackets: Sendable {
    /// Index of the guest's machine.
    package var machine: Int
    /// Guest device, by name.
    package var device: UInt16
    package var count: Int
}
