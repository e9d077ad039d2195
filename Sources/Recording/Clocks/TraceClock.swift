// Reading a trace clock from user space, which gives the same numbers as the kernel stamps its events with.

internal import CLinux
import ClockSync
import Glibc

/// Trace clocks that a program can read too; `local`, `global` and the others are the kernel's alone.
enum TraceClock: Equatable, Sendable {
    /// x86-tsc: cycles.
    case cycles
    /// mono, mono_raw, boot, tai: ns of the POSIX clock that ftrace's clock is made of.
    case posix(clockid_t)

    /// - Parameter name: as the file trace_clock has it.
    init?(_ name: String) {
        switch name {
        case "x86-tsc": self = .cycles
        case "mono": self = .posix(CLOCK_MONOTONIC)
        case "mono_raw": self = .posix(CLOCK_MONOTONIC_RAW)
        case "boot": self = .posix(CLOCK_BOOTTIME)
        case "tai": self = .posix(CLOCK_TAI)
        default: return nil
        }
    }

    func read() -> RawTime {
        switch self {
        case .cycles: clinux_tsc()
        case .posix(let clock): RawTime(bitPattern: Self.nanoseconds(clock))
        }
    }

    static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var now = timespec()
        unsafe clock_gettime(clock, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}

extension CycleConversion {
    /// The kernel's own conversion of this machine's TSC; nil where it has none, or does not tell.
    static var ofThisMachine: CycleConversion? {
        var multiplier: UInt32 = 0
        var shift: UInt32 = 0
        guard unsafe clinux_tsc_conversion(&multiplier, &shift) == 0, shift < 64 else { return nil }
        return CycleConversion(multiplier: multiplier, shift: shift, offset: 0)
    }
}
