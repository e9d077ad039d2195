// The recordings in traces/ and what their READMEs say of them.

import Foundation
import TestSupport

/// A folder of traces/.
enum Recording: String, CaseIterable, Sendable, CustomStringConvertible {
    case steady = "tap-steady"
    case burst = "tap-burst"
    case cross = "tap-2vcpu-cross"
    case lost = "tap-tinybuf-lost"

    var description: String { rawValue }
    var folder: String { Checkout.recording(rawValue) }
    var host: String { folder + "/host.dat" }
    var guest: String { folder + "/host-g3.dat" }

    /// Packets the client sent and the application answered.
    var packets: Int {
        switch self {
        case .steady, .cross: 300
        case .burst: 320
        case .lost: 480
        }
    }

    /// Bytes of each of them, with the Ethernet header.
    static let packetLength = 106

    /// Host time of a guest's TSC: ((tsc + TIME_SHIFT's offset) * multiplier) >> 31, with the host's TSC2NSEC.
    func hostTime(tsc: Int64) -> Int64 {
        let (offset, multiplier): (Int128, Int128) =
            switch self {
            case .steady, .burst: (39_445_181_360, 827_197_636)
            case .cross: (182_705_566_475, 827_196_362)
            case .lost: (1_722_360_654_905, 827_197_636)
            }
        return Int64(((Int128(tsc) + offset) * multiplier) >> 31)
    }
}
