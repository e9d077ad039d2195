// Clocks: found without a hint, held against the events, and never used where they are wrong.

import TestSupport
import Testing

@Suite struct ClockTests {
    /// A recording with a changed guest.
    private func session(_ recording: Recording = .steady, _ change: (inout RecordedFile) throws -> Void) throws
        -> TemporaryFolder
    {
        let folder = try TemporaryFolder(named: recording.name)
        var guest = try RecordedFile(recording.guest)
        try change(&guest)
        try folder.copy(recording.host, to: "host.dat")
        try folder.write(guest.bytes, to: "host-g3.dat")
        return folder
    }

    /// Without TIME_SHIFT: as if each had been recorded by hand.
    private func unsynchronised(_ recording: Recording) throws -> TemporaryFolder {
        try session(recording) { try $0.renumber(12, to: 0x7fff) }
    }

    private func evidence(_ arguments: String...) async throws -> [String: JSON] {
        let run = try await Command.virtlat(["clock", "--format", "json"] + arguments)
        try #require(run.status == 0, "\(run.errors)")
        let guest = try #require(try JSON(run.output)["guests"].list.first)
        return try Dictionary(uniqueKeysWithValues: guest["evidence"].list.map { (try $0.text("method"), $0) })
    }

    @Test(arguments: Recording.allCases)
    func `the trace alone bounds the clock, and the exact map lies within`(recording: Recording) async throws {
        let evidence = try await evidence(recording.folder)
        let exact = try #require(evidence["kvm-tsc-offset"])
        let found = try #require(evidence["containment"])
        let error = try found.integer("error_ns")
        // An emulated machine's windows; on hardware it is less.
        #expect((1...100_000).contains(error))
        #expect(try abs(found.integer("offset_ns") - exact.integer("offset_ns")) <= error)
        #expect(found["drift_ppb"] == exact["drift_ppb"], "both are one counter")
        for candidate in [exact, found] {
            #expect(candidate["contradicted"] == .bool(false))
            #expect(try candidate.integer("outside") == 0)
            #expect(try candidate.integer("contained") > 1000)
        }
        #expect(try exact.integer("disagreement_ns") == 0)
    }

    @Test(arguments: Recording.allCases)
    func `a guest that nothing ties to the host's clock is put on it by its events`(recording: Recording) async throws {
        let folder = try unsynchronised(recording)
        defer { folder.remove() }
        let whole = try await AnalyzedRecording.of(recording)
        let run = try await Command.virtlat("analyze", folder.path, "--format", "json")
        try #require(run.status == 0, "\(run.errors)")
        let json = try JSON(run.output)
        let clock = try #require(json["clocks"].list.first)
        #expect(clock["method"] == .text("containment"))
        #expect(try clock.integer("outside") == 0)
        let error = try clock.integer("error_ns")
        let truth = try #require(whole.json["clocks"].list.first)
        #expect(try abs(clock.integer("offset_ns") - truth.integer("offset_ns")) <= error)
        for (flow, wholeFlow) in zip(json["flows"].list, whole.json["flows"].list) {
            #expect(flow["direction"] == wholeFlow["direction"])
            let (complete, wholeComplete) = try (
                flow["packets"].integer("complete"), wholeFlow["packets"].integer("complete")
            )
            #expect(complete * 100 >= wholeComplete * 99, "\(flow["direction"])")
            for (stage, wholeStage) in zip(flow["stages"].list, wholeFlow["stages"].list) {
                // The stages that lie between two machines' events are wrong by the clock's error at the most, the
                // others not at all.
                let difference = try abs(stage.number("mean_ns") - wholeStage.number("mean_ns"))
                let name = try stage.text("stage")
                #expect(difference <= Double(error), "\(name)")
            }
        }
    }

    /// One word of each file is damaged, so that a sub-buffer lies years from the others. The search for the guest's
    /// clock must not look at all that is in between, nor does a known clock excuse it.
    @Test(arguments: ["containment", "kvm"])
    func `a damaged stamp makes no work of years`(clock: String) async throws {
        let folder = try TemporaryFolder(named: "damaged")
        defer { folder.remove() }
        var host = try await RecordedFile.uncompressed(Recording.steady.host)
        try host.stamp(cpu: 1, subBuffer: 2, 1_586_526_864_716_102_087)
        try folder.write(host.bytes, to: "host.dat")
        var guest = try await RecordedFile.uncompressed(Recording.steady.guest)
        try guest.stamp(cpu: 0, subBuffer: 2, 11_392_814_858_859_407_552)
        try folder.write(guest.bytes, to: "host-g3.dat")
        // Of the processor's time, since others work here too.
        let run = try await Command.shell(
            "ulimit -t 10; exec \"$VIRTLAT\" analyze \"$1\" --clock \"$2\"", folder.path, clock)
        #expect(run.signal == nil, "\(run.errors)")
    }

    @Test func `a stage tells the clock's error, and the table where it is more than the stage`() async throws {
        let run = try await Command.virtlat("analyze", Recording.steady.folder, "--clock", "containment")
        #expect(run.status == 0)
        #expect(run.output.contains("containment, error below"))
        let crossing = run.output.split(separator: "\n").filter { $0.contains("clock ± ") }
        #expect(crossing.count == 2)
        #expect(crossing.allSatisfy { $0.contains("guest-irq") || $0.contains("guest-exit") })
        let exact = try await Command.virtlat("analyze", Recording.steady.folder)
        #expect(exact.output.contains("KVM TSC offset, exact; "))
        #expect(!exact.output.contains("clock ±"))
    }

    /// 2 ms at 827197636 / 2^31 ns a cycle, both ways.
    @Test(arguments: [5_192_187, -5_192_187])
    func `a wrong time shift is found out, and the events are believed instead`(cycles: Int) async throws {
        let folder = try session { try $0.shiftClock(cycles: cycles) }
        defer { folder.remove() }
        for options in [["--format", "text"], ["--format", "json"], ["--packets", "-"]] {
            let run = try await Command.virtlat(["analyze", folder.path] + options)
            #expect(run.status == 0)
            #expect((run.output + run.errors).contains("KVM TSC offset of g3 is not used, wrong by"))
        }
        let evidence = try await evidence(folder.path)
        let wrong = try #require(evidence["kvm-tsc-offset"])
        #expect(wrong["contradicted"] == .bool(true))
        // Never more than it is wrong by, and what it is wrong by less the width of the windows.
        #expect(try (1_900_000...2_000_000).contains(wrong.integer("disagreement_ns")))
        let table = try await Command.virtlat("clock", folder.path)
        #expect(table.output.contains("WRONG by "))
        #expect(table.output.contains("used: containment, error below"))
    }

    @Test func `a wrong time shift that is wanted all the same is marked as wrong`() async throws {
        let folder = try session { try $0.shiftClock(cycles: 5_192_187) }
        defer { folder.remove() }
        let table = try await Command.virtlat("analyze", folder.path, "--clock", "file")
        #expect(table.status == 0)
        #expect(table.output.contains("note: the clock map of g3 is wrong"))
        #expect(table.output.contains("RECEIVE"))
        let json = try await Command.virtlat("analyze", folder.path, "--clock", "file", "--format", "json")
        #expect(json.status == 0)
        #expect(json.errors.contains("the clock map of g3 is wrong"))
        #expect(try JSON(json.output)["clocks"].list.first?.integer("outside") ?? 0 > 0)
    }

    @Test func `a right time shift needs no permission`() async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        let run = try await Command.virtlat("analyze", Recording.steady.folder, "--clock", "file", "--format", "json")
        #expect(run.output == whole.jsonText)
    }

    @Test func `an offset can be given, of either sign`() async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        let offset = try #require(whole.json["clocks"].list.first).integer("offset_ns")
        let right = try await Command.virtlat(
            "analyze", Recording.steady.folder, "--clock", "offset=\(offset)ns", "--format", "json")
        #expect(right.status == 0)
        let clock = try #require(try JSON(right.output)["clocks"].list.first)
        #expect(clock["method"] == .text("offset"))
        #expect(clock.object["error_ns"] == .null)
        #expect(try clock.integer("outside") == 0)
        #expect(try abs(clock.integer("offset_ns") - offset) <= 1)
        for (option, sign) in [("offset=-2s", -2), ("none", 0)] as [(String, Int64)] {
            let wrong = try await Command.virtlat(
                "analyze", Recording.steady.folder, "--clock", option, "--format", "json")
            #expect(wrong.status == 0)
            #expect(wrong.errors.contains("g3 was not recorded while the host was"))
            #expect(
                try abs(
                    #require(try JSON(wrong.output)["clocks"].list.first).integer("offset_ns") - sign * 1_000_000_000)
                    <= 1)
        }
        #expect(try await Command.virtlat("analyze", Recording.steady.folder, "--clock", "offset=2").status == 64)
    }

    @Test func `what was found can be stored in the guest's file, for other tools too`() async throws {
        let folder = try unsynchronised(.cross)
        defer { folder.remove() }
        let found = try #require(try await evidence(folder.path)["containment"]).integer("offset_ns")
        let write = try await Command.virtlat("clock", folder.path, "--write")
        #expect(write.status == 0)
        #expect(write.errors.contains("\(folder.path("host-g3.dat")): TIME_SHIFT stored"))
        let read = try await Command.virtlat("analyze", folder.path, "--clock", "file", "--format", "json")
        let clock = try #require(try JSON(read.output)["clocks"].list.first)
        #expect(clock["method"] == .text("time-shift"))
        #expect(try abs(clock.integer("offset_ns") - found) <= 2)
        #expect(try clock.integer("outside") == 0)
        let merged = try await Command.run([
            try Command.path(of: "trace-cmd", package: "trace-cmd"), "report", "-i", folder.path("host.dat"), "-i",
            folder.path("host-g3.dat"),
        ])
        #expect(merged.status == 0)
        // Around each packet both files' events alternate, so the merged order changes sides many hundred times.
        let sides = merged.output.split(separator: "\n").map { $0.contains("host-g3.dat:") }
        #expect(zip(sides, sides.dropFirst()).count { $0 != $1 } > 1000)
    }

    @Test func `clock has nothing to say of a host alone`() async throws {
        try await Command.virtlat("clock", Recording.steady.host).expectRefusal(
            naming: "tap-steady", saying: "no guest's recording")
    }

    @Test func `a servo's log that is none, or nobody's, is refused`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write(Array("nothing of the kind\n".utf8), to: "log")
        try await Command.virtlat("analyze", Recording.steady.folder, "--servo-log", folder.path("log"))
            .expectRefusal(naming: folder.path("log"), saying: "no report of ptp4l or phc2sys")
        try await Command.virtlat("analyze", Recording.steady.folder, "--servo-log", folder.path("none"))
            .expectRefusal(naming: folder.path("none"), saying: "open")
        // The trace clock of this recording is nothing that linuxptp keeps; what it says is told, and not used.
        try folder.write(
            Array("phc2sys[100.000]: CLOCK_REALTIME phc offset 5 s2 freq +100 delay 600\n".utf8), to: "phc2sys.log")
        let run = try await Command.virtlat(
            "clock", Recording.steady.folder, "--servo-log", "g3=\(folder.path("phc2sys.log"))")
        #expect(run.status == 0)
        #expect(run.output.contains("record with --trace-clock tai"))
        #expect(run.output.contains("used: KVM TSC offset, exact"))
    }

    @Test func `evidence that is not there is refused with the reason`() async throws {
        let folder = try unsynchronised(.steady)
        defer { folder.remove() }
        for (option, words) in [("file", "TIME_SHIFT"), ("kvm", "KVM TSC offset"), ("exchanges", "exchanges")] {
            try await Command.virtlat("analyze", folder.path, "--clock", option)
                .expectRefusal(naming: folder.path("host-g3.dat"), saying: words, "virtlat clock")
        }
    }

    @Test func `two recordings that were not made together are refused`() async throws {
        let folder = try unsynchronised(.burst)
        defer { folder.remove() }
        for verb in ["analyze", "clock"] {
            try await Command.virtlat(verb, Recording.steady.host, folder.path("host-g3.dat"))
                .expectRefusal(
                    naming: folder.path("host-g3.dat"), saying: "nothing says how its clock",
                    "not recorded at the same time")
        }
    }
}
