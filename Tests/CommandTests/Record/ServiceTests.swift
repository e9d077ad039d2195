// The agent's systemd unit: what systemd thinks of it, and a session of an agent that systemd has started as the unit
// says.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite(.enabled(if: Systemd.isThere, Systemd.reason)) struct ServiceTests {
        /// The unit as `make install` leaves it, for a virtlat that is there.
        private func installed(in folder: TemporaryFolder) throws -> String {
            let unit = try AgentUnit()
            try FileManager.default.createDirectory(atPath: folder.path("bin"), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: folder.path("bin/virtlat"), withDestinationPath: Command.executable)
            return try folder.write(
                unit.text.replacing("/usr/local", with: folder.path).utf8, to: "virtlat-agent.service")
        }

        @Test func `systemd finds nothing wrong with the unit, and its exposure is 2.5 at the most`() async throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let unit = try installed(in: folder)
            let verified = try await Command.tool("systemd-analyze", package: "systemd", "verify", "--man=no", unit)
            #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified)")
            let judged = try await Command.tool(
                "systemd-analyze", package: "systemd", "security", "--no-pager", "--offline=true", "--threshold=25",
                unit)
            #expect(judged.status == 0, "\(judged.output)")
        }

        @Test(.enabled(if: Systemd.canRun, Systemd.cantRun), arguments: [false, true])
        func `an agent under systemd has the unit's rights, and records whole sessions`(spools: Bool) async throws {
            let systemd = try await Systemd(running: AgentUnit(), spools: spools)
            defer { systemd.remove() }
            let agent = try await systemd.agent()
            let few = try ProcessRights.agents()
            let (threads, rights) = try ProcessRights.ofThreads(agent)
            #expect(threads > 1 && rights == [few])
            for transfer in ["after", "live"] {
                let session = try RecordedSession()
                defer { session.remove() }
                try await systemd.unit.expectWholeSession(session, systemd.options + ["--transfer", transfer])
            }
            #expect(try ProcessRights.ofThreads(agent).rights == [few])
            kill(agent, SIGTERM)
            let run = try await systemd.end()
            #expect(
                run.status == 0 && systemd.log.hasSuffix("virtlat agent: ended by SIGTERM\n"), "\(run) \(systemd.log)")
            #expect(!systemd.log.contains("note:"), "\(systemd.log)")
        }
    }
}
