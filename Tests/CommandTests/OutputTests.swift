// Where results go: standard output, the packet table, pipes, terminals, and streams that can't be written to.

import Foundation
import Testing

@Suite struct OutputTests {
    /// Whether standard output is a pipe or a file must not matter: rows are neither overwritten nor mixed with
    /// anything.
    @Test(.serialized, arguments: ["| cat", "> \"$2\"; cat \"$2\"", ">> \"$2\"; cat \"$2\""])
    func `--packets - writes the rows of the file to standard output, in place of the table`(target: String)
        async throws
    {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/dev/stdout")
        let run = try await Command.shell(
            "\"$VIRTLAT\" analyze \"$1\" --packets - \(target)", Recording.steady.folder, folder.path("output"))
        let whole = try await AnalyzedRecording.of(.steady)
        #expect(run.errors.isEmpty, "\(run.errors)")
        #expect(run.output == whole.table, "they are mixed up")
        // Root could replace the system's own link; it is put back, so that a failure breaks nothing else.
        if let link, link != (try? FileManager.default.destinationOfSymbolicLink(atPath: "/dev/stdout")) {
            Issue.record("/dev/stdout was replaced by a file")
            try FileManager.default.removeItem(atPath: "/dev/stdout")
            try FileManager.default.createSymbolicLink(atPath: "/dev/stdout", withDestinationPath: link)
        }
    }

    @Test(arguments: ["nowhere/packets.csv", "folder", "folder/", "file/packets.csv"])
    func `a packet table that can't be written leaves nothing behind`(path: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try FileManager.default.createDirectory(atPath: folder.path("folder"), withIntermediateDirectories: false)
        try folder.write([], to: "file")
        try await Command.virtlat("analyze", Recording.steady.folder, "--packets", folder.path(path))
            .expectRefusal(naming: folder.path(path))
        #expect(folder.names == ["file", "folder"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("folder")).isEmpty)
    }

    @Test func `an analysis that fails leaves an older packet table as it was`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let old = try folder.write("old\n".utf8, to: "packets.csv")
        let failing = [
            [Recording.steady.guest], [Recording.steady.host, Recording.burst.guest],
            [Recording.steady.folder, "--guest", "g9"],
        ]
        for arguments in failing {
            #expect(try await Command.virtlat(["analyze", "--packets", old] + arguments).status == 1)
            #expect(try folder.text("packets.csv") == "old\n")
            #expect(folder.names == ["packets.csv"])
        }
        let run = try await Command.virtlat("analyze", "--packets", old, Recording.steady.folder)
        #expect(run.status == 0)
        #expect(try await folder.text("packets.csv") == AnalyzedRecording.of(.steady).table)
        #expect(folder.names == ["packets.csv"])
    }

    @Test func `a full disk is an error`() async throws {
        try await Command.virtlat("analyze", Recording.steady.folder, "--packets", "/dev/full")
            .expectRefusal(naming: "/dev/full", saying: "No space left")
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for format in ["text", "json", "csv"] {
            let run = try await Command.shell(
                "\"$VIRTLAT\" analyze \"$1\" --format \"$2\" --packets \"$3\" > /dev/full", Recording.steady.folder,
                format,
                folder.path("packets.csv"))
            #expect(run.status == 1)
            #expect(run.errors.contains("No space left"), "\(run.errors)")
            // The table was complete before the breakdown could not be written.
            #expect(try await folder.text("packets.csv") == AnalyzedRecording.of(.steady).table)
        }
    }

    @Test func `a closed standard output is an error, and its results go nowhere else`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let run = try await Command.shell(
            "\"$VIRTLAT\" analyze \"$1\" --packets \"$2\" >&-", Recording.steady.folder, folder.path("packets.csv"))
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("virtlat: "), "\(run.errors)")
        #expect(try await folder.text("packets.csv") == AnalyzedRecording.of(.steady).table)
        #expect(folder.names == ["packets.csv"])
    }

    @Test(arguments: [["--format", "text"], ["--format", "json"], ["--packets", "-"]])
    func `a reader that goes away is not waited for, and no crash is shown`(options: [String]) async throws {
        for reader in ["true", "head -1"] {
            let line = "\"$VIRTLAT\" analyze \"$1\" $2 | \(reader); exit ${PIPESTATUS[0]}"
            let run = try await Command.shell(line, Recording.steady.folder, options.joined(separator: " "))
            // 141: ended by SIGPIPE, as the shell counts it.
            #expect([0, 1, 141].contains(run.status), "\(reader): \(run)")
            #expect(!run.errors.contains("Fatal error"), "\(run.errors)")
            if reader == "head -1" { #expect(run.output.split(separator: "\n").count == 1) }
        }
    }

    @Test func `a reader that goes away leaves no half of a packet table`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await Command.shell(
            "\"$VIRTLAT\" analyze \"$1\" --packets \"$2\" | true", Recording.steady.folder, folder.path("packets.csv"))
        #expect(folder.names.isEmpty || folder.names == ["packets.csv"], "\(folder.names)")
    }

    @Test(arguments: ["text", "json", "csv"])
    func `a pipe gets no escape codes and no progress`(format: String) async throws {
        let run = try await Command.shell(
            "\"$VIRTLAT\" analyze \"$1\" --format \"$2\" 2>&1 | cat", Recording.steady.folder, format)
        #expect(run.status == 0)
        #expect(!run.output.isEmpty)
        #expect(!run.output.contains("\u{1b}") && !run.output.contains("\r"))
        #expect(!run.output.contains("analyzing"))
    }

    @Test func `a terminal gets colour, and with NO_COLOR none`() async throws {
        // script(1) runs a command on a terminal of its own.
        try Command.path(of: "script", package: "bsdutils")
        let line = "script -qec \"'$VIRTLAT' analyze '$1'\" /dev/null"
        let coloured = try await Command.shell(line, Recording.steady.folder)
        #expect(coloured.status == 0)
        #expect(coloured.output.contains("\u{1b}[1m"))
        let plain = try await Command.shell("NO_COLOR=1 " + line, Recording.steady.folder)
        #expect(plain.status == 0)
        #expect(plain.output.contains("RECEIVE"))
        #expect(!plain.output.contains("\u{1b}"))
    }

    @Test func `the same recording gives the same bytes each time`() async throws {
        let whole = try await AnalyzedRecording.of(.lost)
        for _ in 0..<3 {
            let run = try await Command.virtlat("analyze", Recording.lost.folder, "--format", "json")
            #expect(run.output == whole.jsonText)
        }
    }
}
