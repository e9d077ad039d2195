// What virtlat record and virtlat agent are told, and what of it makes no sense.

import Foundation
import Testing

@Suite struct RecordUsageTests {
    @Test(arguments: [
        ["record", "--vm", "g"], ["record", "--vm", "g=vsock"], ["record", "--vm", "g=vsock:2"],
        ["record", "--vm", "=vsock:3"],
        ["record", "--vm", "../g=vsock:3"],
        ["record", "--vm", ".g=vsock:3"], ["record", "--vm", "g=vsock:3", "--vm", "g=vsock:4"],
        ["record", "--vm", "g=tcp:10.0.0.3"],
        ["record", "--vm", "g=udp:10.0.0.3"], ["record", "--duration", "0s"], ["record", "--duration", "5"],
        ["record", "--duration", "-5s"],
        ["record", "--duration", "1m"], ["record", "--buffer-size", "16"], ["record", "--buffer-size", "0M"],
        ["record", "--buffer-size", "-1M"],
        ["record", "--buffer-size", "1.5M"], ["record", "--buffer-size", "5T"],
        ["record", "--buffer-size", "99999999999G"],
        ["record", "--buffer-size", "M"],
        ["record", "--transfer", "never"], ["record", "stray"],
        ["agent", "--tcp", "127.0.0.1"], ["agent", "--tcp", "127.0.0.1:0", "--key-file", "k"],
        ["agent", "--tcp", "127.0.0.1:x", "--key-file", "k"],
        ["agent", "--tcp", "127.0.0.1", "--key-file", "k", "--vsock"], ["agent", "--allow", "somebody"],
        ["agent", "0"],
        ["agent", "4294967295"],
    ])
    func `wrong usage is status 64 and says how it is done`(arguments: [String]) async throws {
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 64, "\(run)")
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("Usage: virtlat"), "\(run.errors)")
    }

    @Test func `an agent that would listen on TCP without a key says why it does not`() async throws {
        let run = try await Command.virtlat("agent", "--tcp", "127.0.0.1")
        #expect(run.errors.contains("--key-file") && run.errors.contains("--new-key"), "\(run.errors)")
    }

    // MARK: Keys

    @Test func `a key is made once, for its owner only, and never twice the same`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for name in ["a", "b"] {
            #expect(try await Command.virtlat("agent", "--new-key", folder.path(name)).status == 0)
        }
        let mode = try FileManager.default.attributesOfItem(atPath: folder.path("a"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let key = try folder.text("a")
        #expect(key.wholeMatch(of: #/[0-9a-f]{64}\n/#) != nil)
        #expect(try folder.text("b") != key)
        try await Command.virtlat("agent", "--new-key", folder.path("a")).expectRefusal(
            naming: folder.path("a"), saying: "never overwritten")
        #expect(try folder.text("a") == key)
    }

    @Test(arguments: ["record", "agent"])
    func `a key that others can read, or that is none, is refused`(verb: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        func run(_ file: String) async throws -> Run {
            verb == "record"
                ? try await Command.virtlat(
                    "record", "--vm", "g=tcp:127.0.0.1:1", "--key-file", file, "-o", folder.path("s"))
                : try await Command.virtlat("agent", "--tcp", "127.0.0.1:1", "--key-file", file)
        }
        #expect(try await Command.virtlat("agent", "--new-key", folder.path("key")).status == 0)
        for mode in [0o640, 0o604, 0o644] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path("key"))
            try await run(folder.path("key")).expectRefusal(
                naming: folder.path("key"), saying: "others may read it", "chmod 600")
        }
        for text in [
            "", "key", String(repeating: "0", count: 63), String(repeating: "g", count: 64),
            String(repeating: "+1", count: 32),
        ] {
            try folder.write(text.utf8, to: "bad")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.path("bad"))
            try await run(folder.path("bad")).expectRefusal(naming: folder.path("bad"), saying: "64 hexadecimal digits")
        }
        try await run(folder.path("absent")).expectRefusal(naming: folder.path("absent"), saying: "No such file")
        #expect(!folder.names.contains("s"))
    }
}
