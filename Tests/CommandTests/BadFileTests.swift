// Files that can't be read: the message names the file, the place and the way out.

import Foundation
import Testing

@Suite struct BadFileTests {
    @Test func `a file that does not exist is named`() async throws {
        try await Command.virtlat("analyze", "/nowhere/host.dat").expectRefusal(
            naming: "/nowhere/host.dat", saying: "No such file")
        try await Command.virtlat("analyze", Recording.steady.host, "/nowhere/guest.dat")
            .expectRefusal(naming: "/nowhere/guest.dat", saying: "No such file")
    }

    @Test func `a folder that does not exist is named`() async throws {
        try await Command.virtlat("analyze", "/nowhere/session/").expectRefusal(
            naming: "/nowhere/session", saying: "No such file")
    }

    @Test func `a folder without recordings is not taken for an empty session`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try await Command.virtlat("analyze", folder.path).expectRefusal(naming: folder.path, saying: "no .dat files")
        try folder.write("hello".utf8, to: "README.md")
        try await Command.virtlat("analyze", folder.path).expectRefusal(naming: folder.path, saying: "no .dat files")
    }

    @Test func `a folder in the place of a file is not read as one`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let inner = folder.path("host.dat")
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
        // Given itself, it is a folder as any other; found in a session folder, it stands where a file should.
        try await Command.virtlat("analyze", inner).expectRefusal(naming: inner, saying: "no .dat files")
        try await Command.virtlat("analyze", folder.path).expectRefusal(naming: inner, saying: "is a folder")
    }

    @Test func `a pipe or device is not waited for`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try #require(mkfifo(folder.path("pipe.dat"), 0o600) == 0)
        try await Command.virtlat("analyze", folder.path("pipe.dat")).expectRefusal(
            naming: "pipe.dat", saying: "not a regular file")
        try await Command.virtlat("analyze", "/dev/null").expectRefusal(
            naming: "/dev/null", saying: "not a regular file")
    }

    @Test(arguments: ["pipe", "socket", "/dev/zero"])
    func `whatever file is asked for, nothing else is read or waited for in its place`(kind: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try FileManager.default.createDirectory(atPath: folder.path("session"), withIntermediateDirectories: false)
        /// Puts it there.
        func plant(_ name: String) async throws -> String {
            let path = folder.path(name)
            switch kind {
            case "pipe": try #require(mkfifo(path, 0o600) == 0)
            case "socket": try #require(mknod(path, S_IFSOCK | 0o600, 0) == 0)
            default: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: kind)
            }
            return path
        }
        func expectRefused(_ path: String, _ arguments: [String]) async throws {
            // One that waits is told by its patience (Command).
            try await Command.virtlat(arguments).expectRefusal(naming: path, saying: "not a regular file", "copy")
        }
        let other = try await plant("other")
        try await expectRefused(other, ["analyze", other])
        try await expectRefused(other, ["clock", Recording.steady.folder, "--servo-log", other])
        try await expectRefused(other, ["compare", Recording.steady.folder, Recording.burst.folder, "--budget", other])
        try await expectRefused(
            other, ["record", "--vm", "g=tcp:127.0.0.1:1", "--key-file", other, "-o", folder.path("s")])
        try await expectRefused(other, ["agent", "--tcp", "127.0.0.1:1", "--key-file", other])
        let host = try await plant("session/host.dat")
        for verb in ["analyze", "clock"] { try await expectRefused(host, [verb, folder.path("session")]) }
        try await expectRefused(host, ["compare", folder.path("session"), Recording.steady.folder])
        let manifest = try await plant("session/session.json")
        try await expectRefused(manifest, ["analyze", folder.path("session")])
    }

    @Test func `an empty file is said to be empty`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write([], to: "host.dat")
        try await Command.virtlat("analyze", file).expectRefusal(naming: file, saying: "is empty")
        try folder.copy(Recording.steady.guest, to: "host-g3.dat")
        try await Command.virtlat("analyze", folder.path).expectRefusal(naming: file, saying: "is empty")
    }

    @Test(arguments: ["PK\u{3}\u{4} not a recording", "\n", "tracing7", "\u{17}\u{8}Dtracinf7\0"])
    func `a file that is no recording is not decoded`(text: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write(text.utf8, to: "host.dat")
        try await Command.virtlat("analyze", file).expectRefusal(naming: file, saying: "is not a trace.dat file")
    }

    @Test func `another version, byte order or compression is named with what is read instead`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let host = try RecordedFile(Recording.steady.host)
        var changed = host
        changed.set(Int(UInt8(ascii: "8")), at: 10, bytes: 1)
        try await Command.virtlat("analyze", folder.write(changed.bytes, to: "new.dat"))
            .expectRefusal(naming: "new.dat", saying: "version 8", "6 and 7")
        changed = host
        changed.set(1, at: 12, bytes: 1)
        try await Command.virtlat("analyze", folder.write(changed.bytes, to: "big.dat"))
            .expectRefusal(naming: "big.dat", saying: "big-endian")
        changed = host
        changed.set(Int(UInt8(ascii: "y")), at: 18, bytes: 1)
        try await Command.virtlat("analyze", folder.write(changed.bytes, to: "packed.dat"))
            .expectRefusal(naming: "packed.dat", saying: "compressed with ystd", "trace-cmd convert --compression none")
    }

    @Test func `a latency tracer's text is not taken for events`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        // Version 7 names the kind of data by the option's number, version 6 by a word before it.
        var seven = try RecordedFile(Recording.steady.host)
        try seven.renumber(3, to: 22)
        try await Command.virtlat("analyze", folder.write(seven.bytes, to: "seven.dat"))
            .expectRefusal(naming: "seven.dat", saying: "latency", "trace-cmd record -e")

        try await RecordedFile.convert(Recording.steady.host, to: folder.path("six.dat"), "--file-version", "6")
        var six = try Data(contentsOf: URL(fileURLWithPath: folder.path("six.dat")))
        let kind = try #require(six.range(of: Data("flyrecord\0".utf8)), "trace-cmd wrote no version 6")
        six.replaceSubrange(kind, with: Data("latency  \0".utf8))
        try await Command.virtlat("analyze", folder.write(six, to: "six.dat"))
            .expectRefusal(naming: "six.dat", saying: "latency", "trace-cmd record -e")
    }
}
