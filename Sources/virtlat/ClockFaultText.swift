// What is said when clocks are at fault: those that a file states, and the evidence of how two lead to each other.

import ClockSync
import Findings
import GuestClocks
import PacketPath
import Report

extension ClockFlaw {
    /// Clocks that need nothing else, as both recorders take them.
    private static let remedy =
        "Record again with a clock that counts ns (virtlat record, or trace-cmd record -C mono)"

    private static func name(_ buffer: String) -> String {
        buffer.isEmpty ? "its top-level buffer" : "its buffer \(buffer)"
    }

    func text(_ clock: String) -> String {
        switch self {
        case .unit(.events): "its trace clock \(clock) measures no time: it numbers the events. \(Self.remedy)"
        case .unit(.jiffies):
            "its trace clock \(clock) goes in steps of 10 ms, longer than a packet takes, and within one nothing tells the order of two CPUs' events. "
                + Self.remedy
        case .unit:
            "its trace clock \(clock) is not known here, so its unit is not either; known are \(TraceClockUnit.measuring.joined(separator: ", ")). "
                + Self.remedy
        case .noRate:
            "its trace clock \(clock) counts cycles, and nothing says how many make a ns: no file that was given has the option TSC2NSEC. Give a guest's "
                + "recording that has it, or record again with virtlat record, or trace-cmd record -C tsc2nsec or -C mono"
        case .noRateAfterSplit:
            "its trace clock is called \(clock), and the file neither has a trace clock's option nor TSC2NSEC: trace-cmd split leaves both away, and what "
                + "it wrote may be cycles or ns. Give the file that was split, with --since and --until for a part of it"
        case .mistaken(let buffer):
            "the file says that its trace clock is \(clock), and \(Self.name(buffer)) counted by another one, as its statistics show: trace-cmd states one "
                + "clock for all instances. Record again with one clock for all (trace-cmd record with the same -C after each -B)"
        case .severalClocks(let first, let second):
            "\(Self.name(first)) and \(Self.name(second)) were recorded with different trace clocks, so that nothing tells the order of their events. "
                + "Record again with one clock for all (trace-cmd record with the same -C after each -B)"
        case .otherUnit(let host, let hostClock) where TraceClockUnit(of: clock) == .tsc:
            "its trace clock \(clock) counts cycles, and that of \(host) (\(hostClock ?? "not stated")) ns. Record both with one clock: virtlat record "
                + "sees to that, or trace-cmd record -C with the same clock on both"
        case .otherUnit(let host, let hostClock):
            "its trace clock \(clock) counts ns, and that of \(host) (\(hostClock ?? "not stated")) cycles. Record both with one clock: virtlat record "
                + "sees to that, or trace-cmd record -C with the same clock on both"
        }
    }
}

extension ClockMap.Method {
    /// What `--clock` calls it.
    fileprivate var option: String {
        switch self {
        case .kvmTSCOffset, .timeShift, .host: "file"
        case .crossTimestamps, .servo: "ptp"
        case .exchanges: "exchanges"
        case .containment: "containment"
        case .none, .given: "none"
        }
    }
}

extension ClockFault {
    private static func place(_ gap: Nanoseconds, beside host: String) -> String {
        gap > 0
            ? "begins \(Decimal.seconds(gap)) s after \(host) ends"
            : "ends \(Decimal.seconds(0 &- gap)) s before \(host) begins"
    }

    var text: String {
        switch self {
        case .unknown(let guest, let host, let guestClock, let hostClock, let silent):
            "\(guest): nothing says how its clock (\(guestClock ?? "unknown")) relates to that of \(host) (\(hostClock ?? "unknown"))"
                + silent.map { "; \($0.method.name): \($0.reason)" }.joined()
                + ". Record both together, with virtlat record or trace-cmd record -A, or give the offset with --clock offset=TIME"
        case .silent(let guest, let method, let reason):
            "\(guest): has no evidence of the kind \(method.name)" + (reason.map { ": \($0)" } ?? "")
                + ". See what there is with virtlat clock, and leave --clock away to use the best of it"
        case .contradicted(let guest, let method, let count):
            "\(guest): the only evidence about its clock, \(method.name), is wrong: \(count.outside) of \(count.total) guest events lie where no vCPU of "
                + "the guest was running. Nothing is printed, because every stage that crosses from host to guest would be wrong; see the numbers all "
                + "the same with --clock file"
        case .apart(let guest, let host, let method, let gap, let silent):
            "\(guest): by \(method.name) it \(Self.place(gap, beside: host)), so that no event can check that, and no packet can be followed"
                + silent.map { "; \($0.method.name): \($0.reason)" }.joined()
                + ". Give the files of one recording, as they were recorded; see what there is all the same with --clock \(method.option)"
        case .otherRate(let guest, let host, let hostClock):
            "\(host): its trace clock \(hostClock ?? "unknown") counts cycles, and only \(guest) has the option TSC2NSEC, of a TSC that runs at another rate "
                + "(it is scaled). Record the host again with virtlat record, or trace-cmd record -C tsc2nsec or -C mono"
        }
    }
}
