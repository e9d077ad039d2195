// Which packets are called slow.

package import ClockSync

/// What a person asks of the slow packets.
package struct TailQuestion: Sendable {
    /// Where slow begins.
    package enum Limit: Sendable, Equatable {
        /// Above this percentile of each flow's packets.
        case percentile(Double)
        /// Above this time.
        case time(Nanoseconds)
    }

    package var limit: Limit
    /// The stage whose time makes a packet slow, by name; nil for the time of the whole way.
    package var stage: String?
    /// The one packet that is asked for, by number; nil for all that are slow.
    package var packet: Int?

    package init(limit: Limit = .percentile(99), stage: String? = nil, packet: Int? = nil) {
        self.limit = limit
        self.stage = stage
        self.packet = packet
    }

    /// So many slow packets of a flow are looked at together at the most.
    package static let mostSlow = 1 << 17
}

/// Why a question can't be answered.
package enum TailFault: Error, Equatable {
    /// No complete packet has this number.
    case noPacket(Int)
    /// No flow has a stage of this name; the names there are.
    case noStage(String, [String])
    /// More packets are slow than are looked at together.
    case tooMany(limit: Int)
}
