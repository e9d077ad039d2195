// Notes in words, one sentence each.

import ClockSync
package import Findings
import GuestClocks
import PacketPath
import Sessions
import TraceData

extension Note {
    package var text: String {
        switch self {
        case .stillRecording: "this recording is still running, or its recorder was killed: it is not whole"
        case .unrecorded(let machine, let reason): Self.unrecorded(machine, reason)
        case .fault(let words): words
        case .cutOff: "this recording was cut off before its time"
        case .strangers(let files): "\(files.joined(separator: ", ")): not named in \(Manifest.fileName), and left out"
        case .noEvents(let file): "\(file) holds no events"
        case .absentEvents(let machine, let events):
            "\(machine) has no event of: " + events.map { "\($0.event) (\($0.meaning))" }.joined(separator: "; ")
        case .refusedFormats(let file, let names):
            "\(file): the format of \(names.joined(separator: ", ")) is not one that a kernel writes, so none of these events was read"
        case .defect(let file, let defect):
            "\(file): CPU \(defect.cpu): \(defect.count) × bad \(defect.kind.rawValue), "
                + "first at byte \(defect.offset); what it held is treated as lost"
        case .inSwings(let machine, let packets):
            "\(Decimal.counted(packets, "packet")) of \(machine) lie where a servo swung, or was silent: "
                + "their stages between host and guest may be further off than the clock's error says"
        case .evidenceLeftOut(let machine, let candidate): Self.leftOut(machine, candidate)
        case .wrongClock(let machine, let contained):
            "the clock map of \(machine) is wrong: \(contained.outside) of \(contained.inside + contained.outside) "
                + "of its events lie where no vCPU of it ran; every stage that crosses from host to guest is wrong, "
                + "and packets may be mistaken for each other"
        case .misplacedEvents(let machine, let contained):
            "\(contained.outside) of \(contained.inside + contained.outside) events of \(machine) "
                + "lie where its vCPU did not run"
        case .hardlyTogether(let machine, let overlap):
            overlap.isNone
                ? "by the clock map in use, \(machine) was not recorded while the host was"
                : "by the clock map in use, \(machine) and the host recorded together for "
                    + "\(Decimal.microseconds(overlap.common)) µs only: so few events can hardly check it"
        case .hostAlone: "no guest's recording was given: these are the host's own packets"
        case .unclaimed(let machine, let device, let packets):
            "\(Decimal.counted(packets, "packet")) of \(machine) \(device) could be joined to no queue on the host: "
                + "it is no virtio-net device, or events are missing (virtlat paths lists what is followed)"
        case .posted(let machine, let device):
            "the host has no part in the interrupts of \(machine) \(device) (posted interrupts): "
                + "when its packets came to the NIC is not known, their journeys begin in the guest"
        case .noPackets(let emptiness): emptiness.text
        }
    }

    private static func unrecorded(_ machine: String, _ reason: String?) -> String {
        // A reason may begin with the machine's name, which need not be said twice.
        let reason = reason.map { $0.hasPrefix("\(machine): ") ? $0.dropFirst(machine.count + 2) : $0[...] }
        return "\(machine) has no recording" + (reason.map { ": \($0)" } ?? "")
    }

    private static func leftOut(_ machine: String, _ candidate: ClockCandidate) -> String {
        let count =
            candidate.overlap?.isNone == true
            ? ": it puts all events of \(machine) outside the host's recording"
            : candidate.count.map {
                ": \(Decimal.grouped($0.outside)) of \(Decimal.grouped($0.total)) events lie where its vCPU did not run"
            } ?? ""
        let wrong =
            candidate.disagreement.map { $0 > 0 ? ", wrong by \(Decimal.microseconds($0)) µs at least" : "" } ?? ""
        return "\(candidate.method.name) of \(machine) is not used\(wrong)\(count)"
    }
}

extension Note.Emptiness {
    fileprivate var text: String {
        func wanted(_ ofHost: Bool) -> String { ofHost ? "the host's own" : "a path that is followed" }
        return switch self {
        case .filtered: "no packet passes the filters given"
        case .unmeasured(let ofHost): "no packet of \(wanted(ofHost)) began while the measurement ran"
        case .nowhere(let ofHost):
            "no packet of \(wanted(ofHost)) was found" + (ofHost ? "" : " (virtlat paths lists them)")
        }
    }
}
