// One packet of a scene: its addresses, its way, and how its journey can be told from another's.

import ClockSync
import PacketPath

/// A packet as the kernels of a scene know it, and what truly happened to it.
final class Packet {
    /// With the Ethernet header.
    let length: Int
    /// Its addresses in the two kernels.
    var hostSKB: UInt64
    var guestSKB: UInt64
    var points = Points()
    /// How its journey has to end.
    var fate = Outcome.complete
    /// netif_receive_skb of the NIC, which stands in where napi_gro_receive_entry was not recorded.
    var stackReceive: Nanoseconds?

    init(length: Int, hostSKB: UInt64, guestSKB: UInt64) {
        self.length = length
        self.hostSKB = hostSKB
        self.guestSKB = guestSKB
    }

    /// The points that are one packet's alone.
    static let identity: [Point] = [
        .hostIngress, .hostEgress, .vhostCopy, .guestIngress, .guestRead, .guestEgress, .nicXmit,
    ]

    /// Whether a journey with these points can be this packet's: it may lack some, but has no other packet's.
    func matches(_ found: Points) -> Bool {
        Self.identity.allSatisfy { point in
            guard let time = found[point], time != points[point] else { return true }
            return point == .hostIngress && time == stackReceive
        }
    }

    /// Whether the interrupts, wake-ups, switches and calls in it are the packet's too, as far as they are known.
    func agrees(_ found: Points) -> Bool {
        Point.allCases.allSatisfy { point in
            Self.identity.contains(point) || found[point] == nil || found[point] == points[point]
                || points[point] == nil && point != .guestSend
        }
    }
}

extension [Packet] {
    /// Something that happened to all of them at once.
    func stamp(_ point: Point, _ time: Nanoseconds?) {
        for packet in self { packet.points[point] = time }
    }
}
