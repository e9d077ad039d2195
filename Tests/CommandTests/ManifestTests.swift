// What analyze makes of session.json: which file is whose, what is missing, and what it refuses.

import Foundation
import Sessions
import Testing

@Suite struct ManifestTests {
    @Test func `a manifest that says nothing new changes nothing`() async throws {
        let session = try SessionFolder()
        defer { session.remove() }
        let run = try await session.analyze("--format", "json")
        #expect(run.status == 0)
        #expect(run.errors.isEmpty, "\(run.errors)")
        #expect(try await run.output == AnalyzedRecording.of(.steady).jsonText)
        let text = try await Command.virtlat("analyze", Recording.steady.folder).output
        #expect(try await session.analyze().output == text)
    }

    @Test func `machines have the names that the manifest gives them`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.machines[0].name = "hypervisor"
        session.manifest.machines[1].name = "database"
        let run = try await session.analyze("--format", "json", "--guest", "database")
        try #require(run.status == 0, "\(run.errors)")
        let json = try JSON(run.output)
        #expect(try json["session"]["machines"].list.map { try $0.text("name") } == ["hypervisor", "database"])
        #expect(try json["flows"].list.map { try $0.text("machine") } == ["database", "database"])
        try await session.analyze("--guest", "g3").expectRefusal(naming: "g3", saying: "no guest", "database")
    }

    @Test func `roles come from the manifest, whatever the files are called`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        for (old, new) in [("host.dat", "a.dat"), ("guest-g3.dat", "host.dat")] {
            try FileManager.default.moveItem(atPath: session.folder.path(old), toPath: session.folder.path(new))
        }
        session.manifest.machines[0].file = "a.dat"
        session.manifest.machines[1].file = "host.dat"
        #expect(try await session.analyze("--format", "json").output == AnalyzedRecording.of(.steady).jsonText)
    }

    @Test func `a file of another recording is refused`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.machines[1].traceID = 4711
        let found = try SessionFolder.traceID(Recording.steady.guest)
        try await session.analyze().expectRefusal(
            naming: session.folder.path("guest-g3.dat"), saying: "session.json", "trace id is \(found)", "4711",
            "give the recordings themselves")
    }

    @Test func `a file without a trace id is not taken for the one the manifest names`() async throws {
        let session = try SessionFolder()
        defer { session.remove() }
        var host = try RecordedFile(Recording.steady.host)
        try host.renumber(11, to: 999)
        try FileManager.default.removeItem(atPath: session.folder.path("host.dat"))
        try session.folder.write(host.bytes, to: "host.dat")
        try await session.analyze().expectRefusal(naming: session.folder.path("host.dat"), saying: "trace id is absent")
    }

    @Test func `a file that is named and not there is an error that names it`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        try FileManager.default.removeItem(atPath: session.folder.path("guest-g3.dat"))
        try await session.analyze().expectRefusal(
            naming: session.folder.path("guest-g3.dat"), saying: "is not there", "session.json", "g3's recording",
            "Copy the whole folder")
        session.manifest.outcome = .recording
        try await session.analyze().expectRefusal(
            naming: session.folder.path("guest-g3.dat"), saying: "still being recorded")
    }

    @Test func `a manifest does not lead out of its folder`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.machines[1].file = "../\(Recording.steady.name)/guest-g3.dat"
        try await session.analyze().expectRefusal(naming: "/../", saying: "is not there")
    }

    @Test func `files that the manifest does not name are left out, and that is said`() async throws {
        let session = try SessionFolder()
        defer { session.remove() }
        try session.folder.copy(Recording.burst.guest, to: "old.dat")
        try session.folder.write("hello".utf8, to: "README.md")
        let run = try await session.analyze("--format", "json")
        #expect(run.status == 0)
        #expect(try await run.output == AnalyzedRecording.of(.steady).jsonText)
        #expect(run.errors == "virtlat: note: old.dat: not named in session.json, and left out\n")
    }

    @Test func `a guest without a recording is a note that says why`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        var lost = session.manifest.machines[1]
        (lost.name, lost.file) = ("g1", nil)
        session.manifest.machines.append(lost)
        session.manifest.outcome = .cutOff
        session.manifest.faults = ["g10: its clock was not read.", "g1: its agent was killed."]
        let run = try await session.analyze()
        #expect(run.status == 0)
        #expect(run.output.contains("note: g1 has no recording: its agent was killed.\n"))
        #expect(run.output.contains("note: g10: its clock was not read.\n"))
        #expect(run.output.components(separatedBy: "its agent was killed").count == 2, "said twice")
        #expect(run.output.contains("RECEIVE"))
    }

    @Test
    func `a session of a host alone can be read, though it has no events of KVM, and tells of the host's own packets`()
        async throws
    {
        var session = try SessionFolder()
        defer { session.remove() }
        // The guest's clock is shifted to its host's: without a manifest it is no host.
        for file in ["host.dat", "guest-g3.dat"] {
            try FileManager.default.removeItem(atPath: session.folder.path(file))
        }
        try session.folder.copy(Recording.steady.guest, to: "host.dat")
        try await Command.virtlat("analyze", session.folder.path).expectRefusal(
            naming: "host.dat", saying: "is a guest's recording")
        session.manifest.machines[0].traceID = session.manifest.machines.removeLast().traceID
        session.manifest.measured = Manifest.Window(begin: 0, end: .max)
        let run = try await session.analyze()
        #expect(run.status == 0)
        #expect(run.output.contains("host l1: 1 CPU, "))
        #expect(run.output.contains("RECEIVE   eth0 → l1 app   path host   "))
        #expect(!run.output.contains("no guest's recording was given"))
    }

    @Test func `a session without its host's recording is refused`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.machines[0].file = nil
        session.manifest.faults = ["l1: the disk was full."]
        try await session.analyze().expectRefusal(
            naming: session.folder.path("session.json"), saying: "host has no recording", "the disk was full",
            "record again")
        session.manifest.machines.removeFirst()
        try await session.analyze().expectRefusal(
            naming: session.folder.path("session.json"), saying: "host has no recording")
    }

    @Test func `what the manifest says is missing is said again`() async throws {
        var session = try SessionFolder()
        defer { session.remove() }
        session.manifest.outcome = .cutOff
        session.manifest.faults = ["The disk was full.", "g3: 12 events were lost."]
        var run = try await session.analyze()
        #expect(run.status == 0)
        #expect(run.output.contains("note: The disk was full.\nnote: g3: 12 events were lost.\n"))
        session.manifest.faults = []
        run = try await session.analyze()
        #expect(run.output.contains("note: this recording was cut off"))
        session.manifest.outcome = .recording
        run = try await session.analyze("--format", "csv")
        #expect(run.status == 0)
        #expect(run.errors.contains("note: this recording is still running, or its recorder was killed"))
    }

    @Test func `a manifest that can't be read is an error with file, place and remedy`() async throws {
        let session = try SessionFolder()
        defer { session.remove() }
        let file = session.folder.path("session.json")
        let text = String(decoding: session.manifest.encoded(), as: UTF8.self)
        for (broken, words) in [
            ("{", "it is not JSON"),
            (text.replacingOccurrences(of: "\"guest\"", with: "\"router\""), "machines[1].role can't be read"),
            (text.replacingOccurrences(of: "\"guest\"", with: "\"host\""), "machines has 2 hosts"),
        ] {
            try session.folder.write(broken.utf8, to: "session.json")
            try await Command.virtlat("analyze", session.folder.path).expectRefusal(
                naming: file, saying: "is no session's manifest", words, "give the recordings themselves")
        }
        try session.folder.write(
            text.replacingOccurrences(of: "\"schema\" : 1", with: "\"schema\" : 7").utf8, to: "session.json")
        try await Command.virtlat("analyze", session.folder.path).expectRefusal(
            naming: file, saying: "schema 7", "schema 1", "give the recordings themselves")
        // Which is a remedy.
        let files = [session.folder.path("host.dat"), session.folder.path("guest-g3.dat")]
        #expect(try await Command.virtlat(["analyze"] + files).status == 0)
    }
}
