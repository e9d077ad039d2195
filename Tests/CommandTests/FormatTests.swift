// The three formats: JSON keeps its schema, CSV and table say the same as JSON.

import Foundation
import Testing

@Suite struct FormatTests {
    private static let summary: [String: Shape] = [
        "count": .integer, "min_ns": .integer, "mean_ns": .number, "stddev_ns": .number, "p50_ns": .integer,
        "p90_ns": .integer,
        "p99_ns": .integer, "p999_ns": .integer, "max_ns": .integer,
    ]

    private static let stage: [String: Shape] = [
        "stage": .text, "owner": .word(["irq", "host-stack", "vhost", "kvm", "guest", "app"]), "share": .number,
        "clock_error_ns": .optional(.integer), "host": .optional(.object(host)),
    ]

    private static let host: [String: Shape] = [
        "count": .integer, "mean_ns": .number, "total_ns": .integer, "share_of_stage": .number,
        "reasons": .map(.object(["count": .integer, "total_ns": .integer])),
    ]

    /// Schema 2, as the design gives it.
    static let document = Shape.object([
        "schema": .integer,
        "session": .object([
            "name": .text, "duration_ns": .integer,
            "machines": .list(
                .object([
                    "name": .text, "role": .word(["host", "guest"]), "cpus": .integer, "release": .text,
                    "events": .integer,
                    "lost_events": .integer, "recorder_packets": .integer,
                ])),
        ]),
        "clocks": .list(
            .object([
                "machine": .text, "method": .text, "offset_ns": .integer, "drift_ppb": .number,
                "error_ns": .optional(.integer),
                "contained": .integer, "outside": .integer,
            ])),
        "flows": .list(
            .object([
                "machine": .text, "device": .text, "direction": .word(["rx", "tx"]),
                "path": .word(paths), "identity": .word(["order-and-length", "order", "address"]),
                "packets": .object([
                    "seen": .integer, "complete": .integer, "without_call": .integer,
                    "incomplete": .dictionary(PathGrammar.reasons, .integer),
                ]),
                "delivery": .dictionary(PathGrammar.deliveries.union(["unknown"]), .integer),
                "preempted_by": .map(.integer),
                "vcpu_state": .object(["in_guest": .integer, "in_host": .map(.integer)]),
                "end_to_end": .object(summary),
                "stages": .list(.object(summary.merging(stage) { $1 })),
            ])),
        "guest_to_guest": .list(
            .object([
                "from": .object(["machine": .text, "device": .text]),
                "to": .object(["machine": .text, "device": .text]),
                "path": .word(paths),
                "packets": .object(["seen": .integer, "complete": .integer, "without_call": .integer]),
                "end_to_end": .object(summary),
                "stages": .list(.object(summary.merging(stage) { $1 }.merging(["machine": .text]) { $1 })),
            ])),
    ])

    private static let paths: Set = ["tap", "macvtap", "ovs", "xdp", "qemu", "vfio", "host"]

    @Test(arguments: Recording.allCases)
    func `JSON has the keys and types of schema 2, and no others`(recording: Recording) async throws {
        let json = try await AnalyzedRecording.of(recording).json
        let faults = Self.document.faults(json)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        #expect(json["schema"] == .integer(2))
    }

    @Test(arguments: Recording.allCases)
    func `the host's part is told of the guest's stages, and is no more than the stage`(recording: Recording)
        async throws
    {
        for flow in try await AnalyzedRecording.of(recording).json["flows"].list {
            for stage in flow["stages"].list where stage["host"] != .null {
                let host = stage["host"]
                #expect(["guest", "app"].contains(try stage.text("owner")))
                #expect(try (1...stage.integer("count")).contains(host.integer("count")))
                #expect(try (0...1).contains(host.number("share_of_stage")))
                #expect(
                    try host.number("mean_ns") * Double(host.integer("count")) <= stage.number("mean_ns")
                        * Double(stage.integer("count"))
                        + 1)
            }
            let state = flow["vcpu_state"]
            if flow["direction"] == .text("tx") { #expect(state["in_guest"] == .integer(0)) }
        }
    }

    @Test(arguments: Recording.allCases)
    func `JSON says what was recorded`(recording: Recording) async throws {
        let json = try await AnalyzedRecording.of(recording).json
        #expect(json["session"]["name"] == .text(recording.name))
        let machines = json["session"]["machines"].list
        #expect(machines.map { $0["name"] } == [.text("l1"), .text("g3")])
        #expect(machines.map { $0["role"] } == [.text("host"), .text("guest")])
        #expect(machines.map { $0["release"] } == [.text("6.1.0-56-amd64"), .text("6.1.0-56-amd64")])
        #expect(machines.map { $0["cpus"] } == [.integer(2), .integer(recording == .cross ? 2 : 1)])
        let (host, guest) = (try await Counted(recording.host), try await Counted(recording.guest))
        #expect(machines.map { $0["events"] } == [.integer(host.events), .integer(guest.events)])
        #expect(abs(try json["session"].integer("duration_ns") - (host.last - host.first)) <= 1)
        let clocks = json["clocks"].list
        try #require(clocks.count == 1)
        #expect(clocks[0]["machine"] == .text("g3"))
        #expect(clocks[0]["outside"] == .integer(0))
        #expect(try clocks[0].integer("contained") > 2000)
        // The offset of TIME_SHIFT, in ns: what has to be added to the guest's own time.
        #expect(abs(try clocks[0].integer("offset_ns") - recording.hostTime(tsc: 0)) <= 1)
        // Exact, but for the rounding of both ends to whole ns.
        #expect(abs(try clocks[0].number("drift_ppb")) < 1)
    }

    @Test(arguments: Recording.allCases)
    func `JSON shows the clock's error, and none where no clocks meet`(recording: Recording) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        #expect(analyzed.json["clocks"].list.map { $0.object["error_ns"] } == [.integer(1)], "exact, but for rounding")
        for direction in ["rx", "tx"] {
            for stage in try analyzed.flow(direction)["stages"].list {
                let name = try stage.text("stage")
                let crosses = ["guest-irq", "guest-exit"].contains(name)
                #expect(stage.object["clock_error_ns"] == .integer(crosses ? 1 : 0), "\(name)")
            }
        }
    }

    @Test(arguments: Recording.allCases)
    func `CSV says what JSON says`(recording: Recording) async throws {
        let run = try await Command.virtlat("analyze", recording.folder, "--format", "csv")
        #expect(run.status == 0)
        let table = Table(run.output)
        var rows = table.rows
        for flow in try await AnalyzedRecording.of(recording).json["flows"].list {
            var wanted = try flow["stages"].list.map { (name: try $0.text("stage"), value: $0) }
            wanted.append((name: "end-to-end", value: flow["end_to_end"]))
            for (name, value) in wanted {
                try #require(!rows.isEmpty, "CSV has no row for \(name)")
                let row = rows.removeFirst()
                #expect(try table.word(row, "stage") == name)
                for key in ["machine", "device", "direction", "path"] {
                    #expect(try table.word(row, key) == flow.text(key))
                }
                #expect(try table.word(row, "owner") == (name == "end-to-end" ? "" : value.text("owner")))
                let numbers = table.columns.keys.filter { $0 == "count" || $0.hasSuffix("_ns") }
                #expect(Set(numbers) == Set(Self.summary.keys))
                for key in numbers { #expect(try Double(table.word(row, key)) == value.number(key), "\(name) \(key)") }
                #expect(try Double(table.word(row, "share")) == (name == "end-to-end" ? 1 : value.number("share")))
            }
        }
        #expect(rows.isEmpty, "CSV has rows that JSON does not have")
    }

    @Test(arguments: Recording.allCases)
    func `the table says what JSON says`(recording: Recording) async throws {
        let run = try await Command.virtlat("analyze", recording.folder)
        #expect(run.status == 0)
        #expect(run.errors.isEmpty, "a clean analysis has nothing to say on standard error: \(run.errors)")
        let sections = run.output.components(separatedBy: "\n\n")
        let flows = try await AnalyzedRecording.of(recording).json["flows"].list
        try #require(sections.count == flows.count + 1)
        #expect(sections[0].hasPrefix(recording.name))
        for (section, flow) in zip(sections.dropFirst(), flows) {
            #expect(section.hasPrefix(try flow.text("direction") == "rx" ? "RECEIVE " : "TRANSMIT "))
            #expect(section.contains("path tap   \(try flow["packets"].integer("seen")) packets seen, "))
            #expect(section.contains(", \(try flow["packets"].integer("complete")) complete"))
            for stage in flow["stages"].list where try stage.integer("count") > 0 {
                let name = try stage.text("stage")
                let line = section.split(separator: "\n").first { $0.hasPrefix("  \(name) ") }
                let words = try #require(line, "the table has no stage \(name)").split(separator: " ")
                let micros = { (key: String) in String(format: "%.1f", (try stage.number(key) / 100).rounded() / 10) }
                #expect(words.dropFirst(2).first.map { String($0) } == String(try stage.integer("count")))
                let numbers = try ["min_ns", "mean_ns", "p50_ns", "p99_ns", "max_ns"].map(micros)
                #expect(words.dropFirst(3).prefix(5).map { String($0) } == numbers, "\(name)")
            }
        }
    }
}
