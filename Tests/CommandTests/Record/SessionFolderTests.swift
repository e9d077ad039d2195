// The folder that a recording leaves: for its owner only, and nobody led it elsewhere.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct SessionFolderTests {
        private func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }

        @Test(arguments: ["after", "live"])
        func `a session is for its owner only`(transfer: String) async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            // What the umask leaves would be more.
            let running = try RunningCommand(
                ["/bin/sh", "-c", "umask 0; exec \"$@\"", "sh", Command.executable, "record", "-o", session.path]
                    + agent.options
                    + ["--transfer", transfer, "--duration", "300ms"])
            try await running.wait(for: "virtlat: recording")
            for name in session.names {
                #expect(try mode(session.path + "/" + name) == 0o600, "\(name) while it records")
            }
            #expect(try await running.end().status == 0)
            #expect(try mode(session.path) == 0o700)
            for name in session.names { #expect(try mode(session.path + "/" + name) == 0o600, "\(name)") }
            try await session.expectReadable("host.dat", "guest-g.dat")
            try await agent.end()
        }

        @Test func `a folder that others can write in is refused`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            try #require(chmod(session.folder.path, 0o777) == 0)
            try await session.record("--duration", "50ms")
                .expectRefusal(
                    naming: session.folder.path, saying: "others than its owner can write", "chmod go-w", "-o")
            #expect(session.folder.names.isEmpty)
            let doctor = try JSON(try await Command.virtlat("doctor", "--format", "json", "-o", session.path).output)
            #expect(
                try doctor["findings"].list.contains {
                    try $0.text("id") == "output" && $0.text("severity") == "error"
                },
                "doctor says nothing")
            // As in /tmp.
            try #require(chmod(session.folder.path, 0o1777) == 0)
            #expect(try await session.record("--duration", "50ms").status == 0)
        }

        @Test func `recovering follows no link in the place of its files`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start([])
            try await running.wait(for: "virtlat: recording")
            for child in running.children { kill(child, SIGKILL) }
            running.send(SIGKILL)
            _ = try await running.end()
            try session.folder.write("mine".utf8, to: "target")
            try FileManager.default.createSymbolicLink(
                atPath: session.path + "/host.dat.partial", withDestinationPath: session.folder.path("target"))
            // The manifest can be read through a link, and is not replaced through one.
            try FileManager.default.moveItem(
                atPath: session.path + "/session.json", toPath: session.folder.path("manifest"))
            try FileManager.default.createSymbolicLink(
                atPath: session.path + "/session.json", withDestinationPath: session.folder.path("manifest"))
            let manifest = try session.folder.text("manifest")
            try await Command.virtlat("record", "--recover", session.path)
                .expectRefusal(naming: session.path + "/session.json", saying: "is a link", "remove it")
            #expect(try session.folder.text("target") == "mine" && session.folder.text("manifest") == manifest)
            try FileManager.default.removeItem(atPath: session.path + "/session.json")
            try FileManager.default.moveItem(
                atPath: session.folder.path("manifest"), toPath: session.path + "/session.json")
            #expect(try await Command.virtlat("record", "--recover", session.path).status == 0)
            try await session.expectReadable("host.dat")
        }
    }
}
