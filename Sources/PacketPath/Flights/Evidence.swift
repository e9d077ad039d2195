// What shows that a packet passed a point: kept only for who asks, because it is half as large as a journey.

import TraceData

/// One point's: which CPU, thread and mark.
package struct Evidence: BitwiseCopyable, Sendable, Equatable {
    /// Lane of the CPU it happened on, -1 where the past did not tell.
    package var lane: Int16
    /// The kernel's own kind of the mark; nil for a point that was read out of a thread's history, or out of an
    /// interrupt's.
    package var kind: MarkKind? { MarkKind.byRawValue[Int(rawKind)] }
    /// Id of the thread that was running, on the machine the point belongs to; -1 where that is not known.
    package var thread: Int32
    private var rawKind: UInt8

    static let none = Evidence(lane: .none, thread: .none)

    init(lane: LaneID, thread: ThreadID) {
        self.lane = lane.isNone ? -1 : Int16(clamping: lane.row)
        self.thread = thread.number
        rawKind = 0
    }

    init(_ mark: Mark) {
        lane = Int16(clamping: mark.lane)
        thread = mark.thread
        rawKind = mark.kind
    }
}

/// Of all points of a journey.
package struct JourneyEvidence: Sendable {
    private var points = InlineArray<28, Evidence>(repeating: .none)

    @inline(__always)
    package subscript(point: Point) -> Evidence {
        get { points[Int(point.rawValue)] }
        set { points[Int(point.rawValue)] = newValue }
    }
}
