// virtlat explain, held against what --packets says of the same packets, reckoned once more.

import Foundation
import TestSupport
import Testing

@Suite struct ExplainTests {
    private static let recordings = [Recording.steady, .burst, .cross]

    private func explain(_ recording: Recording, _ options: String...) async throws -> JSON {
        let run = try await Command.virtlat(["explain", recording.folder, "--format", "json"] + options)
        try #require(run.status == 0, "\(run.errors)")
        return try JSON(run.output)
    }

    /// Complete journeys that the table of a direction is of, in the order of --packets.
    private func measured(_ recording: Recording, _ direction: String) async throws -> [JourneyRow] {
        let rows = try await AnalyzedRecording.of(recording).journeys.filter {
            $0.direction == direction && $0.isComplete
        }
        let called = rows.filter { direction == "rx" || $0.times["guest.send"] != nil }
        return called.isEmpty ? rows : called
    }

    private func total(_ row: JourneyRow) -> Int64 { row.stages.reduce(0) { $0 + $1.length } }

    @Test(arguments: recordings)
    func `slow packets are those beyond the limit, and their stages add up`(recording: Recording) async throws {
        let explanation = try await explain(recording, "--worst", "1000000", "--above", "p95")
        #expect(try explanation.integer("schema") == 1)
        for flow in explanation["flows"].list {
            let rows = try await measured(recording, flow.text("direction"))
            let limit = try flow.integer("above_ns")
            let slow = rows.filter { total($0) > limit }
            #expect(try Int(flow.integer("slow")) == slow.count)
            #expect(try Int(flow.integer("others")) == rows.count - slow.count)
            // A percentile: no more than 5 % lie above it, and nearly as many do.
            #expect(
                slow.count * 20 <= rows.count + 20 && slow.count * 25 >= rows.count, "\(slow.count) of \(rows.count)")
            // Each packet's stages make its time, and the slow packets are the same ones.
            let packets = flow["packets"].list
            #expect(try packets.map { try $0.integer("total_ns") } == slow.map(total).sorted(by: >))
            for packet in packets {
                let times = try packet["stages"].list.map { try $0.integer("time_ns") }
                #expect(times.reduce(0, +) == (try packet.integer("total_ns")))
            }
            try expectShares(flow, rows, slow)
        }
    }

    /// What a stage usually takes, and its shares, from the rows alone.
    private func expectShares(_ flow: JSON, _ rows: [JourneyRow], _ slow: [JourneyRow]) throws {
        let lengths = Dictionary(grouping: rows.flatMap(\.stages), by: \.name).mapValues { $0.map(\.length).sorted() }
        let usual = lengths.mapValues { $0[($0.count - 1) / 2] }
        var excess: [String: Double] = [:]
        for (name, length) in slow.flatMap(\.stages) { excess[name, default: 0] += Double(length - (usual[name] ?? 0)) }
        let all = excess.values.reduce(0, +)
        var sum = 0.0
        for stage in flow["stages"].list {
            let name = try stage.text("stage")
            let (stated, actual) = (Double(try stage.integer("usual_ns")), Double(try #require(usual[name])))
            // Three significant digits, as all of virtlat's quantiles.
            #expect(abs(stated - actual) <= 0.002 * actual + 1, "\(name): usual \(stated), in truth \(actual)")
            let share = try stage.number("share_of_excess")
            // The median of the usual is off by 0.1 % of each stage, for every slow packet.
            let tolerance = 0.002 * Double(slow.count) * usual.values.reduce(0) { $0 + Double($1) } / all
            #expect(abs(share - (excess[name] ?? 0) / all) <= tolerance + 1e-9, "\(name)")
            sum += share
        }
        #expect(abs(sum - 1) < 1e-9)
    }

    @Test func `in a burst the first one's packets are the slow ones, and it is said`() async throws {
        let flow = try #require(
            try await explain(.burst, "--direction", "rx", "--above", "p95")["flows"].list.first)
        let start = try #require(flow["when"].list.first { $0["pattern"] == .text("start") })
        let rows = try await measured(.burst, "rx")
        let limit = try flow.integer("above_ns")
        let first = Int(try start.number("share_of_packets") * Double(rows.count))
        let slow = rows.prefix(first).filter { total($0) > limit }.count
        #expect(try Int(start.integer("slow")) == slow)
        #expect(try start.number("p_value") < 0.01)
    }

    @Test func `one packet's ledger adds up to its time`() async throws {
        let worst = try #require(
            try await explain(.steady, "--direction", "rx", "--worst", "1")["flows"].list.first)["packets"].list[0]
        let number = try worst.integer("number")
        let run = try await Command.virtlat("explain", Recording.steady.folder, "--packet", String(number))
        #expect(run.status == 0)
        #expect(run.output.contains("packet \(number) began at "), "\(run.output)")
        let lines = run.output.split(separator: "\n").map { $0.split(separator: " ").map { String($0) } }
        let took = lines.compactMap { line in
            line.count >= 5 && PathGrammar.receive.steps.contains { $0.stage?.name == line[0] } ? Double(line[2]) : nil
        }
        let whole = try #require(lines.first { $0.first == "end" })
        #expect(took.count > 5)
        #expect(abs(took.reduce(0, +) - (try #require(Double(whole[3])))) < 0.1 * Double(took.count))
    }

    @Test(arguments: ["rx", "tx"])
    func `each point of a packet is an event that trace-cmd shows at that time on that CPU`(direction: String)
        async throws
    {
        let worst = try #require(
            try await explain(.steady, "--direction", direction, "--worst", "1")["flows"].list.first)["packets"].list[0]
        let number = try worst.integer("number")
        let points = try await explain(.steady, "--packet", String(number))["points"].list
        #expect(points.count > 6)
        let report = try await Command.tool(
            "trace-cmd", package: "trace-cmd", "report", "-t", Recording.steady.host)
        // "<idle>-0 [001] 33.339230057: irq_handler_entry: irq=29 ..."
        let shown = Set(
            report.output.split(separator: "\n").compactMap { line -> String? in
                guard let open = line.firstIndex(of: "["), let close = line.firstIndex(of: "]"), open < close,
                    let cpu = Int(line[line.index(after: open)..<close])
                else { return nil }
                let words = line[line.index(after: close)...].split(separator: " ")
                guard words.count > 1 else { return nil }
                // Flags may stand in between.
                guard let time = words.firstIndex(where: { $0.hasSuffix(":") && $0.contains(".") }),
                    time + 1 < words.count
                else { return nil }
                return "\(cpu) \(words[time]) \(words[time + 1])"
            })
        #expect(shown.count > 1000)
        var checked = 0
        for point in points where point["machine"] == .text("l1") {
            guard case .integer(let cpu) = point["cpu"] else { continue }
            let time = try point.integer("time_ns")
            let second = "\(time / 1_000_000_000)." + String(String(time % 1_000_000_000 + 1_000_000_000).dropFirst())
            let events = point["events"].list.compactMap { if case .text(let name) = $0 { name } else { nil } }
            #expect(events.contains { shown.contains("\(cpu) \(second): \($0):") }, "\(point)")
            checked += 1
        }
        #expect(checked >= 3)
    }

    @Test func `a stage's slow packets are those that spent long in it`() async throws {
        let flow = try #require(
            try await explain(
                .steady, "--direction", "rx", "--stage", "kvm-wakeup", "--above", "p90", "--worst", "1000")["flows"]
                .list.first)
        #expect(flow["above_stage"] == .text("kvm-wakeup"))
        let limit = try flow.integer("above_ns")
        let slow = try await measured(.steady, "rx").filter { row in
            row.stages.contains { $0.name == "kvm-wakeup" && $0.length > limit }
        }
        #expect(try Int(flow.integer("slow")) == slow.count)
    }

    @Test func `of fewer packets than a hundred the slowest one is slow`() async throws {
        let run = try await Command.virtlat("explain", Checkout.recording("host"), "--format", "json")
        let flows = try JSON(run.output)["flows"].list
        #expect(try flows.map { try $0.integer("slow") } == [1, 1])
        for flow in flows { #expect(try flow["packets"].list[0].integer("total_ns") > flow.integer("above_ns")) }
    }

    @Test func `a time may be the limit, and nobody may be beyond it`() async throws {
        let run = try await Command.virtlat("explain", Recording.steady.folder, "--above", "100s")
        #expect(run.status == 0)
        #expect(run.output.contains("no packet is slow by this measure"))
        let flow = try #require(
            try await explain(.steady, "--direction", "tx", "--above", "1500us")["flows"].list.first)
        #expect(try flow.integer("above_ns") == 1_500_000)
    }

    @Test func `text and CSV say what the JSON says`() async throws {
        let text = try await Command.virtlat("explain", Recording.burst.folder, "--direction", "rx", "--above", "p95")
        for part in ["took more than ", "(p95)", "of the excess", "slowest:", "when:", "are among the first"] {
            #expect(text.output.contains(part), "\(part): \(text.output)")
        }
        let csv = try await Command.virtlat(
            "explain", Recording.burst.folder, "--direction", "rx", "--above", "p95", "--format", "csv")
        let table = Table(csv.output)
        let flow = try #require(
            try await explain(.burst, "--direction", "rx", "--above", "p95")["flows"].list.first)
        #expect(try table.rows.map { try table.word($0, "stage") } == flow["stages"].list.map { try $0.text("stage") })
    }

    @Test(arguments: [
        ["explain"], ["explain", "x", "--above", "5"], ["explain", "x", "--above", "p100"],
        ["explain", "x", "--above", "p0"],
        ["explain", "x", "--worst", "-1"], ["explain", "x", "--packet", "0"], ["explain", "x", "--format", "xml"],
        ["explain", "x", "--since", "3s", "--until", "2s"],
    ])
    func `wrong usage is status 64`(arguments: [String]) async throws {
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 64, "\(run)")
        #expect(run.errors.contains("Usage: virtlat explain"), "\(run.errors)")
    }

    @Test func `a packet or a stage that is not there is named`() async throws {
        try await Command.virtlat("explain", Recording.steady.folder, "--packet", "99999999").expectRefusal(
            naming: "99999999", saying: "no complete packet has the number")
        try await Command.virtlat("explain", Recording.steady.folder, "--stage", "warp").expectRefusal(
            naming: "warp", saying: "there are irq, host-stack")
    }
}
