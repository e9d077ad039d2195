// Which files make a session: a set that is none is refused, and the order in which they are given does not matter.

import Foundation
import Testing

@Suite struct SessionTests {
    @Test func `a guest without its host is refused`() async throws {
        try await Command.virtlat("analyze", Recording.steady.guest)
            .expectRefusal(naming: Recording.steady.guest, saying: "guest", "give the host's recording too")
    }

    @Test func `two hosts are no session`() async throws {
        for guests in [[], [Recording.steady.guest]] {
            let run = try await Command.virtlat(["analyze", Recording.steady.host, Recording.burst.host] + guests)
            run.expectRefusal(naming: Recording.steady.host, saying: "host", "One host and its guests")
            #expect(run.errors.contains(Recording.burst.host))
        }
    }

    @Test func `a guest of another session is refused`() async throws {
        let run = try await Command.virtlat("analyze", Recording.steady.host, Recording.burst.guest)
        run.expectRefusal(naming: Recording.burst.guest, saying: "another host", "trace ids differ")
        #expect(run.errors.contains(Recording.steady.host))
    }

    @Test func `the same file twice is not two machines`() async throws {
        try await Command.virtlat("analyze", Recording.steady.host, Recording.steady.host).expectRefusal(
            naming: Recording.steady.host)
        try await Command.virtlat("analyze", Recording.steady.host, Recording.steady.guest, Recording.steady.guest)
            .expectRefusal(naming: Recording.steady.guest)
    }

    @Test func `a host without its guests says whose packets these are`() async throws {
        let run = try await Command.virtlat("analyze", Recording.steady.host)
        #expect(run.status == 0)
        #expect(run.output.contains("no guest's recording was given"))
    }

    @Test func `the order of the files does not matter`() async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        for files in [
            [Recording.steady.host, Recording.steady.guest], [Recording.steady.guest, Recording.steady.host],
        ] {
            let run = try await Command.virtlat(["analyze"] + files + ["--format", "json"])
            #expect(run.status == 0)
            #expect(run.output == whole.jsonText)
        }
    }

    @Test func `a folder is read with and without a slash, and from within`() async throws {
        let whole = try await AnalyzedRecording.of(.steady)
        #expect(
            try await Command.virtlat("analyze", Recording.steady.folder + "/", "--format", "json").output
                == whole.jsonText)
        let run = try await Command.shell("cd \"$1\" && \"$VIRTLAT\" analyze . --format json", Recording.steady.folder)
        #expect(run.output == whole.jsonText)
    }

    /// Ways to write the same recording: what is inside must not depend on the container.
    @Test(arguments: [("--file-version", "6"), ("--compression", "none"), ("--compression", "zstd")])
    func `the same events in another container give the same numbers, byte for byte`(how: (String, String)) async throws
    {
        let folder = try TemporaryFolder(named: Recording.steady.name)
        defer { folder.remove() }
        for file in [Recording.steady.host, Recording.steady.guest] {
            try await RecordedFile.convert(file, to: folder.path((file as NSString).lastPathComponent), how.0, how.1)
        }
        let run = try await Command.virtlat(
            "analyze", folder.path, "--format", "json", "--packets", folder.path("packets.csv"))
        let whole = try await AnalyzedRecording.of(.steady)
        #expect(run.status == 0)
        #expect(run.errors.isEmpty, "\(run.errors)")
        #expect(run.output == whole.jsonText)
        #expect(try folder.text("packets.csv") == whole.table)
    }
}
