// Recordings of every path, and what both ends of each flow of packets wrote down: the truth that holds for any path
// alike.

import Foundation
import TestSupport
import Testing

/// A recording with its logs and recording.json, in traces/ or made a moment ago: by the lab's record or
/// record-trace-cmd, or by hand on arm64.
struct PathRecording: Hashable, Sendable, CustomStringConvertible {
    let folder: String

    /// In traces/ by our own recorder: one for each way a packet can take, and for kernels that show it in other
    /// events.
    static let stored = [
        "macvtap", "ovs-miss", "xdp-generic", "xdp-native", "vfio", "qemu", "host",
        "tap-2queues", "tap-guests", "tap-threadirqs", "tap-vlan", "tap-6.12", "tap-7.2", "tap-7.2-burst", "tap-rt",
        "arm64-tap",
        "arm64-macvtap-2vcpu",
    ].map { PathRecording(folder: Checkout.recording($0)) }

    /// Those that trace-cmd made, all of them of a tap; no event is lost from them.
    static let ofTraceCmd = ["tap-steady", "tap-burst", "tap-2vcpu-cross"].map {
        PathRecording(folder: Checkout.recording($0))
    }

    /// Most packets of it touch a hole.
    static let lossy = PathRecording(folder: Checkout.recording("tap-tinybuf-lost"))

    var name: String { URL(fileURLWithPath: folder).lastPathComponent }
    var description: String { name }

    func facts() throws -> RecordingFacts { try RecordingFacts(self) }

    /// What virtlat says of it.
    func analyzed() async throws -> (json: JSON, journeys: [JourneyRow]) { try await AnalyzedPaths.shared.result(self) }
}

/// What recording.json, session.json and the logs say.
struct RecordingFacts: Sendable {
    /// The path's name in the analysis.
    let path: String
    let vcpus: Int
    let queues: Int
    /// Packets of each flow.
    let count: Int
    /// What virtlat must be told of the guest's clock, where the files do not say.
    let clockOptions: [String]
    /// Both ends of all flows as far as they are recorded: the servers, and the clients that are not outside.
    let ends: [FlowEnd]

    fileprivate init(_ recording: PathRecording) throws {
        let read = { (name: String) in
            try JSON(
                String(decoding: Data(contentsOf: URL(fileURLWithPath: "\(recording.folder)/\(name)")), as: UTF8.self))
        }
        let facts = try read("recording.json")
        let lab = try facts.text("path")
        path = try facts.text("vhost") == "off" ? "qemu" : lab == "xdp-native" ? "xdp" : lab
        queues = Int(try facts.integer("queues"))
        vcpus = facts["guests"].list.first.map { $0["vcpus"].list.count } ?? 0
        let traffic = facts["traffic"]
        count = Int(try traffic.integer("count"))
        let given = facts["clock"]
        let isSession = FileManager.default.fileExists(atPath: "\(recording.folder)/session.json")
        let clock =
            given != .null
            ? try TickClock(given, of: "guest")
            : isSession ? try TickClock(manifest: try read("session.json")) : try TickClock(traceCmd: facts)
        clockOptions = given == .null ? [] : ["--clock", "offset=\(try given.integer("host_minus_guest_raw_ns"))ns"]
        // What trace-cmd recorded is of one flow to one guest, and does not say so.
        let from = traffic["from"] == .null ? "outside" : try traffic.text("from")
        let vlan = facts["vlan"] == .null ? 0 : try facts.integer("vlan")
        let flows = traffic["flows"] == .null ? 1 : try traffic.integer("flows")
        var ends: [FlowEnd] = []
        let targets = try (traffic["to"] == .null ? [.text("g3")] : traffic["to"].list).map { value -> String in
            guard case .text(let name) = value else { return try #require(nil, "a target without a name") }
            return name
        }
        for target in targets {
            for flow in 0..<flows {
                let payload = try traffic.integer("payload") + 16 * flow
                // Ethernet, IPv4 and UDP headers; and with a VLAN tag, which a device may carry beside the packet or
                // inside of it.
                let lengths = Set([payload + 42, payload + (vlan == 0 ? 42 : 46)])
                let suffix = flow == 0 ? "" : "-\(7777 + flow)"
                let place = Int(target.dropFirst()).map { String($0) } ?? target
                ends.append(
                    FlowEnd(
                        machine: target, lengths: lengths,
                        // What came before the recording began is none of ours.
                        packets: Array(
                            try Table(file: "\(recording.folder)/echo-\(place)\(suffix).csv").echoed(clock, target)
                                .suffix(count))))
                guard from != "outside" else { continue }
                let log = targets.count == 1 && flow == 0 ? "ping.csv" : "ping-\(place)\(suffix).csv"
                ends.append(
                    FlowEnd(
                        machine: from, lengths: lengths,
                        packets: try Table(file: "\(recording.folder)/\(log)").asked(clock, from)))
            }
        }
        self.ends = ends
    }
}

/// One end of a flow: an application that receives and sends packets of a length that no other application of the
/// machine uses.
struct FlowEnd: Sendable {
    /// g3, or host.
    let machine: String
    let lengths: Set<Int64>
    let packets: [Packet]

    /// When it was received, and sent, in host time (ns): some time within these calls of the application.
    struct Packet: Sendable {
        let sequence: Int
        let receiving: ClosedRange<Int64>
        let sending: ClosedRange<Int64>
    }

    /// Whether each packet came once, and in the order it was sent. What the network loses or reorders is no matter of
    /// the recording.
    func isWhole(_ count: Int) -> Bool { packets.map(\.sequence) == Array(0..<count) }

    /// Its rows: the host is known by the path, because there is no guest then.
    func rows(_ journeys: [JourneyRow], _ direction: String) -> [JourneyRow] {
        journeys.filter {
            $0.direction == direction && lengths.contains($0.length) && (machine == "host" || $0.machine == machine)
        }
    }
}

/// Host time of every machine's ticks.
private struct TickClock {
    /// The guest's ticks minus the host's.
    private var offsets: [String: Int64] = ["host": 0]
    private let multiplier: Int64
    private let shift: Int64
    /// ns; how far from the truth it may be.
    let error: Int64

    /// By the word of the host's KVM, which is exact.
    init(manifest: JSON) throws {
        error = 0
        multiplier = try manifest["tsc_to_ns"].integer("multiplier")
        shift = try manifest["tsc_to_ns"].integer("shift")
        for clock in manifest["clocks"].list {
            let name = try clock.text("machine")
            let all = try clock["kvm"].list.map { try $0.integer("tsc_offset") }
            try #require(Set(all).count == 1, "the clocks of \(name)'s vCPUs differ, or changed: \(all)")
            offsets[name] = all.first
        }
    }

    /// By the word of the host's KVM as well, which the lab asked.
    init(traceCmd facts: JSON) throws {
        error = 0
        multiplier = try facts["tsc2nsec"].integer("multiplier")
        shift = try facts["tsc2nsec"].integer("shift")
        try #require(facts["tsc2nsec"].integer("offset") == 0)
        for guest in facts["guests"].list {
            let name = try guest.text("name")
            let all = try guest["vcpus"].list.map { try $0.integer("tsc_offset") }
            try #require(Set(all).count == 1, "the clocks of \(name)'s vCPUs differ: \(all)")
            offsets[name] = all.first
        }
    }

    /// By measurement: the arm64 counter runs at a whole number of ns, and the guest's PTP device told what its clock
    /// is behind the host's.
    init(_ clock: JSON, of machine: String) throws {
        multiplier = try clock.integer("ns_per_tick")
        shift = 0
        error = try clock.integer("error_ns")
        let constant = try clock.integer("guest_raw_at_tick_zero_ns") + clock.integer("host_minus_guest_raw_ns")
        offsets[machine] = -constant / multiplier
    }

    func time(_ ticks: Int64, _ machine: String) throws -> Int64 {
        let offset = try #require(offsets[machine], "the manifest has no clock of \(machine)")
        return Int64(((Int128(ticks) - Int128(offset)) * Int128(multiplier)) >> Int128(shift))
    }
}

extension Table {
    /// The server is one thread, which says when it asked for each packet; if it does not, it was after its last
    /// answer.
    fileprivate func echoed(_ clock: TickClock, _ machine: String) throws -> [FlowEnd.Packet] {
        var previous = Int64.min
        return try rows.map { row in
            let time = { (column: String) in try clock.time(number(row, column), machine) }
            let (received, sends, sent) = (try time("tsc_recv"), try time("tsc_send"), try time("tsc_sent"))
            let awaited = columns["tsc_await"] == nil ? previous : try time("tsc_await")
            previous = sent - clock.error
            return FlowEnd.Packet(
                sequence: Int(try number(row, "seq")),
                // Where the log has no time of asking, a later answer may stand before.
                receiving: min(awaited, received)...received + clock.error,
                sending: sends - clock.error...sent + clock.error)
        }
    }

    /// The client's receiving thread asks for the next answer when it has one, which need not be that of the packet
    /// before: answers overtake each other.
    fileprivate func asked(_ clock: TickClock, _ machine: String) throws -> [FlowEnd.Packet] {
        let received = try rows.map { try clock.time(number($0, "tsc_recv"), machine) }
        let order = received.sorted()
        return try zip(rows, received).map { row, received in
            let previous = order.last { $0 < received } ?? .min
            return FlowEnd.Packet(
                sequence: Int(try number(row, "seq")), receiving: previous...received,
                sending: try clock.time(number(row, "tsc_send"), machine)...clock.time(number(row, "tsc_sent"), machine)
            )
        }
    }
}

private struct AnalysisFailure: Error, CustomStringConvertible {
    let description: String
}

/// Each session is analyzed once.
private actor AnalyzedPaths {
    static let shared = AnalyzedPaths()
    private var tasks: [PathRecording: Task<(json: JSON, journeys: [JourneyRow]), any Error>] = [:]

    func result(_ recording: PathRecording) async throws -> (json: JSON, journeys: [JourneyRow]) {
        let task =
            tasks[recording]
            ?? Task {
                let folder = try TemporaryFolder()
                defer { folder.remove() }
                let run = try await Command.virtlat(
                    ["analyze", recording.folder, "--format", "json", "--packets", folder.path("packets.csv")]
                        + recording.facts().clockOptions)
                // An error of its own, so that each test that asks for the result fails.
                guard run.status == 0 else {
                    throw AnalysisFailure(description: "analyzing \(recording) fails: \(run.errors)")
                }
                return (try JSON(run.output), try JourneyRow.rows(folder.text("packets.csv")))
            }
        tasks[recording] = task
        return try await task.value
    }
}
