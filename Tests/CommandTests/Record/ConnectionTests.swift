// A network that goes away without a word.

import Foundation
import Sessions
import Testing

/// Two network namespaces with a cable between them; both are gone with `remove`.
private struct Cable {
    let ends: [String]
    static let addresses = ["10.213.97.1", "10.213.97.2"]

    init() async throws {
        let name = "vl\(getpid() % 100_000)"
        ends = [name + "a", name + "b"]
        for end in ends {
            try await ip("netns", "add", end)
            // What the kernel has to tell itself of a host that is not there goes this way.
            try await ip("-n", end, "link", "set", "lo", "up")
        }
        try await ip("link", "add", "eth0", "netns", ends[0], "type", "veth", "peer", "name", "eth0", "netns", ends[1])
        for (end, address) in zip(ends, Self.addresses) {
            try await ip("-n", end, "address", "add", address + "/24", "dev", "eth0")
            try await ip("-n", end, "link", "set", "eth0", "up")
        }
    }

    func cut() async throws { try await ip("-n", ends[0], "link", "set", "eth0", "down") }

    func remove() async { for end in ends { _ = try? await ip("netns", "del", end) } }

    /// ip netns exec would hide tracefs behind a new /sys.
    func inside(_ end: Int) throws -> [String] {
        [try Command.path(of: "nsenter", package: "util-linux"), "--net=/run/netns/\(ends[end])"]
    }

    private func ip(_ words: String...) async throws {
        let run = try await Command.run([try Command.path(of: "ip", package: "iproute2")] + words)
        try #require(run.status == 0, "ip \(words): \(run.errors)")
    }
}

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
                    naming: "g: its agent can't be reached at tcp:10.213.97.9", saying: "No route to host", "Check the address")
                await cable.remove()
            } catch {
                await cable.remove()
                throw error
            }
        }

        @Test(arguments: ["after", "live"])
        func `a connection that is cut is noticed by both sides within 5 s`(transfer: String) async throws {
            let cable = try await Cable()
            do {
                let agent = try await AgentProcess(on: Cable.addresses[1], behind: cable.inside(1))
                let session = try RecordedSession()
                let running = try RunningCommand(
                    cable.inside(0) + [Command.executable, "record", "-o", session.path, "--duration", "500ms", "--transfer", transfer]
                        + agent.options)
                try await running.wait(for: "virtlat: recording")
                try await cable.cut()
                // expectNothingLeft waits for 5 s at the most.
                try await Tracing.expectNothingLeft(of: agent.command.id)
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
            } catch {
                await cable.remove()
                throw error
            }
        }
    }
}
