// What packets can have in common.

package import PacketPath

/// One thing that is so of some packets and not of others.
package enum Trait: Hashable, Sendable {
    /// How the packet's interrupt reached the guest.
    case delivery(Delivery)
    /// What its vCPU was doing then.
    case vcpu(VCPUState)
    /// The queue of the guest's device.
    case queue(Int)
    /// Bytes with the Ethernet header.
    case length(Int)

    static func all(of journey: borrowing Journey) -> [Trait] {
        var traits: [Trait] = [.queue(journey.queue), .length(journey.length)]
        if journey.isDelivered {
            traits.append(.delivery(journey.delivery))
            if journey.vcpuState.kind != .unknown { traits.append(.vcpu(journey.vcpuState)) }
        }
        return traits
    }
}
