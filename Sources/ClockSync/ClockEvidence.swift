// What is known about two clocks, kept apart from what is concluded from it.

/// One correction of a TIME_SHIFT option: at raw guest time `time` the guest's clock lay `offset` behind the host's.
package struct TimeShiftSample: Sendable, Equatable {
    package var time: RawTime
    /// What is added to a guest timestamp, signed, modulo 2^64.
    package var offset: UInt64
    /// KVM's TSC scaling ratio; 1 with no fraction bits when the guest's TSC is not scaled.
    package var scaling: UInt64

    package init(time: RawTime, offset: UInt64, scaling: UInt64) {
        self.time = time
        self.offset = offset
        self.scaling = scaling
    }
}

/// TIME_SHIFT of one guest CPU, as trace-cmd and virtlat write it.
package struct TimeShift: Sendable, Equatable {
    /// The offset between two samples lies on a line between theirs (flag 1), instead of being the earlier one's.
    package var interpolates: Bool
    package var samples: [TimeShiftSample]
    /// Fraction bits of `scaling`; 0 when the file has none.
    package var fractionBits: UInt32

    package init(interpolates: Bool, samples: [TimeShiftSample], fractionBits: UInt32) {
        self.interpolates = interpolates
        self.samples = samples
        self.fractionBits = fractionBits
    }
}

extension ClockMap {
    /// The axis itself.
    /// - Parameter conversion: TSC2NSEC where the trace clock counts cycles.
    package static func host(_ conversion: CycleConversion?) -> ClockMap {
        ClockMap(segments: [Segment(toNanoseconds: conversion ?? .nanoseconds, errorBound: 0)], method: .host)
    }

    /// The map a TIME_SHIFT option describes. Its error is not known from the option, so the map carries no bound.
    ///
    /// An offset holds from its sample's time on (the first also before that), as trace-cmd reads it. Scaled TSCs are
    /// mapped by KVM's definition of the guest's TSC (Documentation/virt/kvm/x86/timekeeping.rst), see
    /// `RawConversion.scaled`.
    /// - Returns: nil when there is no sample, or a scaling that no TSC can have.
    package static func timeShift(_ shift: TimeShift, hostClock: CycleConversion?) -> ClockMap? {
        let samples = shift.samples.sorted { $0.time < $1.time }
        guard !samples.isEmpty, shift.fractionBits < 64 else { return nil }
        var segments: [Segment] = []
        for (index, sample) in samples.enumerated() {
            guard sample.scaling != 0 else { return nil }
            let next = index + 1 < samples.count ? samples[index + 1] : nil
            var segment = Segment(
                start: sample.time, end: (next?.time ?? .max) &- (next == nil ? 0 : 1),
                toNanoseconds: hostClock ?? .nanoseconds)
            if sample.scaling == 1 && shift.fractionBits == 0 {
                segment.toHost = .offset(sample.offset)
                if shift.interpolates, let next, next.offset != sample.offset, next.time > sample.time {
                    segment.toHost = .interpolated(
                        start: sample.time, end: next.time,
                        from: Int64(bitPattern: sample.offset), to: Int64(bitPattern: next.offset))
                }
            } else {
                segment.toHost = .scaled(
                    offset: sample.offset, ratio: sample.scaling, fractionBits: shift.fractionBits)
            }
            // Equal neighbours are one stretch.
            if let last = segments.last, last.toHost == segment.toHost {
                segments[segments.count - 1].end = segment.end
            } else {
                segments.append(segment)
            }
        }
        segments[0].start = 0
        let method: Method = hostClock != nil && !shift.interpolates ? .kvmTSCOffset : .timeShift
        return ClockMap(segments: segments, method: method)
    }
}
