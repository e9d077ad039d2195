// The host's part in the guest's stages of one journey: how long the vCPU was not in the guest, and why.

package import ClockSync

/// What a vCPU was doing when an interrupt was signalled to it.
package struct VCPUState: BitwiseCopyable, Sendable {
    package enum Kind: UInt8, BitwiseCopyable, Sendable { case unknown, inGuest, inHost, preempted }

    package var kind: Kind
    /// In the host: `HostReason`'s code of its last exit. Preempted: the id of the thread that took its CPU, 0 when that is not known.
    package var by: Int32

    package static let unknown = VCPUState(kind: .unknown, by: 0)

    package init(kind: Kind, by: Int32) {
        self.kind = kind
        self.by = by
    }
}

/// Time that a vCPU spent outside its guest during the stages of one journey, by reason; fixed in size, because every packet has one.
package struct HostTimes: Sendable {
    /// One reason's part of one stage.
    package struct Span: BitwiseCopyable, Sendable {
        package var time: Nanoseconds = 0
        package var reason = HostReason.unknown
        /// How often the vCPU was out for it.
        package var count: UInt16 = 0
        /// Point at which the stage ends.
        package var point = Point.guestRead
    }

    private static let most = 16
    /// Kept for `HostReason.other`: no more stages than these are measured.
    private static let kept = 4

    private var spans = InlineArray<16, Span>(repeating: Span())
    private var used: UInt8 = 0
    /// One bit for each point whose stage is known.
    private var known: UInt32 = 0

    package init() {}

    /// Whether it is known what the vCPU did during all of the stage that ends at `point`. If not, nothing is known of it.
    package func isKnown(_ point: Point) -> Bool { known & 1 << UInt32(point.rawValue) != 0 }

    package func forEachSpan(of point: Point, _ body: (Span) -> Void) {
        for index in 0..<Int(used) where spans[index].point == point { body(spans[index]) }
    }

    /// Time outside the guest during the stage that ends at `point`.
    package func total(_ point: Point) -> Nanoseconds {
        var total: Nanoseconds = 0
        forEachSpan(of: point) { total &+= $0.time }
        return total
    }

    mutating func know(_ point: Point) { known |= 1 << UInt32(point.rawValue) }

    mutating func add(_ point: Point, _ reason: HostReason, _ time: Nanoseconds) {
        guard time > 0 else { return }
        for index in 0..<Int(used) where spans[index].point == point && spans[index].reason == reason {
            spans[index].time &+= time
            if spans[index].count < .max { spans[index].count += 1 }
            return
        }
        if Int(used) < Self.most - (reason == .other ? 0 : Self.kept) {
            spans[Int(used)] = Span(time: time, reason: reason, count: 1, point: point)
            used += 1
        } else if reason != .other {
            add(point, .other, time)
        }
    }
}
