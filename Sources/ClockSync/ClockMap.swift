// From a machine's raw trace clock to host time: piecewise affine, with a bound on the error at every instant.

/// Raw timestamps of a machine's trace clock, as they stand in its ring buffer: cycles for `x86-tsc`, ns otherwise.
package typealias RawTime = UInt64
/// Nanoseconds on the session's axis, which is the host's trace clock.
package typealias Nanoseconds = Int64

/// Turns a machine's raw timestamps into host time.
///
/// Pure values: built from evidence (`ClockEvidence`), applied to events elsewhere. Segments are sorted by their
/// first raw time; the first one also holds before its start and the last one after it.
package struct ClockMap: Sendable, Equatable {
    package var segments: [Segment]
    /// How the map was found, as the reports name it.
    package var method: Method

    /// The kinds of evidence a map can come from.
    package enum Method: String, Sendable {
        /// The host itself: its trace clock is the axis.
        case host
        /// TIME_SHIFT of a trace.dat file whose clock is the TSC: KVM's TSC offset.
        case kvmTSCOffset = "kvm-tsc-offset"
        /// TIME_SHIFT estimated by exchanging messages.
        case timeShift = "time-shift"
        /// Messages between recorder and agent.
        case exchanges
        /// ptp_kvm's cross-timestamps.
        case crossTimestamps = "ptp-kvm"
        /// Clocks that linuxptp keeps together, by its own reports.
        case servo = "ptp"
        /// The trace itself: guest events between entries and exits.
        case containment
        /// Nothing: the guest's clock is taken for the host's.
        case none
        /// A fixed offset from the command line.
        case given = "offset"
    }

    package init(segments: [Segment], method: Method) {
        precondition(!segments.isEmpty, "a clock map has at least one segment")
        self.segments = segments
        self.method = method
    }

    /// The segment that holds at `raw`.
    package func segment(at raw: RawTime) -> Segment {
        // Almost always one or two segments: a search from the end is as good as any.
        for segment in segments.reversed() where segment.start <= raw { return segment }
        return segments[0]
    }

    /// Host time of a raw timestamp, in ns.
    package func hostTime(_ raw: RawTime) -> Nanoseconds { segment(at: raw).hostTime(raw) }

    /// How far the host time of `raw` can be from the truth, in ns; nil when nothing bounds it.
    package func errorBound(at raw: RawTime) -> Nanoseconds? { segment(at: raw).errorBound }

    /// Largest bound over the whole map; nil when any part has none.
    package var largestErrorBound: Nanoseconds? {
        var largest: Nanoseconds = 0
        for segment in segments {
            guard let bound = segment.errorBound else { return nil }
            largest = max(largest, bound)
        }
        return largest
    }
}

extension ClockMap {
    /// One stretch of raw time over which the map is affine.
    package struct Segment: Sendable, Equatable {
        /// First raw time of the stretch.
        package var start: RawTime
        /// Last raw time of the stretch.
        package var end: RawTime
        /// From this machine's raw clock to the host's.
        package var toHost: RawConversion
        /// From the host's raw clock to ns.
        package var toNanoseconds: CycleConversion
        /// Bound on the error in ns, nil when unknown.
        package var errorBound: Nanoseconds?

        package init(
            start: RawTime = 0, end: RawTime = .max, toHost: RawConversion = .identity,
            toNanoseconds: CycleConversion = .nanoseconds, errorBound: Nanoseconds? = nil
        ) {
            self.start = start
            self.end = end
            self.toHost = toHost
            self.toNanoseconds = toNanoseconds
            self.errorBound = errorBound
        }

        package func hostTime(_ raw: RawTime) -> Nanoseconds { toNanoseconds.nanoseconds(toHost.hostRaw(raw)) }
    }

    /// How one raw clock reads another.
    package enum RawConversion: Sendable, Equatable {
        /// host = raw + offset; the offset is signed and kept modulo 2^64.
        case offset(UInt64)
        /// KVM's scaled TSC, guest = host·ratio >> fractionBits + kvmOffset, read backwards:
        /// host = (guest + offset) << fractionBits / ratio, rounded to the nearest cycle.
        case scaled(offset: UInt64, ratio: UInt64, fractionBits: UInt32)
        /// The offset goes on a straight line from `from` (at raw time `start`) to `to` (at raw time `end`).
        case interpolated(start: RawTime, end: RawTime, from: Int64, to: Int64)

        package static let identity = RawConversion.offset(0)

        /// Both clocks run at one rate.
        package var isConstant: Bool { if case .offset = self { true } else { false } }

        package func hostRaw(_ raw: RawTime) -> RawTime {
            switch self {
            case .offset(let offset):
                return raw &+ offset
            case .scaled(let offset, let ratio, let fractionBits):
                // 128 bits hold any 64-bit count shifted by at most 63 fraction bits.
                let product = UInt128(raw &+ offset) << UInt128(fractionBits)
                let quotient = (product + UInt128(ratio) / 2) / UInt128(ratio)
                return RawTime(truncatingIfNeeded: quotient)
            case .interpolated(let start, let end, let from, let to):
                let progress = Int128(raw) - Int128(start)
                let slope = Int128(to) - Int128(from)
                // Wrapping: samples that are millennia apart are nonsense, and may come out as nonsense.
                let offset = Int128(from) &+ progress &* slope / max(1, Int128(end) - Int128(start))
                return RawTime(truncatingIfNeeded: Int128(raw) &+ offset)
            }
        }
    }
}

/// Cycles of a counter to ns by the kernel's own arithmetic: (cycles · multiplier) >> shift + offset.
///
/// The option TSC2NSEC of a trace.dat file, taken from `time_mult` and `time_shift` of perf_event_mmap_page.
package struct CycleConversion: Sendable, Equatable {
    package var multiplier: UInt32
    package var shift: UInt32
    package var offset: UInt64

    package init(multiplier: UInt32, shift: UInt32, offset: UInt64) {
        self.multiplier = multiplier
        self.shift = shift
        self.offset = offset
    }

    /// For a clock that counts ns already.
    package static let nanoseconds = CycleConversion(multiplier: 1, shift: 0, offset: 0)

    package func nanoseconds(_ cycles: UInt64) -> Nanoseconds {
        let (high, low) = cycles.multipliedFullWidth(by: UInt64(multiplier))
        let shifted =
            shift == 0
            ? low : shift < 64 ? (low >> UInt64(shift)) | (high << UInt64(64 - shift)) : high >> UInt64(shift - 64)
        return Nanoseconds(truncatingIfNeeded: shifted &+ offset)
    }
}

extension ClockMap.Segment {
    /// The raw time whose host time is `time`, to within the rounding of the map: its inverse, by bisection.
    package func rawTime(of time: Nanoseconds) -> RawTime {
        // Host times rise with raw times; 64 steps reach any raw time. Offsets are modulo 2^64, so start where host
        // raw time is 0.
        var low: UInt64 = 0
        var high = UInt64(1) << 63
        func reached(_ hostRaw: UInt64) -> Bool { toNanoseconds.nanoseconds(hostRaw) >= time }
        while low < high {
            let middle = low + (high - low) / 2
            if reached(middle) { high = middle } else { low = middle + 1 }
        }
        return toHost.raw(hostRaw: low)
    }
}

extension ClockMap.RawConversion {
    /// The raw time that reads `hostRaw` on the host: the conversion backwards, to within its rounding.
    package func raw(hostRaw: RawTime) -> RawTime {
        switch self {
        case .offset(let offset): return hostRaw &- offset
        case .scaled(let offset, let ratio, let fractionBits):
            // KVM's own direction: host·ratio >> fractionBits + kvmOffset.
            let product = UInt128(hostRaw).multipliedFullWidth(by: UInt128(ratio))
            return UInt64(truncatingIfNeeded: product.low >> UInt128(fractionBits)) &- offset
        case .interpolated(_, _, let from, _):
            // Offsets drift by millionths: one step from the first offset is near enough.
            let guess = hostRaw &- UInt64(bitPattern: from)
            return guess &- (self.hostRaw(guess) &- hostRaw)
        }
    }
}
