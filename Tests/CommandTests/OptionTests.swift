// Options narrow what is shown, and never change it.

import Testing

@Suite struct OptionTests {
    private func analyze(_ options: String...) async throws -> JSON {
        let run = try await Command.virtlat(["analyze", Recording.steady.folder, "--format", "json"] + options)
        try #require(run.status == 0, "\(options): \(run.errors)")
        return try JSON(run.output)
    }

    /// Rows of --packets with these options.
    private func rows(_ options: String...) async throws -> [JourneyRow] {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let run = try await Command.virtlat(
            ["analyze", Recording.steady.folder, "--packets", folder.path("packets.csv")] + options)
        try #require(run.status == 0, "\(options): \(run.errors)")
        return try JourneyRow.rows(folder.text("packets.csv"))
    }

    @Test(arguments: ["rx", "tx"])
    func `--direction leaves the other direction out and this one as it is`(direction: String) async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        #expect(try await analyze("--direction", direction)["flows"].list == [whole.flow(direction)])
        #expect(
            try await rows("--direction", direction).map(\.text)
                == whole.journeys.filter { $0.direction == direction }.map(\.text))
    }

    @Test(arguments: [
        ["--guest", "g3"], ["--device", "eth0"], ["--device", "tap0"], ["--since", "0s"], ["--until", "1000s"],
    ])
    func `a filter that everything passes changes nothing`(options: [String]) async throws {
        let run = try await Command.virtlat(["analyze", Recording.steady.folder, "--format", "json"] + options)
        #expect(try await run.output == AnalyzedRecording.of(.steady).jsonText)
    }

    @Test func `a guest that is not there is an error that names those that are`() async throws {
        try await Command.virtlat("analyze", Recording.steady.folder, "--guest", "g4").expectRefusal(
            naming: "g4", saying: "no guest", "g3")
    }

    @Test(arguments: [
        ["--since", "100s"], ["--until", "1ns"], ["--device", "eth9"], ["--device", "tap0", "--since", "100s"],
    ])
    func `no packets is no error, and is said`(options: [String]) async throws {
        let table = try await Command.virtlat(["analyze", Recording.steady.folder] + options)
        #expect(table.status == 0)
        #expect(table.output.contains("note: no packet passes the filters given"))
        let json = try await Command.virtlat(["analyze", Recording.steady.folder, "--format", "json"] + options)
        #expect(json.status == 0)
        #expect(try JSON(json.output)["flows"] == .list([]))
        #expect(json.errors.contains("no packet passes the filters given"))
        let packets = try await Command.shell(
            "\"$VIRTLAT\" analyze \"$1\" --packets - $2 | cat", Recording.steady.folder, options.joined(separator: " "))
        #expect(packets.output.split(separator: "\n").filter { $0.hasPrefix("g3,") }.isEmpty)
        #expect(packets.output.contains("machine,device,direction,"))
    }

    @Test(arguments: ["1500ms", "2s", "2.75s"])
    func `--since and --until part the packets: none twice, none missing`(time: String) async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        let before = try await rows("--until", time)
        let after = try await rows("--since", time)
        #expect(!before.isEmpty && !after.isEmpty)
        #expect(before.count + after.count == whole.journeys.count)
        #expect(Set(before.map(\.text)).union(after.map(\.text)) == Set(whole.journeys.map(\.text)))
        #expect(Set(before.map(\.text)).isDisjoint(with: after.map(\.text)))
        // And the cut is where it was wanted, counted from the host's first event.
        let cut =
            try await Counted(Recording.steady.host).first
            + (["1500ms": 1_500_000_000, "2s": 2_000_000_000, "2.75s": 2_750_000_000][time] ?? 0)
        #expect(before.allSatisfy { ($0.way.first?.time ?? .max) < cut + 1000 })
        #expect(after.allSatisfy { ($0.way.first?.time ?? .min) >= cut - 1000 })
        let seen = { (json: JSON) in try json["flows"].list.reduce(0) { $0 + (try $1["packets"].integer("seen")) } }
        #expect(try await seen(analyze("--until", time)) + seen(analyze("--since", time)) == seen(whole.json))
    }

    @Test func `a window is both bounds at once`() async throws {
        let whole = try await AnalyzedRecording.of(.steady).journeys.map(\.text)
        let parts = try await rows("--until", "2s") + rows("--since", "2s", "--until", "3s") + rows("--since", "3s")
        #expect(parts.count == whole.count)
        #expect(Set(parts.map(\.text)) == Set(whole))
    }

    @Test func `a time means the same in every unit`() async throws {
        let flows = try await analyze("--since", "2s")["flows"]
        for time in ["2.0s", "2000ms", "2000000us", "2000000µs", "2000000000ns"] {
            #expect(try await analyze("--since", time)["flows"] == flows, "\(time)")
        }
    }
}
