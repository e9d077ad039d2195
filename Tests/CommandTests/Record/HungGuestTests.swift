// A guest that hangs: it is nobody's but its own part that waits for it.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct HungGuestTests {
        /// The clocks are still to be compared by then, and the agent to be stopped, each of which has half a minute to
        /// answer.
        @Test func `a guest that hangs does not keep tracing on here`() async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options + ["--duration", "500ms"])
            try await running.wait(for: "virtlat: recording")
            let instance = try #require(Tracing.instances(of: running.id).first)
            agent.command.send(SIGSTOP)
            // 10 s after the measurement is the promise.
            let end = ContinuousClock.now + .seconds(15)
            while Tracing.text(instance, "tracing_on") == "1", ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(Tracing.text(instance, "tracing_on") == "0")
            #expect(running.isRunning, "the guest was not waited for: \(running.errors)")
            // Now nobody needs to wait any longer.
            agent.command.send(SIGKILL)
            _ = try await agent.command.end()
            let run = try await running.end()
            #expect(run.status == 1 && run.errors.contains("g: lost during"), "\(run)")
            try await Tracing.expectNothingLeft(of: running.id)
            try await Tracing.expectNothingLeft(of: agent.command.id)
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff && manifest.measured?.end != nil, "\(manifest.faults)")
            try await session.expectReadable("host.dat")
            agent.folder.remove()
        }
    }
}
