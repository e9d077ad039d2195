// The machine-readable breakdown, schema 2. `schema` is raised on any change to it.

import ClockSync
package import Findings
import FoundationEssentials
import GuestClocks
import Notation
import PacketPath
import Statistics
import TraceData

package enum JSONReport {
    package static let schema = 2

    /// The report as UTF-8 with a newline at the end.
    package static func bytes(_ report: SessionFindings) -> [UInt8] { encoded(Document(report)) }

    /// A document as all of virtlat's are written.
    static func encoded(_ document: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Every value is a finite number or a string, so encoding can't fail.
        guard let data = try? encoder.encode(document) else { preconditionFailure("unencodable report") }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    private struct Document: Encodable {
        let schema = JSONReport.schema
        let session: Session
        let clocks: [Clock]
        let flows: [FlowValue]
        let guest_to_guest: [GuestToGuestValue]

        init(_ report: SessionFindings) {
            session = Session(report)
            clocks = report.machines.indices.filter { report.machines[$0].role == .guest }.map { Clock(report, $0) }
            flows = report.flows.map { FlowValue(report, $0) }
            guest_to_guest = report.guestToGuest.map { GuestToGuestValue(report, $0) }
        }
    }

    private struct Session: Encodable {
        let name: String
        let duration_ns: Int64
        let machines: [MachineValue]

        init(_ report: SessionFindings) {
            name = report.session
            duration_ns = report.account.duration
            machines = zip(report.machines, report.account.machines).map(MachineValue.init)
        }
    }

    private struct MachineValue: Encodable {
        let name: String
        let role: String
        let cpus: Int
        let release: String
        let events: Int
        let lost_events: Int
        let recorder_packets: Int

        init(_ machine: Machine, _ account: MachineAccount) {
            name = machine.name
            role = machine.role.rawValue
            cpus = machine.cpuCount
            release = machine.file.options.release ?? ""
            events = account.events
            lost_events = account.lostEvents
            recorder_packets = account.recorderPackets
        }
    }

    private struct Clock: Encodable {
        let machine: String
        let method: String
        let offset_ns: Int64
        let drift_ppb: Double
        @Nullable var error_ns: Int64?
        let contained: Int
        let outside: Int

        init(_ report: SessionFindings, _ index: Int) {
            let clock = report.clock(index)
            machine = report.machines[index].name
            method = clock.method
            offset_ns = clock.offset
            drift_ppb = clock.driftPPB
            error_ns = clock.error
            contained = clock.containment.inside
            outside = clock.containment.outside
        }
    }

    private struct FlowValue: Encodable {
        let machine: String
        let device: String
        let direction: String
        let path: String
        let identity: String
        let packets: Packets
        let delivery: [String: Int]
        let preempted_by: [String: Int]
        let vcpu_state: VCPUStateValue
        let end_to_end: SummaryValue
        let stages: [StageValue]

        init(_ report: SessionFindings, _ flow: Flow) {
            machine = report.machines[flow.machine].name
            device = report.names.name(flow.device)
            direction = flow.direction.name
            path = flow.path.name
            identity = flow.identity.rawValue
            packets = Packets(flow)
            var classes: [String: Int] = [:]
            for kind in Delivery.allCases where flow.count(kind) > 0 { classes[kind.name] = flow.count(kind) }
            delivery = classes
            preempted_by = Dictionary(uniqueKeysWithValues: report.preempters(flow).map { ($0.name, $0.count) })
            vcpu_state = VCPUStateValue(report, flow)
            end_to_end = SummaryValue(flow.endToEnd.summary)
            let error = report.machines[flow.machine].maps[0].largestErrorBound
            stages = flow.stages.map {
                StageValue($0, share: flow.share($0), error: $0.stage.crossesMachines ? error : 0)
            }
        }
    }

    /// Of vCPUs that were kicked.
    private struct VCPUStateValue: Encodable {
        let in_guest: Int
        let in_host: [String: Int]

        init(_ report: SessionFindings, _ flow: Flow) {
            in_guest = flow.vcpuStates.inGuest
            in_host = Dictionary(uniqueKeysWithValues: report.exits(flow).map { ($0.name, $0.count) })
        }
    }

    private struct GuestToGuestValue: Encodable {
        let from: EndValue
        let to: EndValue
        let path: String
        let packets: [String: Int]
        let end_to_end: SummaryValue
        let stages: [GuestStageValue]

        init(_ report: SessionFindings, _ packets: GuestToGuest) {
            from = EndValue(report, packets.from)
            to = EndValue(report, packets.to)
            path = packets.path.name
            self.packets = ["seen": packets.seen, "complete": packets.complete, "without_call": packets.withoutCall]
            end_to_end = SummaryValue(packets.endToEnd.summary)
            stages = packets.stages.map { machine, stage in
                let error = report.machines[machine].maps[0].largestErrorBound
                return GuestStageValue(
                    machine: report.machines[machine].name,
                    value: StageValue(
                        stage, share: packets.share(stage), error: stage.stage.crossesMachines ? error : 0))
            }
        }
    }

    private struct EndValue: Encodable {
        let machine: String
        let device: String

        init(_ report: SessionFindings, _ end: Flow.End) {
            machine = report.machines[end.machine].name
            device = report.names.name(end.device)
        }
    }

    /// A stage, and whose guest's it is.
    private struct GuestStageValue: Encodable {
        let machine: String
        let value: StageValue

        enum CodingKeys: CodingKey { case machine }

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(machine, forKey: .machine)
        }
    }

    private struct Packets: Encodable {
        let seen: Int
        let complete: Int
        let without_call: Int
        let incomplete: [String: Int]

        init(_ flow: Flow) {
            seen = flow.seen
            complete = flow.complete
            without_call = flow.withoutCall
            var reasons: [String: Int] = [:]
            for outcome in Outcome.allCases where outcome != .complete && flow.count(outcome) > 0 {
                reasons[outcome.name] = flow.count(outcome)
            }
            incomplete = reasons
        }
    }

    struct SummaryValue: Encodable {
        let count: Int
        let min_ns: Int64
        let mean_ns: Double
        let stddev_ns: Double
        let p50_ns: Int64
        let p90_ns: Int64
        let p99_ns: Int64
        let p999_ns: Int64
        let max_ns: Int64

        init(_ summary: Summary) {
            count = summary.count
            min_ns = summary.minimum
            mean_ns = summary.mean
            stddev_ns = summary.standardDeviation
            p50_ns = summary.p50
            p90_ns = summary.p90
            p99_ns = summary.p99
            p999_ns = summary.p999
            max_ns = summary.maximum
        }
    }

    /// A stage's own keys and its summary's, side by side in one object.
    private struct StageValue: Encodable {
        let stage: String
        let owner: String
        let share: Double
        let error: Int64?
        let summary: SummaryValue
        let host: HostValue?

        init(_ stage: Flow.StageSamples, share: Double, error: Int64?) {
            self.stage = stage.stage.name
            owner = stage.stage.owner.name
            self.share = share
            self.error = error
            summary = SummaryValue(stage.samples.summary)
            host = stage.host.count > 0 ? HostValue(stage.host) : nil
        }

        enum CodingKeys: CodingKey { case stage, owner, share, clock_error_ns, host }

        func encode(to encoder: any Encoder) throws {
            try summary.encode(to: encoder)
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(stage, forKey: .stage)
            try values.encode(owner, forKey: .owner)
            try values.encode(share, forKey: .share)
            try values.encode(error, forKey: .clock_error_ns)
            try values.encode(host, forKey: .host)
        }
    }

    /// The host's part in a guest's stage.
    private struct HostValue: Encodable {
        struct Reason: Encodable {
            let count: Int
            let total_ns: Int64
        }

        let count: Int
        let mean_ns: Double
        let total_ns: Int64
        let share_of_stage: Double
        let reasons: [String: Reason]

        init(_ host: HostShare) {
            count = host.count
            mean_ns = host.mean
            total_ns = Int64(clamping: host.total)
            share_of_stage = host.shareOfStage
            reasons = Dictionary(
                host.sortedReasons.map {
                    ($0.reason.name, Reason(count: $0.count, total_ns: Int64(clamping: $0.total)))
                },
                uniquingKeysWith: { Reason(count: $0.count + $1.count, total_ns: $0.total_ns &+ $1.total_ns) })
        }
    }
}
