// How long two machines recorded at the same time, by a clock map: what lies in one recording alone can't contradict
// the map.

package import ClockSync

/// A guest's recording beside the host's, on the host's axis.
package struct RecordingOverlap: Sendable, Equatable {
    /// Both recorded for so long, in ns.
    package var common: Nanoseconds
    /// The shorter one of the two recordings, in ns.
    package var shorter: Nanoseconds
    /// The guest's begins so long after the host's has ended; negative when it ends before the host's begins; 0 when
    /// they overlap.
    package var gap: Nanoseconds

    /// No moment is in both.
    package var isNone: Bool { gap != 0 }
    /// The map puts so little of the shorter recording into the other one that the events in it prove nothing. Where a
    /// part of a recording was taken out, that part lies in the other machine's all the same.
    package var isHardly: Bool { isNone || common < shorter / 10 }

    /// - Parameters:
    ///   - host: first and last event.
    ///   - guest: the same of the guest, on the host's axis.
    package init(host: ClosedRange<Nanoseconds>, guest: ClosedRange<Nanoseconds>) {
        func length(_ low: Nanoseconds, _ high: Nanoseconds) -> Nanoseconds { high.subtractingSaturating(low) }
        let (low, high) = (max(host.lowerBound, guest.lowerBound), min(host.upperBound, guest.upperBound))
        common = low <= high ? length(low, high) : 0
        shorter = min(length(host.lowerBound, host.upperBound), length(guest.lowerBound, guest.upperBound))
        gap =
            low <= high
            ? 0
            : guest.lowerBound > host.upperBound
                ? length(host.upperBound, guest.lowerBound) : length(host.lowerBound, guest.upperBound)
    }
}

extension ClockMap {
    /// What the map makes of a guest's recording.
    /// - Parameters:
    ///   - host: raw times of the host's first and last event.
    ///   - guest: raw times of the guest's.
    func overlap(host: ClosedRange<RawTime>, guest: ClosedRange<RawTime>) -> RecordingOverlap {
        let conversion = segments[0].toNanoseconds
        // From the host's first event: a map that is wrong may lead to times before 0, which a conversion of cycles
        // does not know.
        func place(_ raw: RawTime) -> Nanoseconds {
            conversion.duration(Int64(bitPattern: segment(at: raw).toHost.hostRaw(raw) &- host.lowerBound))
        }
        let first = place(guest.lowerBound)
        // No clock goes back: an end before the beginning has wrapped.
        let last = max(first, place(guest.upperBound))
        return RecordingOverlap(
            host: 0...conversion.duration(Int64(clamping: host.upperBound - host.lowerBound)), guest: first...last)
    }
}

extension Nanoseconds {
    fileprivate func subtractingSaturating(_ other: Nanoseconds) -> Nanoseconds {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (self < other ? .min : .max) : difference
    }
}
