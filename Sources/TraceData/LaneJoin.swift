// One CPU's events out of several ring buffers (`trace-cmd record -B ...`), as if one buffer had held them.

import ClockSync

/// What has to be known of a CPU's buffers while their marks are merged: which of them have begun, ended or lost
/// events, and which events are in several of them.
///
/// The merge brings the marks in order of time, equal times in the order of the buffers in the file. What is left to do
/// here only ever takes marks away.
struct LaneJoin {
    /// Buffers that have events, and have not ended.
    private var open = 0
    private var hasBegun = false
    /// Buffers with a hole that is open.
    private var holes = 0
    /// Events that were counted as lost since the first of those holes began.
    private var lost: UInt64 = 0
    /// By kind of mark: the buffers that had one.
    private var buffersOfKind = [UInt64](repeating: 0, count: 256)
    /// The last events that were kept, oldest first.
    private var recent: [Kept] = []

    private struct Kept {
        var mark: Mark
        /// The buffers it was seen in.
        var buffers: UInt64
    }

    /// An event that is enabled in two instances is written into one buffer after the other, each with a time of its
    /// own. Interrupts can come between, and of a guest all the host does meanwhile.
    private static let longestEcho: Nanoseconds = 10_000_000
    /// So many events are looked through for it.
    private static let mostRecent = 1024

    /// Takes note of a buffer, by its first marks.
    mutating func add(_ first: UnsafeBufferPointer<Mark>) {
        // A hole before its first event comes before that mark.
        if unsafe first.prefix(3).contains(where: { $0.kind == Mark.Reserved.laneBegin }) { open += 1 }
    }

    /// Leaves of some marks of one buffer what the CPU's lane has.
    /// - Returns: how many are left.
    mutating func settle(_ marks: UnsafeMutableBufferPointer<Mark>, ofBuffer buffer: Int) -> Int {
        var count = 0
        for index in marks.indices {
            var mark = unsafe marks[index]
            guard
                mark.kind >= Mark.Reserved.lostBegin ? settleReserved(&mark) : isNew(mark, 1 << UInt64(min(buffer, 63)))
            else { continue }
            unsafe marks[count] = mark
            count += 1
        }
        return count
    }

    /// A hole in one of the buffers is one of the lane; the lane begins with the first of them and ends with the last.
    private mutating func settleReserved(_ mark: inout Mark) -> Bool {
        switch mark.kind {
        case Mark.Reserved.lostBegin:
            holes += 1
            return holes == 1
        case Mark.Reserved.lostEnd:
            holes -= 1
            lost &+= mark.a
            guard holes == 0 else { return false }
            mark.a = lost
            lost = 0
            return true
        case Mark.Reserved.laneBegin:
            defer { hasBegun = true }
            return !hasBegun
        case Mark.Reserved.laneEnd:
            open -= 1
            return open == 0
        default: return true
        }
    }

    /// Whether an event was not in another buffer already.
    private mutating func isNew(_ mark: Mark, _ buffer: UInt64) -> Bool {
        let kind = Int(mark.kind)
        buffersOfKind[kind] |= buffer
        // Nearly always each event is in one buffer only.
        if buffersOfKind[kind] != buffer {
            let oldest = mark.time &- Self.longestEcho
            var start = recent.count
            while start > 0, recent[start - 1].mark.time >= oldest { start -= 1 }
            for index in start..<recent.count
            where recent[index].buffers & buffer == 0 && recent[index].mark.isSameEvent(mark) {
                recent[index].buffers |= buffer
                return false
            }
        }
        if recent.count == 2 * Self.mostRecent { recent.removeFirst(Self.mostRecent) }
        recent.append(Kept(mark: mark, buffers: buffer))
        return true
    }
}

extension Mark {
    /// The same but for the time, and for flags that may have been raised meanwhile.
    fileprivate func isSameEvent(_ other: Mark) -> Bool {
        kind == other.kind && thread == other.thread && a == other.a && b == other.b && inHardIRQ == other.inHardIRQ
            && inSoftIRQ == other.inSoftIRQ
    }
}
