// A journey that has ended: what the rest of the program sees of packets.

package import ClockSync

/// One packet in one direction, complete or not.
package struct Journey: Sendable {
    /// Index of the guest's machine.
    package var machine: Int
    /// Guest device, by name.
    package var device: UInt16
    /// What the queue it went through turned out to be.
    package var path: PathKind
    /// Host device (the tap or macvtap), by name; 0 for a macvtap whose name no event has told.
    package var hostDevice: UInt16
    /// The host's NIC, by name; 0 when the packet did not come that far, or from the host itself.
    package var nic: UInt16
    package var direction: Direction
    package var queue: Int
    /// Bytes with the Ethernet header.
    package var length: Int
    package var outcome: Outcome
    /// The kernel's reason, for dropped packets.
    package var dropReason: UInt32
    package var delivery: Delivery
    /// No length confirms its place in the ring's order: native XDP tells none.
    package var isKnownByOrderAlone = false
    /// The same number in the journey out of one guest and in that into another, where a packet went from one to the
    /// other on this host; 0 for others.
    package var relay: UInt32 = 0
    /// What the vCPU was doing when the interrupt was signalled, for an rx packet that has one of its own.
    package var vcpuState: VCPUState
    package var times: PointTimes
    /// The host's part in the stages that lie in the guest.
    package var host: HostTimes
    /// Counted from 1 in the order in which journeys are handed on, which is the same in every pass over the same
    /// marks; 0 before that.
    package var number = 0

    /// An interrupt has brought it to its guest, or none was needed: how is its delivery.
    package var isDelivered: Bool { direction == .receive && path != .host && outcome == .complete }

    /// Sent, and no call is known that sent it: its way begins with the driver.
    package var isWithoutCall: Bool { direction == .transmit && !times.has(.guestSend) && !times.has(.appSend) }

    /// First point passed, nil when there is none.
    package func firstTime(_ waypoints: [Waypoint]) -> Nanoseconds? {
        for waypoint in waypoints where times.has(waypoint.point) { return times[waypoint.point] }
        return nil
    }
}

/// Where journeys go, one by one, as they end.
package protocol JourneySink: AnyObject {
    func take(_ journey: borrowing Journey)
}
