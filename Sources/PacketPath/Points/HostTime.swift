// The host's part in the guest's stages of one journey: how long the vCPU was not in the guest, and why.

package import ClockSync

/// What a vCPU was doing when an interrupt was signalled to it.
package struct VCPUState: BitwiseCopyable, Hashable, Sendable {
    package enum Kind: UInt8, BitwiseCopyable, Hashable, Sendable { case unknown, inGuest, inHost, preempted }

    package var kind: Kind
    /// In the host: `HostReason`'s code of its last exit. Preempted: the id of the thread that took its CPU, 0 when
    /// that is not known.
    package var by: Int32

    package static let unknown = VCPUState(kind: .unknown, by: 0)

    package init(kind: Kind, by: Int32) {
        self.kind = kind
        self.by = by
    }
}

/// Time that a vCPU spent outside its guest during the stages of one journey, by reason; fixed in size and small,
/// because every packet has one.
package struct HostTimes: Sendable {
    /// One reason's part of one stage: from the lowest bit on time (ns), count, reason, stage.
    private struct Span: BitwiseCopyable {
        static let longest: Nanoseconds = 1 << 36 - 1
        static let mostOften: UInt64 = 1 << 12 - 1
        var bits: UInt64 = 0

        /// Of which stage and reason it is, as its upper bits.
        static func key(_ stage: Int, _ reason: HostReason) -> UInt64 {
            UInt64(stage) << 61 | UInt64(reason.code) << 48
        }

        var key: UInt64 { bits & ~(1 << 48 - 1) }
        var stage: Int { Int(bits >> 61) }
        var reason: HostReason { HostReason(code: Int32(bits >> 48 & (1 << 13 - 1))) }
        /// How often the vCPU was out for it; no more than `mostOften` are counted.
        var count: UInt64 { bits >> 36 & Self.mostOften }
        var time: Nanoseconds { Nanoseconds(bits & UInt64(Self.longest)) }
    }

    private static let most = 16
    /// Kept for `HostReason.other`: no more stages than these are measured.
    private static let kept = 4

    private var spans = InlineArray<16, Span>(repeating: Span())
    private var used: UInt8 = 0
    /// One bit for each stage that is known.
    private var known: UInt8 = 0
    /// One bit for each stage that was longer than a span can tell.
    private var endless: UInt8 = 0

    package init() {}

    /// The stages that are measured, by the points they end at.
    private static func stage(_ point: Point) -> Int {
        switch point {
        case .guestIngress: 0
        case .guestWake: 1
        case .guestRun: 2
        case .guestRead: 3
        case .guestEgress: 4
        default: 7
        }
    }

    /// All time outside the guest, by stage.
    package struct Totals {
        fileprivate var times = InlineArray<8, Nanoseconds>(repeating: 0)
        fileprivate var known: UInt8

        /// During the stage that ends at `point`; nil when it is not known what the vCPU did during all of it.
        package subscript(point: Point) -> Nanoseconds? {
            let stage = HostTimes.stage(point)
            return known & 1 << UInt8(stage) != 0 ? times[stage] : nil
        }
    }

    /// The sums of all stages at once, because every packet is asked for them.
    package var totals: Totals {
        var totals = Totals(known: known & ~endless)
        for index in 0..<Int(used) { totals.times[spans[index].stage] &+= spans[index].time }
        return totals
    }

    /// The reasons of that time, each with how often and how long; only for a stage that has a total.
    package func forEachReason(_ point: Point, _ body: (HostReason, Int, Nanoseconds) -> Void) {
        let stage = Self.stage(point)
        for index in 0..<Int(used) where spans[index].stage == stage {
            body(spans[index].reason, Int(spans[index].count), spans[index].time)
        }
    }

    /// Takes back what was found of a stage.
    mutating func forget(_ point: Point) {
        let stage = Self.stage(point)
        known &= ~(1 << UInt8(stage))
        endless &= ~(1 << UInt8(stage))
        var kept = 0
        for index in 0..<Int(used) where spans[index].stage != stage {
            spans[kept] = spans[index]
            kept += 1
        }
        used = UInt8(kept)
    }

    mutating func know(_ point: Point) { known |= 1 << UInt8(Self.stage(point)) }

    mutating func add(_ point: Point, _ reason: HostReason, _ time: Nanoseconds) {
        guard time > 0 else { return }
        let stage = Self.stage(point)
        let key = Span.key(stage, reason)
        var index = 0
        while index < Int(used), spans[index].key != key { index += 1 }
        guard index < Self.most - (reason == .other || index < Int(used) ? 0 : Self.kept) else {
            if reason != .other { add(point, .other, time) }
            return
        }
        if index == Int(used) {
            spans[index].bits = key
            used += 1
        }
        // A minute of one packet's time: its reader was busy with something else.
        guard time <= Span.longest - spans[index].time else {
            endless |= 1 << UInt8(stage)
            return
        }
        let count = min(spans[index].count + 1, Span.mostOften)
        spans[index].bits = key | count << 36 | UInt64(spans[index].time + time)
    }
}
