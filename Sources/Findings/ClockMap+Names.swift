// What kinds of clock evidence are called, and when a map is as good as exact.

package import ClockSync

extension ClockMap {
    /// An error of a rounding is none.
    package static let exactBound: Nanoseconds = 1
}

extension ClockMap.Method {
    /// For people.
    package var name: String {
        switch self {
        case .host: "host's own"
        case .kvmTSCOffset: "KVM TSC offset"
        case .timeShift: "TIME_SHIFT estimate"
        case .exchanges: "exchanges"
        case .crossTimestamps: "KVM PTP clock"
        case .servo: "servo reports"
        case .containment: "containment"
        case .none: "none"
        case .given: "given offset"
        }
    }
}
