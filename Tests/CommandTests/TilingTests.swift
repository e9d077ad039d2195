// Rows and stages of every recording: time runs forward, stages tile, everything is accounted for, and the summaries
// are the rows' own.

import Foundation
import Testing

@Suite struct TilingTests {
    @Test(arguments: Recording.allCases)
    func `points of a complete journey never run backwards, and none that it needs is absent`(recording: Recording)
        async throws
    {
        for row in try await AnalyzedRecording.of(recording).journeys where row.isComplete {
            let way = row.way
            for (one, next) in zip(way, way.dropFirst()) {
                #expect(one.time <= next.time, "\(next.point) lies before \(one.point): \(row.text)")
            }
            let absent = row.grammar.steps.filter { $0.isRequired && row.times[$0.point] == nil }.map(\.point)
            #expect(absent.isEmpty, "complete without \(absent): \(row.text)")
        }
    }

    @Test(arguments: Recording.allCases)
    func `a row has no other words than the design's`(recording: Recording) async throws {
        for row in try await AnalyzedRecording.of(recording).journeys {
            #expect(["rx", "tx"].contains(row.direction), "\(row.text)")
            #expect(["complete", "incomplete"].contains(row.status), "\(row.text)")
            #expect(row.isComplete ? row.reason.isEmpty : PathGrammar.reasons.contains(row.reason), "\(row.text)")
            #expect(row.machine == "g3" && row.device == "eth0" && row.path == "tap" && row.queue == 0, "\(row.text)")
            let own = Set(row.grammar.steps.map(\.point))
            #expect(own.isSuperset(of: row.times.keys), "a point of the other direction: \(row.text)")
        }
    }

    @Test(arguments: Recording.allCases)
    func `no complete rx journey lacks the way its interrupt was delivered, and no tx journey has one`(
        recording: Recording
    ) async throws {
        for row in try await AnalyzedRecording.of(recording).journeys {
            if row.direction == "tx" {
                #expect(row.delivery.isEmpty, "\(row.text)")
            } else if row.isComplete {
                #expect(PathGrammar.deliveries.contains(row.delivery), "\(row.text)")
            } else {
                #expect(row.delivery.isEmpty || PathGrammar.deliveries.contains(row.delivery), "\(row.text)")
            }
            if row.delivery == "suppressed" { #expect(row.times["irq.inject"] == nil, "\(row.text)") }
            if row.delivery == "woken" { #expect(row.times["vcpu.wake"] != nil, "\(row.text)") }
        }
    }

    @Test(arguments: Recording.allCases, ["rx", "tx"])
    func `every packet is accounted for`(recording: Recording, direction: String) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        let rows = analyzed.journeys.filter { $0.direction == direction }
        let flow = try analyzed.flow(direction)
        let packets = flow["packets"]
        let incomplete = try packets["incomplete"].object.keys.reduce(into: [:]) {
            $0[$1] = Int(try packets["incomplete"].integer($1))
        }
        let reasons = Dictionary(rows.filter { !$0.isComplete }.map { ($0.reason, 1) }, uniquingKeysWith: +)
        #expect(incomplete == reasons)
        #expect(try Int(packets.integer("seen")) == rows.count)
        #expect(try Int(packets.integer("complete")) == rows.filter(\.isComplete).count)
        #expect(try Int(packets.integer("seen")) == Int(packets.integer("complete")) + incomplete.values.reduce(0, +))

        let delivered = Dictionary(
            rows.filter { $0.isComplete && $0.direction == "rx" }.map { ($0.delivery, 1) }, uniquingKeysWith: +)
        #expect(
            try flow["delivery"].object.keys.reduce(into: [:]) { $0[$1] = Int(try flow["delivery"].integer($1)) }
                == delivered)
    }

    @Test(arguments: Recording.allCases, ["rx", "tx"])
    func `stages are the rows' own, in the path's order`(recording: Recording, direction: String) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        let complete = analyzed.journeys.filter { $0.direction == direction && $0.isComplete }
        // Packets that the kernel itself sends begin at the driver: they stay out of the means that others' calls are
        // in.
        let called = complete.filter { direction == "rx" || $0.times["guest.send"] != nil }
        let rows = called.isEmpty ? complete : called
        let flow = try analyzed.flow(direction)
        #expect(try Int(flow["packets"].integer("without_call")) == complete.count - called.count)
        let lengths = Dictionary(grouping: rows.flatMap(\.stages), by: \.name).mapValues { $0.map(\.length) }
        let expected = PathGrammar.of(direction).steps.compactMap(\.stage)
        #expect(try flow["stages"].list.map { try $0.text("stage") } == expected.map(\.name))
        #expect(try flow["stages"].list.map { try $0.text("owner") } == expected.map(\.owner))
        for stage in flow["stages"].list {
            try expect(
                stage, toSummarize: lengths[try stage.text("stage")] ?? [],
                "\(recording) \(direction) \(try stage.text("stage"))")
        }
        let wholes = try rows.map { try #require($0.way.last?.time) - #require($0.way.first?.time) }
        try expect(flow["end_to_end"], toSummarize: wholes, "\(recording) \(direction) end to end")
    }

    @Test(arguments: Recording.allCases, ["rx", "tx"])
    func `stages add up to end to end, to the nanosecond`(recording: Recording, direction: String) async throws {
        let analyzed = try await AnalyzedRecording.of(recording)
        for row in analyzed.journeys where row.direction == direction && row.isComplete {
            let whole = try #require(row.way.last?.time) - #require(row.way.first?.time)
            #expect(row.stages.reduce(0) { $0 + $1.length } == whole, "\(row.text)")
        }
        let flow = try analyzed.flow(direction)
        let total = { (summary: JSON) in try (summary.number("mean_ns") * summary.number("count")).rounded() }
        #expect(try flow["stages"].list.reduce(0) { try $0 + total($1) } == total(flow["end_to_end"]))
        let shares = try flow["stages"].list.map { try $0.number("share") }
        #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
        for (stage, share) in zip(flow["stages"].list, shares) {
            #expect(try abs(share - total(stage) / total(flow["end_to_end"])) < 1e-9)
        }
    }

    private func expect(_ summary: JSON, toSummarize values: [Int64], _ what: String) throws {
        let sorted = values.sorted()
        let count = sorted.count
        #expect(try Int(summary.integer("count")) == count, "\(what)")
        guard count > 0 else {
            for key in summary.object.keys where key.hasSuffix("_ns") && key != "clock_error_ns" {
                #expect(try summary.number(key) == 0, "\(what): \(key) of nothing")
            }
            return
        }
        #expect(try summary.integer("min_ns") == sorted[0], "\(what)")
        #expect(try summary.integer("max_ns") == sorted[count - 1], "\(what)")
        let mean = Double(sorted.reduce(0, +)) / Double(count)
        #expect(try abs(summary.number("mean_ns") - mean) <= 1e-6 * mean, "\(what)")
        let squares = sorted.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
        let deviation = count > 1 ? (squares / Double(count - 1)).squareRoot() : 0
        #expect(try abs(summary.number("stddev_ns") - deviation) <= 1e-6 * deviation, "\(what)")
        // The smallest value that so many of a thousand lie at or below.
        for (key, permille) in [("p50_ns", 500), ("p90_ns", 900), ("p99_ns", 990), ("p999_ns", 999)] {
            let exact = sorted[(count * permille + 999) / 1000 - 1]
            let found = try summary.integer(key)
            #expect(Double(abs(found - exact)) <= 0.001 * Double(exact), "\(what): \(key) is \(found), not \(exact)")
        }
    }
}
