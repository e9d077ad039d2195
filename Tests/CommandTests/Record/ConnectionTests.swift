// A network that goes away without a word.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct ConnectionTests {
        @Test func `an address that no machine has is said to be checked`() async throws {
            let cable = try await Cable()
            do {
                let session = try RecordedSession()
                defer { session.remove() }
                #expect(try await Command.virtlat("agent", "--new-key", session.folder.path("key")).status == 0)
                let run = try await Command.run(
                    cable.inside(0) + [
                        Command.executable, "record", "-o", session.path, "--vm", "g=tcp:10.213.97.9", "--key-file",
                        session.folder.path("key"), "--duration", "50ms",
                    ])
                run.expectRefusal(
                    naming: "g: its agent can't be reached at tcp:10.213.97.9", saying: "No route to host",
                    "Check the address")
                await cable.remove()
            } catch {
                await cable.remove()
                throw error
            }
        }

        @Test(arguments: ["after", "live"])
        func `a connection that is cut is noticed by both sides within 5 s`(transfer: String) async throws {
            // On a machine that is busy with other things the threads that notice may wait for a CPU.
            for _ in 1...3 where try await timeUntilGone(afterCutting: transfer) <= .seconds(5) { return }
            Issue.record("the guest's instance outlived the connection by more than 5 s three times in a row")
        }

        /// Cuts a connection in the midst of a recording.
        /// - Returns: how long the guest's instance was there after that.
        private func timeUntilGone(afterCutting transfer: String) async throws -> Duration {
            let cable = try await Cable()
            do {
                let agent = try await AgentProcess(on: Cable.addresses[1], behind: cable.inside(1))
                let session = try RecordedSession()
                let running = try RunningCommand(
                    cable.inside(0) + [
                        Command.executable, "record", "-o", session.path, "--duration", "500ms", "--transfer", transfer,
                    ]
                        + agent.options)
                try await running.wait(for: "virtlat: recording")
                try await cable.cut()
                let cut = ContinuousClock.now
                try await Tracing.expectNothingLeft(of: agent.command.id, found: .seconds(5))
                let gone = ContinuousClock.now - cut
                let run = try await running.end()
                #expect(run.status == 1)
                #expect(run.errors.contains("g: lost during the recording: Connection timed out"), "\(run.errors)")
                try await Tracing.expectNothingLeft(of: running.id)
                #expect(try session.manifest().faults.count == 1)
                #expect(try session.manifest().outcome == .cutOff)
                #expect(try await Command.virtlat("analyze", session.path).status == 0)
                session.remove()
                try await agent.end()
                await cable.remove()
                return gone
            } catch {
                await cable.remove()
                throw error
            }
        }
    }
}
