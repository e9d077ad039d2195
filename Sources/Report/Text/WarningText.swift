// Warnings of a comparison in words, one sentence each.

package import Findings
import PacketPath

extension ComparisonWarning {
    package var text: String {
        switch self {
        case .note(let place, let note): "\(place.text): \(note.text)"
        case .condition(let condition, let arms):
            "not the same everywhere: \(condition.text): "
                + arms.map { "\($0.arm) " + ($0.values.isEmpty ? "unknown" : $0.values.joined(separator: ", ")) }
                .joined(separator: "; ")
        case .events(let arms):
            "the same events were not recorded everywhere, and each costs time: "
                + arms.map { "\($0.arm) has \(Self.list($0.more))" }.joined(separator: "; ")
        case .lost(let place, let events):
            "\(place.text) lost "
                + (events > 0 ? "at least \(Decimal.counted(events, "event"))" : "an unknown number of events")
                + ": packets that touched a hole are not in its numbers, which may be the slow ones"
        case .otherBeginning(let title, let fromDriver, let fromCall):
            "\(title.text): no send call is known in \(fromDriver.joined(separator: ", ")), "
                + "where packets begin with the driver; those of \(fromCall.joined(separator: ", ")) begin with the call, and are not compared with them"
        case .onlyIn(let title, let arms):
            "\(title.text): "
                + (arms.isEmpty
                    ? "no arm has complete packets" : "only \(arms.joined(separator: ", ")) has complete packets")
        case .traffic(let title, let quantity, let arms):
            "\(title.text): \(quantity.name) differ: "
                + arms.map { "\($0.arm) \($0.value.map { quantity.text($0) } ?? "unknown")" }.joined(separator: "; ")
        case .tooFew(let title, let arm, let first):
            "\(title.text): too few packets, or too much alike one after the other, to tell \(arm) from \(first)"
        case .singleSessions(let arms):
            "one session of \(arms.joined(separator: ", ")): what differs from one session to the next, "
                + "whatever the arm, is not in the intervals; record several of each arm (--arm NAME=FOLDER,FOLDER)"
        }
    }

    private static func list(_ events: [String]) -> String {
        events.prefix(4).joined(separator: ", ") + (events.count > 4 ? " and \(events.count - 4) more" : "")
    }
}

extension ComparedPlace {
    fileprivate var text: String { session.map { "\(arm), \($0)" } ?? arm }
}

extension ComparedTitle {
    /// "rx of g3, path tap"
    fileprivate var text: String { "\(direction.name) of \(machine)" + (path.map { ", path \($0)" } ?? "") }
}

extension ComparisonWarning.Quantity {
    fileprivate var name: String {
        switch self {
        case .packets: "numbers of packets"
        case .rate: "rates of packets"
        case .length: "lengths of packets"
        case .completeness: "shares of packets that are complete"
        }
    }

    fileprivate func text(_ value: Double) -> String {
        switch self {
        case .packets: Decimal.grouped(Int(value))
        case .rate: "\(Decimal.thousandths(value)) a second"
        case .length: "\(Int(value.rounded())) bytes on average"
        case .completeness: "\(Decimal.percent(value)) %"
        }
    }
}

extension ComparedSession.Condition {
    fileprivate var text: String {
        switch self {
        case .hostRelease: "the host's kernel"
        case .hostCPUs: "the host's CPUs"
        case .guestRelease: "the guests' kernels"
        case .guestCPUs: "the guests' vCPUs"
        case .traceClock: "the trace clock"
        case .clockMethod: "the evidence for the guests' clocks"
        case .clockError: "the error of the guests' clocks"
        case .haltPoll: "the time a halted vCPU is polled for"
        case .postedInterrupts: "posted interrupts"
        }
    }
}
