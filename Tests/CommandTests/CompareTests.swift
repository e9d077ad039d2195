// virtlat compare, as a person runs it.

import Foundation
import Testing

@Suite struct CompareTests {
    private static let summary: [String: Shape] = [
        "count": .integer, "min_ns": .integer, "mean_ns": .number, "stddev_ns": .number, "p50_ns": .integer,
        "p90_ns": .integer,
        "p99_ns": .integer, "p999_ns": .integer, "max_ns": .integer,
    ]

    private static let row: [String: Shape] = [
        "arms": .list(.object(summary.merging(["name": .text, "contribution_ns": .number]) { $1 })),
        "versus_first": .list(
            .object([
                "arm": .text, "difference_ns": .optional(.number), "ci95_ns": .optional(.list(.number)),
                "p_value": .optional(.number),
                "effect": .optional(.number),
                "verdict": .word(["lower", "higher", "no evidence of a difference", "too few packets"]),
            ])),
    ]

    /// Schema 2, as the design gives it.
    private static let document = Shape.object([
        "schema": .integer, "arms": .list(.object(["name": .text, "sessions": .list(.text), "journeys": .integer])),
        "flows": .list(
            .object([
                "machine": .text, "direction": .word(["rx", "tx"]), "path": .text, "from_driver": .flag,
                "end_to_end": .object(row),
                "stages": .list(.object(row.merging(["stage": .text, "owner": .text]) { $1 })),
            ])),
        "warnings": .list(.text),
    ])

    @Test func `JSON has the keys and types of schema 2, and arms say what analyze says of them`() async throws {
        let run = try await Command.virtlat(
            "compare", Recording.steady.folder, Recording.burst.folder, "--format", "json")
        #expect(run.status == 0)
        let json = try JSON(run.output)
        let faults = Self.document.faults(json)
        #expect(faults.isEmpty, "\(faults.joined(separator: "\n"))")
        #expect(json["schema"] == .integer(2))
        #expect(json["arms"].list.map { $0["name"] } == [.text("tap-steady"), .text("tap-burst")])
        for (index, recording) in [Recording.steady, .burst].enumerated() {
            let analyzed = try await AnalyzedRecording.of(recording)
            for direction in ["rx", "tx"] {
                let flow = try #require(json["flows"].list.first { $0["direction"] == .text(direction) })
                let alone = try analyzed.flow(direction)
                let whole = flow["end_to_end"]["arms"].list[index]
                for key in Self.summary.keys { #expect(whole[key] == alone["end_to_end"][key], "\(direction) \(key)") }
                for stage in alone["stages"].list where try stage.integer("count") > 0 {
                    let row = try #require(flow["stages"].list.first { $0["stage"] == stage["stage"] })
                    for key in Self.summary.keys {
                        #expect(row["arms"].list[index][key] == stage[key], "\(direction) \(stage["stage"]) \(key)")
                    }
                }
            }
        }
    }

    @Test func `contributions sum to the mean, and their differences to the difference`() async throws {
        let json = try JSON(
            await Command.virtlat("compare", Recording.steady.folder, Recording.cross.folder, "--format", "json").output
        )
        for flow in json["flows"].list {
            let whole = flow["end_to_end"]
            var sums: [Double] = []
            for (index, arm) in whole["arms"].list.enumerated() {
                sums.append(
                    try flow["stages"].list.reduce(0) { try $0 + $1["arms"].list[index].number("contribution_ns") })
                #expect(try abs(sums[index] - arm.number("mean_ns")) < 0.01)
            }
            #expect(try abs(sums[1] - sums[0] - whole["versus_first"].list[0].number("difference_ns")) < 0.01)
        }
    }

    @Test func `a session is no different from itself, and the same seed gives the same bytes`() async throws {
        let arguments = [
            "compare", "--arm", "a=\(Recording.steady.folder)", "--arm", "b=\(Recording.steady.folder)", "--format",
            "json",
        ]
        let run = try await Command.virtlat(arguments)
        let json = try JSON(run.output)
        for flow in json["flows"].list {
            for row in [flow["end_to_end"]] + flow["stages"].list {
                #expect(row["versus_first"].list[0]["verdict"] == .text("no evidence of a difference"))
            }
        }
        #expect(try await Command.virtlat(arguments).output == run.output)
        #expect(try await Command.virtlat(arguments + ["--seed", "7"]).output != run.output)
        let unnamed = try await JSON(
            Command.virtlat("compare", Recording.steady.folder, Recording.steady.folder, "--format", "json").output)
        #expect(
            unnamed["arms"].list.map { $0["name"] } == [
                .text(Recording.steady.folder), .text(Recording.steady.folder + "-2"),
            ])
    }

    @Test func `the text has the classic table, an explanation, a histogram and no codes in a pipe`() async throws {
        let run = try await Command.virtlat("compare", Recording.steady.folder, Recording.cross.folder)
        #expect(run.status == 0 && run.errors.isEmpty)
        for words in [
            "RECEIVE   end to end, µs", "TRANSMIT", "95 % interval", "tap-2vcpu-cross against tap-steady: ", "█",
            "the guests' vCPUs",
        ] {
            #expect(run.output.contains(words), "\(words)")
        }
        #expect(!run.output.contains("\u{1b}") && !run.output.contains("\r"))
        let line = "script -qec \"'$VIRTLAT' compare '$1' '$2'\" /dev/null"
        try Command.path(of: "script", package: "bsdutils")
        #expect(
            try await Command.shell(line, Recording.steady.folder, Recording.cross.folder).output.contains("\u{1b}[1m"))
        // A busy machine takes long enough for the line of progress, which has codes of its own.
        let plain = try await Command.shell("NO_COLOR=1 " + line, Recording.steady.folder, Recording.cross.folder)
            .output
        #expect(!plain.contains("\u{1b}[1m") && !plain.contains("\u{1b}[0m"))
    }

    @Test func `CSV has a row for each arm of each stage`() async throws {
        let run = try await Command.virtlat(
            "compare", Recording.steady.folder, Recording.burst.folder, "--format", "csv", "--direction", "tx")
        let rows = run.output.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        #expect(run.status == 0 && rows.allSatisfy { $0.count == 23 } && rows.dropFirst().allSatisfy { $0[1] == "tx" })
        #expect(rows.dropFirst().map { $0[5] }.suffix(2) == ["tap-steady", "tap-burst"])
        #expect(rows.last?[3] == "end-to-end" && rows.last?[22].isEmpty == false)
    }

    @Test func `broken limits end with 3 and are in JUnit's file, others are not`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let budget = try folder.write("rx end-to-end p99 <= 1s\n# a comment\ntx nic mean <= 1ns\n".utf8, to: "limits")
        let arguments = ["compare", Recording.steady.folder, "--budget", budget, "--junit", folder.path("limits.xml")]
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 3 && run.output.contains("BUDGETS   1 kept, 1 broken"))
        #expect(try folder.text("limits.xml").contains("tests=\"2\" failures=\"1\""))
        let kept = try await Command.virtlat(
            "compare", Recording.steady.folder, "--max", "rx end-to-end p99 <= 1s", "--format", "json")
        #expect(kept.status == 0 && kept.errors.isEmpty)
        let json = try await Command.virtlat(
            "compare", Recording.steady.folder, "--max", "rx end-to-end p99 < 1us", "--format", "json")
        #expect(json.status == 3 && json.errors.contains("budget broken: tap-steady rx g3: rx end-to-end p99 < 1us"))
        _ = try JSON(json.output)
    }

    @Test func `what can't be read is refused with its place`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let bad = try folder.write("irq p99 <= 5us\nirq p95 <= 5us\n".utf8, to: "limits")
        try await Command.virtlat("compare", Recording.steady.folder, "--budget", bad)
            .expectRefusal(naming: bad, saying: "line 2, column 5", "found p95")
        try await Command.virtlat("compare", Recording.steady.folder, "--budget", folder.path("none")).expectRefusal(
            naming: folder.path("none"))
        try await Command.virtlat("compare", Recording.steady.folder, "--max", "g9 irq p99 <= 5us")
            .expectRefusal(naming: "g9", saying: "column 1", "is no arm")
        try await Command.virtlat("compare", Recording.steady.folder, folder.path("nowhere")).expectRefusal(
            naming: "nowhere")
        try await Command.virtlat("compare", Recording.steady.folder, Recording.burst.folder, "--guest", "g9")
            .expectRefusal(naming: "g9", saying: "g3")
    }

    @Test(arguments: [
        ["compare"], ["compare", "x"], ["compare", "x", "--arm", "a=y"], ["compare", "--arm", "a=x"],
        ["compare", "--arm", "a", "--arm", "b=y"],
        ["compare", "--arm", "a=x,", "--arm", "b=y"], ["compare", "x", "y", "--max", "irq p99 50us"],
        ["compare", "x", "y", "--junit", "z"],
        ["compare", "--arm", "a=x,x", "--arm", "b=y"], ["compare", "--arm", "a=x", "--arm", "b=y", "--arm", "a=x"],
        ["compare", "x", "y", "--format", "xml"], ["compare", "x", "y", "--seed", "-1"],
    ])
    func `wrong usage is status 64 and says how it is done`(arguments: [String]) async throws {
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 64 && run.output.isEmpty, "\(run)")
        #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("Usage: virtlat compare"), "\(run.errors)")
    }

    @Test func `help names every option, the language of limits, and the exit status`() async throws {
        let help = try await Command.virtlat("compare", "--help").output
        for words in [
            "--arm", "--max", "--budget", "--junit", "--seed", "--format", "LIMITS", "EXAMPLES", "EXIT STATUS", "  3  ",
        ] {
            #expect(help.contains(words), "\(words)")
        }
    }
}
