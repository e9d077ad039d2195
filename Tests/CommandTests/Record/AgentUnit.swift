// The agent's systemd unit, and what is held against it.

import Foundation
import Sessions
import TestSupport
import Testing

struct AgentUnit {
    static let path = Checkout.root + "/Packaging/virtlat-agent.service"
    let text: String

    init() throws { text = try String(contentsOfFile: Self.path, encoding: .utf8) }

    /// Words of a setting.
    func values(_ setting: String) -> [Substring] {
        text.split(separator: "\n").filter { $0.hasPrefix(setting + "=") }.flatMap {
            $0.dropFirst(setting.count + 1).split(separator: " ")
        }
    }

    /// A recording with everything that takes a right: cross-timestamps where there are any, the rate of the TSC, and
    /// addresses of the kernel.
    func expectWholeSession(
        _ session: RecordedSession, _ options: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let run = try await session.record(
            options + ["--kallsyms", "--duration", "200ms"], sourceLocation: sourceLocation)
        #expect(run.status == 0, "\(run)", sourceLocation: sourceLocation)
        let manifest = try session.manifest()
        #expect(manifest.outcome == .complete && manifest.machines.count == 2, sourceLocation: sourceLocation)
        #expect(manifest.machines[1].disturbance.allEvents ?? 0 > 50, sourceLocation: sourceLocation)
        try await session.expectReadable("host.dat", "guest-g.dat", sourceLocation: sourceLocation)
    }
}
