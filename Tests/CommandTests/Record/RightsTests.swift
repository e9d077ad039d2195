// What an agent can do while it listens and records, and that it says what it could not give up.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct RightsTests {
        @Test func `every thread of an agent has two capabilities and a filter, and so has its guard`() async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let few = try ProcessRights.agents()
            let listening = try ProcessRights.ofThreads(agent.command.id)
            #expect(listening.rights == [few])
            let running = try session.start(agent.options)
            try await running.wait(for: "virtlat: recording")
            let recording = try ProcessRights.ofThreads(agent.command.id)
            #expect(recording.threads > 2 && recording.rights == [few])
            let guards = agent.command.children
            #expect(guards.count == 1)
            for child in guards { #expect(try ProcessRights.ofThreads(child).rights == [few]) }
            running.send(SIGINT)
            #expect(try await running.end().status == 0)
            #expect(!agent.command.errors.contains("note:"), "\(agent.command.errors)")
            try await agent.end()
        }

        @Test func `an agent that listens below port 1024 keeps the right to, and no other`() async throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            #expect(try await Command.virtlat("agent", "--new-key", folder.path("key")).status == 0)
            // Of loopback there is more than anybody else uses.
            let agent = try RunningCommand.virtlat("agent", "--tcp", "127.87.3.1:823", "--key-file", folder.path("key"))
            try await agent.wait(for: "listening on")
            let few = try ProcessRights.agents(besides: ProcessRights.bindService)
            #expect(try ProcessRights.ofThreads(agent.id).rights == [few])
            agent.send(SIGTERM)
            #expect(try await agent.end().status == 0)
        }

        /// A container may give capabilities and not the right to give them away.
        @Test func `rights that stay are said, and the agent goes on`() async throws {
            let agent = try await AgentProcess(
                behind: [try Command.path(of: "setpriv", package: "util-linux"), "--bounding-set", "-setpcap"])
            let session = try RecordedSession()
            defer { session.remove() }
            let note =
                "note: capabilities that it does not need stay in reach: prctl(PR_CAPBSET_DROP): Operation not permitted"
            #expect(agent.command.errors.contains(note), "\(agent.command.errors)")
            let rights = try ProcessRights.ofThreads(agent.command.id).rights
            // What is in reach is not reached: a program that it starts gets no more than it has.
            let expected = try ProcessRights.agents()
            #expect(rights.count == 1)
            #expect(
                rights.first?.capabilities["Prm"] == expected.capabilities["Prm"] && rights.first?.forbidsNew == true)
            #expect(try await session.record(agent.options + ["--duration", "100ms"]).status == 0)
            try await agent.end()
        }

        @Test(arguments: ["after", "live"])
        func `capabilities that the unit gives are enough for all that an agent is asked for`(transfer: String)
            async throws
        {
            let unit = try AgentUnit()
            let names = unit.values("CapabilityBoundingSet").map { "+" + $0.dropFirst("CAP_".count).lowercased() }
            #expect(names.count == 2)
            let confined = [
                try Command.path(of: "setpriv", package: "util-linux"), "--no-new-privs", "--bounding-set",
                (["-all"] + names).joined(separator: ","),
            ]
            let agent = try await AgentProcess(confinedBy: confined)
            let session = try RecordedSession()
            defer { session.remove() }
            try await unit.expectWholeSession(session, agent.options + ["--transfer", transfer])
            #expect(!agent.command.errors.contains("note:"), "\(agent.command.errors)")
            try await agent.end()
        }

        @Test func `a spool that is somebody else's is refused at the start`() async throws {
            let agent = try await AgentProcess()
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            try #require(chown(folder.path, 65534, 65534) == 0 && chmod(folder.path, 0o700) == 0)
            let run = try await Command.virtlat(
                "agent", "--tcp", "127.0.0.3:\(agent.port)", "--key-file", agent.key, "--spool", folder.path)
            run.expectRefusal(naming: folder.path, saying: "Permission denied", "root's own")
            try await agent.end()
        }
    }
}
