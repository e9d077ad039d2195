// A clock that is missing or wrong: no numbers are better than wrong ones.

import Testing

@Suite struct ClockTests {
    /// tap-steady with a changed guest.
    private func session(_ change: (inout RecordedFile) throws -> Void) throws -> TemporaryFolder {
        let folder = try TemporaryFolder(named: Recording.steady.name)
        var guest = try RecordedFile(Recording.steady.guest)
        try change(&guest)
        try folder.copy(Recording.steady.host, to: "host.dat")
        try folder.write(guest.bytes, to: "host-g3.dat")
        return folder
    }

    @Test func `a guest that nothing ties to the host's clock is refused`() async throws {
        let folder = try session { try $0.renumber(12, to: 0x7fff) }
        defer { folder.remove() }
        try await Command.virtlat("analyze", folder.path)
            .expectRefusal(naming: folder.path("host-g3.dat"), saying: "TIME_SHIFT", "trace-cmd record -A")
    }

    /// 2 ms at 827197636 / 2^31 ns a cycle, both ways.
    @Test(arguments: [5_192_187, -5_192_187])
    func `a wrong time shift is found out, and nothing is printed`(cycles: Int) async throws {
        let folder = try session { try $0.shiftClock(cycles: cycles) }
        defer { folder.remove() }
        for format in ["text", "json", "csv"] {
            try await Command.virtlat("analyze", folder.path, "--format", format, "--packets", folder.path("packets.csv"))
                .expectRefusal(naming: folder.path("host-g3.dat"), saying: "time shift is wrong", "--clock file")
            #expect(folder.names == ["host-g3.dat", "host.dat"])
        }
    }

    @Test func `a wrong time shift that is wanted all the same is marked as wrong`() async throws {
        let folder = try session { try $0.shiftClock(cycles: 5_192_187) }
        defer { folder.remove() }
        let table = try await Command.virtlat("analyze", folder.path, "--clock", "file")
        #expect(table.status == 0)
        #expect(table.output.contains("note: the time shift of g3 is wrong"))
        #expect(table.output.contains("RECEIVE"))
        let json = try await Command.virtlat("analyze", folder.path, "--clock", "file", "--format", "json")
        #expect(json.status == 0)
        #expect(json.errors.contains("the time shift of g3 is wrong"))
        #expect(try JSON(json.output)["clocks"].list.first?.integer("outside") ?? 0 > 0)
    }

    @Test func `a right time shift needs no permission`() async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        let run = try await Command.virtlat("analyze", Recording.steady.folder, "--clock", "file", "--format", "json")
        #expect(run.output == whole.jsonText)
    }
}
