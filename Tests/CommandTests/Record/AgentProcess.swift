// An agent on this machine: the same kernel, traced twice.

import Foundation
import Testing

/// virtlat agent on TCP, listening, with its key.
struct AgentProcess {
    let command: RunningCommand
    let folder: TemporaryFolder
    let port: Int
    let host: String

    /// What puts a program on the agent's machine, so that they know of each other's sessions.
    let machine: [String]

    var key: String { folder.path("key") }
    var address: String { "tcp:\(host):\(port)" }
    /// What a recorder needs to record it as `g`.
    var options: [String] { ["--vm", "g=\(address)", "--key-file", key] }

    /// - Parameters:
    ///   - prefix: a program that runs it, with its arguments (ip netns exec …).
    ///   - confinement: another one, that is run on the agent's machine.
    ///   - waits: until it listens.
    ///   - options: more of its own.
    init(
        on host: String = "127.0.0.1", behind prefix: [String] = [], confinedBy confinement: [String] = [],
        waits: Bool = true,
        _ options: String...
    ) async throws {
        folder = try TemporaryFolder()
        self.host = host
        machine = try Self.machine("machine", in: folder)
        // Ports of nobody in particular; one that is taken is tried no more.
        port = 20_000 + Int(getpid()) % 5000 * 2 + Int.random(in: 0...1) * 15_000
        let made = try await Command.virtlat("agent", "--new-key", folder.path("key"))
        try #require(made.status == 0, "\(made)")
        command = try RunningCommand(
            prefix + machine + confinement + [
                Command.executable, "agent", "--tcp", "\(host):\(port)", "--key-file", folder.path("key"),
            ]
                + options)
        if waits { try await command.wait(for: "listening on") }
    }

    /// Waits until it listens, or does not any more.
    func isListening() async throws -> Bool {
        while command.isRunning {
            if command.errors.contains("listening on") { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Runs a program on a machine of its own, as far as agents can tell: what they lock, tracefs' README, is a file in
    /// `folder` there.
    static func machine(_ name: String, in folder: TemporaryFolder) throws -> [String] {
        try folder.write([], to: name)
        let unshare = try Command.path(of: "unshare", package: "util-linux")
        let mount = "mount --bind \"$0\" /sys/kernel/tracing/README && exec \"$@\""
        return [unshare, "--mount", "/bin/sh", "-c", mount, folder.path(name)]
    }

    /// Ends it, which leaves nothing.
    func end(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        command.send(SIGTERM)
        let run = try await command.end()
        #expect(
            run.status == 0 && run.errors.hasSuffix("virtlat agent: ended by SIGTERM\n"), "\(run)",
            sourceLocation: sourceLocation)
        try await Tracing.expectNothingLeft(of: command.id, sourceLocation: sourceLocation)
        folder.remove()
    }
}
