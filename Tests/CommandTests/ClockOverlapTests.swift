// Evidence that puts a guest where the host did not record: no event contradicts it, and it is not believed for that.

import TestSupport
import Testing

@Suite struct ClockOverlapTests {
    /// 827197636 / 2^31 ns a cycle.
    private static let cyclesInHundredSeconds = 259_609_350_000

    private struct Files {
        var host: RecordedFile
        var guest: RecordedFile
    }

    private func session(_ recording: Recording = .steady, _ change: (inout Files) throws -> Void) async throws
        -> TemporaryFolder
    {
        let folder = try TemporaryFolder(named: recording.name)
        var files = Files(
            host: try await RecordedFile.uncompressed(recording.host), guest: try RecordedFile(recording.guest))
        try change(&files)
        try folder.write(files.host.bytes, to: "host.dat")
        try folder.write(files.guest.bytes, to: "host-g3.dat")
        return folder
    }

    private func clock(_ run: Run) throws -> JSON { try #require(try JSON(run.output)["clocks"].list.first) }

    @Test(arguments: [1, -1])
    func `a time shift that puts the guest outside the host's recording is not used: the events' offset is`(sign: Int)
        async throws
    {
        let folder = try await session { try $0.guest.shiftClock(cycles: sign * Self.cyclesInHundredSeconds) }
        defer { folder.remove() }
        let whole = try await AnalyzedRecording.of(.steady)
        let truth = try #require(whole.json["clocks"].list.first).integer("offset_ns")
        for options in [
            ["--format", "json"], ["--format", "json", "--packets", folder.path("packets.csv")], ["--packets", "-"], [],
        ] {
            let run = try await Command.virtlat(["analyze", folder.path] + options)
            #expect(run.status == 0, "\(run.errors)")
            #expect((run.output + run.errors).contains("KVM TSC offset of g3 is not used, wrong by"))
            #expect((run.output + run.errors).contains("it puts all events of g3 outside the host's recording"))
            guard options.first == "--format" else { continue }
            let clock = try clock(run)
            #expect(clock["method"] == .text("containment"))
            #expect(try abs(clock.integer("offset_ns") - truth) <= clock.integer("error_ns"))
        }
        let table = try await Command.virtlat("clock", folder.path)
        #expect(table.output.contains("OUTSIDE the host's recording"))
        #expect(table.output.contains("used: containment"))
        #expect(table.output.contains("contradicted: KVM TSC offset"))
        let forced = try await Command.virtlat("analyze", folder.path, "--clock", "file", "--format", "json")
        #expect(forced.status == 0)
        #expect(forced.errors.contains("g3 was not recorded while the host was"))
    }

    @Test(arguments: [1, -1])
    func `where the events say nothing either, it is refused, with the evidence and what to do`(sign: Int) async throws
    {
        let folder = try await session {
            try $0.guest.shiftClock(cycles: sign * Self.cyclesInHundredSeconds)
            for event in ["kvm_entry", "kvm_exit"] { try $0.host.hide(event: event) }
        }
        defer { folder.remove() }
        for arguments in [["analyze"], ["analyze", "--packets", "-"], ["clock"]] {
            try await Command.virtlat([arguments[0], folder.path] + arguments.dropFirst()).expectRefusal(
                naming: folder.path("host-g3.dat"), saying: "KVM TSC offset", sign > 0 ? "after" : "before",
                "--clock file",
                "no kvm_entry")
        }
        let forced = try await Command.virtlat("analyze", folder.path, "--clock", "file")
        #expect(forced.status == 0)
        #expect(forced.output.contains("g3 was not recorded while the host was"))
    }

    /// Leaves of the host's pages those that lie in a share of its time, in per cent.
    private func cut(_ host: inout RecordedFile, to share: ClosedRange<Int>) throws {
        let buffer = try #require(host.options.first { $0.id == 3 }).data
        var place = buffer.lowerBound + 8
        for _ in 0..<2 { place = try #require(host.bytes[place...].firstIndex(of: 0)) + 1 }
        let entries = (0..<host.number(at: place + 4, bytes: 4)).map { place + 8 + 20 * $0 }
        // Each page begins with the time of its first event.
        let pages = entries.map { entry in
            let (offset, size) = (host.number(at: entry + 4, bytes: 8), host.number(at: entry + 12, bytes: 8))
            return stride(from: offset, to: offset + size, by: 4096).map {
                (place: $0, time: host.number(at: $0, bytes: 8))
            }
        }
        let times = pages.joined().map(\.time)
        let (first, last) = (try #require(times.min()), try #require(times.max()))
        let kept = first + (last - first) * share.lowerBound / 100...first + (last - first) * share.upperBound / 100
        for (entry, pages) in zip(entries, pages) {
            let ends = pages.dropFirst().map(\.time) + [last]
            let left = zip(pages, ends).filter { kept.contains($0.time) && kept.contains($1) }.map(\.0.place)
            host.set(left.first ?? 0, at: entry + 4, bytes: 8)
            host.set(4096 * left.count, at: entry + 12, bytes: 8)
        }
    }

    /// What is left of a recording that was split, or that began or ended before the guest's.
    @Test(arguments: [0...50, 50...100, 0...4, 40...44])
    func `a part of the host's recording is analyzed with the clock of the whole`(share: ClosedRange<Int>) async throws
    {
        let folder = try await session { try cut(&$0.host, to: share) }
        defer { folder.remove() }
        let whole = try await AnalyzedRecording.of(.steady)
        let run = try await Command.virtlat(
            "analyze", folder.path, "--format", "json", "--packets", folder.path("packets.csv"))
        try #require(run.status == 0, "\(run.errors)")
        #expect(!run.errors.contains("is not used"))
        #expect(try clock(run)["method"] == .text("kvm-tsc-offset"))
        // What is followed to its end is followed as it is in the whole, but where one CPU's pages end before the
        // other's.
        let rows = try folder.text("packets.csv").split(separator: "\n").filter { $0.contains(",complete,") }
        let known = Set(whole.table.split(separator: "\n"))
        let others = rows.count { !known.contains($0) }
        #expect(rows.count > 5 && others * 4 <= rows.count, "\(others) of \(rows.count)")
    }

    @Test func `a part of the host's recording that the guest is not in is refused, with how far off it is`()
        async throws
    {
        let folder = try await session { try cut(&$0.host, to: 96...100) }
        defer { folder.remove() }
        try await Command.virtlat("analyze", folder.path)
            .expectRefusal(
                naming: folder.path("host-g3.dat"), saying: "KVM TSC offset it ends", "before", "--clock file")
    }
}
