// What was measured about a guest's clock, all of it, whichever of it is used.

/// The evidence about one guest's clock, kept as it was measured.
package struct RecordedClock: Codable, Sendable, Equatable {
    /// The guest.
    package var machine: String
    /// What KVM said of each vCPU's TSC at the beginning and at the end.
    package var kvm: [KVMReading] = []
    /// ptp_kvm in the guest: the host's CLOCK_REALTIME at an instant of the guest.
    package var crossTimestamps: [CrossTimestamp] = []
    /// Messages between recorder and agent with the trace clock's time at each of their four ends.
    package var exchanges: [Exchange] = []
    /// What the exchange with the shortest round trip says; absent without exchanges.
    package var exchangeEstimate: ExchangeEstimate?
    /// CLOCK_REALTIME of the host between two readings of its trace clock, which cross-timestamps need.
    package var hostReadings: [ClockReading] = []

    package init(machine: String) { self.machine = machine }

    /// Keeps exchanges, and what they say.
    package mutating func take(_ exchanges: [Exchange]) {
        self.exchanges = exchanges
        // A guest whose clock is wrong may have had a message for longer than it was away.
        exchangeEstimate = exchanges.filter { $0.roundTrip >= 0 }.min { $0.roundTrip < $1.roundTrip }.map {
            // The way there may have taken all of the time, or none of it.
            ExchangeEstimate(offset: $0.offset, bound: $0.roundTrip / 2 + $0.roundTrip % 2, at: $0.hostSent)
        }
    }

    enum CodingKeys: String, CodingKey {
        case machine, kvm
        case crossTimestamps = "cross_timestamps"
        case exchanges
        case exchangeEstimate = "exchange_estimate"
        case hostReadings = "host_readings"
    }
}

/// debugfs kvm/PID-FD/vcpuN at one moment: guest TSC = (host TSC · ratio >> fractionBits) + offset.
package struct KVMReading: Codable, Sendable, Equatable {
    package enum Moment: String, Codable, Sendable { case begin, end }

    package var moment: Moment
    package var vcpu: Int
    package var thread: Int32
    /// In cycles, signed.
    package var offset: Int64
    /// Absent where the kernel does not say.
    package var ratio: UInt64?
    package var fractionBits: UInt32?

    package init(moment: Moment, vcpu: Int, thread: Int32, offset: Int64, ratio: UInt64?, fractionBits: UInt32?) {
        self.moment = moment
        self.vcpu = vcpu
        self.thread = thread
        self.offset = offset
        self.ratio = ratio
        self.fractionBits = fractionBits
    }

    /// A ratio of one is no scaling.
    package var isScaled: Bool {
        guard let ratio, let fractionBits, ratio != 0, fractionBits < 64 else { return false }
        return ratio != 1 << UInt64(fractionBits)
    }

    enum CodingKeys: String, CodingKey {
        case moment, vcpu, thread
        case offset = "tsc_offset"
        case ratio = "tsc_scaling_ratio"
        case fractionBits = "tsc_scaling_fraction_bits"
    }
}

/// One PTP_SYS_OFFSET_PRECISE on the guest's "KVM virtual PTP" clock: three clocks at one instant.
package struct CrossTimestamp: Codable, Sendable, Equatable {
    /// The host's CLOCK_REALTIME.
    package var host: Int64
    /// The guest's CLOCK_REALTIME.
    package var realtime: Int64
    /// The guest's CLOCK_MONOTONIC_RAW.
    package var monotonicRaw: Int64
    /// The guest's CLOCK_MONOTONIC, read right after, by which logs of its servos tell time; absent in older
    /// recordings.
    package var monotonic: Int64?
    /// The guest's trace clock before and after, raw: the instant lies between.
    package var before: UInt64
    package var after: UInt64

    package init(
        host: Int64, realtime: Int64, monotonicRaw: Int64, monotonic: Int64? = nil, before: UInt64, after: UInt64
    ) {
        self.host = host
        self.realtime = realtime
        self.monotonicRaw = monotonicRaw
        self.monotonic = monotonic
        self.before = before
        self.after = after
    }

    enum CodingKeys: String, CodingKey {
        case host = "host_realtime_ns"
        case realtime = "guest_realtime_ns"
        case monotonicRaw = "guest_monotonic_raw_ns"
        case monotonic = "guest_monotonic_ns"
        case before = "guest_before"
        case after = "guest_after"
    }
}

/// A clock read between two readings of the trace clock of the same machine.
package struct ClockReading: Codable, Sendable, Equatable {
    /// CLOCK_REALTIME.
    package var realtime: Int64
    /// CLOCK_MONOTONIC_RAW.
    package var monotonicRaw: Int64
    /// CLOCK_MONOTONIC, by which logs of servos tell time; absent in older recordings.
    package var monotonic: Int64?
    /// The trace clock before and after, raw.
    package var before: UInt64
    package var after: UInt64

    package init(realtime: Int64, monotonicRaw: Int64, monotonic: Int64? = nil, before: UInt64, after: UInt64) {
        self.realtime = realtime
        self.monotonicRaw = monotonicRaw
        self.monotonic = monotonic
        self.before = before
        self.after = after
    }

    enum CodingKeys: String, CodingKey {
        case realtime = "realtime_ns"
        case monotonicRaw = "monotonic_raw_ns"
        case monotonic = "monotonic_ns"
        case before, after
    }
}

/// One exchange of messages, as PTP's delay request and response; each stamp is a trace marker, raw in its machine's
/// trace clock.
package struct Exchange: Codable, Sendable, Equatable {
    package var hostSent: UInt64
    package var guestReceived: UInt64
    package var guestSent: UInt64
    package var hostReceived: UInt64
    /// Time on the way, both ways together, in ns of the host's clock.
    package var roundTrip: Int64
    /// Guest time minus host time in the middle of the exchange, in ns; wrong by half the round trip at the most.
    package var offset: Int64

    package init(
        hostSent: UInt64, guestReceived: UInt64, guestSent: UInt64, hostReceived: UInt64, roundTrip: Int64,
        offset: Int64
    ) {
        self.hostSent = hostSent
        self.guestReceived = guestReceived
        self.guestSent = guestSent
        self.hostReceived = hostReceived
        self.roundTrip = roundTrip
        self.offset = offset
    }

    enum CodingKeys: String, CodingKey {
        case hostSent = "host_sent"
        case guestReceived = "guest_received"
        case guestSent = "guest_sent"
        case hostReceived = "host_received"
        case roundTrip = "round_trip_ns"
        case offset = "offset_ns"
    }
}

/// The offset of a clock by one exchange, and how wrong it can be.
package struct ExchangeEstimate: Codable, Sendable, Equatable {
    /// Guest time minus host time, in ns.
    package var offset: Int64
    /// Half the round trip, in ns.
    package var bound: Int64
    /// Raw host time of the exchange.
    package var at: UInt64

    package init(offset: Int64, bound: Int64, at: UInt64) {
        self.offset = offset
        self.bound = bound
        self.at = at
    }

    enum CodingKeys: String, CodingKey {
        case offset = "offset_ns"
        case bound = "bound_ns"
        case at
    }
}
