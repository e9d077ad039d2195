// One decoded event that somebody asked for: all that the analysis ever sees of it.

package import ClockSync

/// A mark: fixed size, no references. What its operands hold is for the selection to say that made it.
package struct Mark: BitwiseCopyable, Sendable {
    /// Host time in ns.
    package var time: Nanoseconds
    /// First operand.
    package var a: UInt64
    /// Second operand.
    package var b: UInt64
    /// Thread that ran when the event happened (`common_pid`), 0 for the idle thread.
    package var thread: Int32
    /// Which CPU of which machine, see `Lane`.
    package var lane: UInt16
    /// What the selection calls this event; the reserved kinds are in `Mark.Reserved`.
    package var kind: UInt8
    /// `common_flags`: in which context it happened.
    package var flags: UInt8

    package init(time: Nanoseconds, a: UInt64, b: UInt64, thread: Int32, lane: UInt16, kind: UInt8, flags: UInt8) {
        self.time = time
        self.a = a
        self.b = b
        self.thread = thread
        self.lane = lane
        self.kind = kind
        self.flags = flags
    }

    /// Inside a hardware interrupt handler (TRACE_FLAG_HARDIRQ).
    package var inHardIRQ: Bool { flags & 0x08 != 0 }
    /// While a softirq is served (TRACE_FLAG_SOFTIRQ).
    package var inSoftIRQ: Bool { flags & 0x10 != 0 }
    /// In the thread itself, not in an interrupt on top of it.
    package var inThread: Bool { flags & 0x18 == 0 }
    /// In a thread that holds softirqs off: it does a softirq's work, in a busy poll or a NAPI thread. Kernels before
    /// 5.18 do not tell.
    package var isWithoutSoftIRQs: Bool { inThread && flags & 0x80 != 0 }

    /// Kinds that no event makes.
    package enum Reserved {
        /// Events of this CPU may be missing from here on …
        package static let lostBegin: UInt8 = 250
        /// … until here; operand a is their number, 0 when the kernel did not count them.
        package static let lostEnd: UInt8 = 251
        /// The last event of this CPU.
        package static let laneEnd: UInt8 = 252
        /// The first event of this CPU.
        package static let laneBegin: UInt8 = 253
    }
}
