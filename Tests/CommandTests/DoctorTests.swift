// virtlat doctor on whatever machine the tests run on, and agents that answer, refuse, are busy or are not there.

import Foundation
import Testing

@Suite(.serialized) struct DoctorTests {
    /// Not the same in two test runs on one machine.
    private static let port = 20_000 + Int(getpid() % 10_000)
    private static let finding: Shape = .object([
        "id": .text, "severity": .word(["ok", "note", "warning", "error"]), "machine": .text, "statement": .text,
        "meaning": .optional(.text),
        "remedy": .optional(.text),
    ])

    /// An agent on this machine, while `body` runs.
    private func withAgent(_ body: (_ key: String, _ folder: TemporaryFolder) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let key = folder.path("key")
        #expect(try await Command.virtlat("agent", "--new-key", key).status == 0)
        let agent = try ChildProcess(
            AgentProcess.machine("machine", in: folder) + [
                Command.executable, "agent", "--tcp", "127.0.0.1:\(Self.port)", "--key-file", key,
            ], [:], output: folder.path("out"),
            errors: folder.path("log"))
        defer { agent.send(SIGTERM) }
        try await wait { try folder.text("log").contains("listening") }
        try await body(key, folder)
    }

    private func wait(until isSo: () throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while try !isSo() {
            try #require(ContinuousClock.now < end)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func findings(_ arguments: String..., status: Int32? = nil) async throws -> [JSON] {
        let run = try await Command.virtlat(["doctor", "--format", "json"] + arguments)
        let json = try JSON(run.output)
        #expect(Shape.object(["schema": .integer, "findings": .list(Self.finding)]).faults(json).isEmpty, "\(run)")
        #expect(json["schema"] == .integer(1))
        let isWell = !json["findings"].list.contains { $0["severity"] == .text("error") }
        #expect(run.status == (isWell ? 0 : 1), "\(run)")
        if let status { #expect(run.status == status, "\(run)") }
        return json["findings"].list
    }

    private static let isRoot = geteuid() == 0

    @Test(arguments: [[], ["--guest"]]) func `the machine is described wherever the command runs`(arguments: [String])
        async throws
    {
        let run = try await Command.virtlat(["doctor"] + arguments)
        #expect(run.status == 0 || run.status == 1, "\(run)")
        #expect(run.output.contains("tracing.instance") && run.errors.isEmpty, "\(run)")
        let found = try await findings(arguments.first ?? "--output", arguments.isEmpty ? "x" : "--guest")
        #expect(found.contains { $0["id"] == .text("privileges") })
    }

    @Test(.enabled(if: isRoot)) func `nothing of it stays behind`() async throws {
        func own() -> [String] {
            let all = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/kernel/tracing/instances")) ?? []
            return all.filter { $0.hasPrefix("virtlat-") }
        }
        let before = Set(own())
        _ = try await Command.virtlat("doctor")
        // Others may record at the same time; the doctor's instance had the name of a process that is gone.
        let left = own().filter {
            !before.contains($0) && !FileManager.default.fileExists(atPath: "/proc/\($0.split(separator: "-")[1])")
        }
        #expect(left.isEmpty)
    }

    @Test(.enabled(if: isRoot)) func `an agent that answers is described`() async throws {
        try await withAgent { key, folder in
            let found = try await findings("--vm", "web=tcp:127.0.0.1:\(Self.port)", "--key-file", key)
            let agent = try #require(found.first { $0["id"] == .text("agent") })
            #expect(agent["severity"] == .text("ok") && agent["machine"] == .text("web"), "\(agent)")
            let log = try folder.text("log")
            #expect(log.contains("session of virtlat doctor on ") && log.contains(" (127.0.0.1:"), "\(log)")
            #expect(found.contains { $0["id"] == .text("agent.vm") })
            #expect(found.contains { $0["id"] == .text("memory") && $0["machine"] == .text("web") })
        }
    }

    @Test(.enabled(if: isRoot)) func `another key is an error that says so`() async throws {
        try await withAgent { _, folder in
            let other = folder.path("other")
            _ = try await Command.virtlat("agent", "--new-key", other)
            let found = try await findings("--vm", "web=tcp:127.0.0.1:\(Self.port)", "--key-file", other, status: 1)
            let agent = try #require(found.first { $0["id"] == .text("agent") })
            #expect(try agent.text("statement").contains("key"), "\(agent)")
        }
    }

    @Test(.enabled(if: isRoot)) func `a busy agent is an error that says who has it`() async throws {
        try await withAgent { key, folder in
            let target = "web=tcp:127.0.0.1:\(Self.port)"
            let recorder = try ChildProcess(
                [
                    Command.executable, "record", "--vm", target, "--key-file", key, "--duration", "20s", "-o",
                    folder.path("session"),
                ], [:],
                output: folder.path("recorded"), errors: folder.path("recording"))
            try await wait { try folder.text("recording").contains("virtlat: recording") }
            let found = try await findings("--vm", target, "--key-file", key, status: 1)
            let agent = try #require(found.first { $0["id"] == .text("agent") })
            #expect(
                try agent.text("statement").contains("busy: it has been recording for virtlat record on "), "\(agent)")
            #expect(try agent.text("remedy").contains("Wait until"), "\(agent)")
            recorder.send(SIGINT)
            try await wait { if case .running = recorder.state { false } else { true } }
        }
    }

    @Test func `an agent that is not there is an error with what to do`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        _ = try await Command.virtlat("agent", "--new-key", folder.path("key"))
        let found = try await findings("--vm", "web=tcp:127.0.0.1:9", "--key-file", folder.path("key"), status: 1)
        let agent = try #require(found.first { $0["id"] == .text("agent") })
        #expect(try agent.text("statement").contains("Connection refused"))
        #expect(try agent.text("remedy").contains("virtlat agent --tcp"))
    }

    @Test(arguments: [
        ["--vm", "x"], ["--vm", "x=tcp:10.0.0.1"], ["--guest", "--vm", "x=vsock:3"], ["--guest", "-o", "x"],
        ["--format", "csv"], ["x"],
        ["--vm", "x=vsock:3", "--vm", "x=vsock:4"],
    ])
    func `wrong usage is status 64`(arguments: [String]) async throws {
        let run = try await Command.virtlat(["doctor"] + arguments)
        #expect(run.status == 64, "\(run)")
    }

    @Test func `help has examples and the exit status`() async throws {
        let run = try await Command.virtlat("doctor", "--help")
        #expect(run.status == 0)
        for section in ["USAGE", "EXAMPLES", "EXIT STATUS", "OPTIONS"] { #expect(run.output.contains(section)) }
    }
}
