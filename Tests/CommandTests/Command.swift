// Runs the built command as a person would: arguments in; exit status and both streams out.

import Foundation
import Testing

/// How a run ended and what it printed.
struct Run: Sendable {
    /// Exit status, nil when a signal ended it.
    var status: Int32?
    /// The signal that ended it.
    var signal: Int32?
    var output: String
    var errors: String
    /// It took longer than it may and was stopped.
    var isStuck = false
}

enum Command {
    /// The executable beside the running tests; `VIRTLAT` names another one.
    static let executable: String = {
        if let given = ProcessInfo.processInfo.environment["VIRTLAT"], !given.isEmpty { return given }
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("virtlat").path
    }()

    /// No run takes as long as this, even of a debug build on a slow machine.
    static let patience: Duration = .seconds(180)

    private static func requireExecutable(_ sourceLocation: SourceLocation) throws {
        try #require(
            FileManager.default.isExecutableFile(atPath: executable),
            "there is no virtlat at \(executable): build it (swift build --build-tests), or name one with VIRTLAT",
            sourceLocation: sourceLocation)
    }

    /// virtlat with these arguments, its streams connected to files.
    static func virtlat(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> Run {
        try await virtlat(arguments, sourceLocation: sourceLocation)
    }

    static func virtlat(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws -> Run {
        try requireExecutable(sourceLocation)
        let run = try await run([executable] + arguments)
        #expect(!run.isStuck, "virtlat \(arguments.joined(separator: " ")) hangs", sourceLocation: sourceLocation)
        #expect(
            run.signal == nil && !run.errors.contains("Fatal error"),
            "virtlat \(arguments.joined(separator: " ")) crashes: \(run.errors)", sourceLocation: sourceLocation)
        return run
    }

    /// A line of bash, with `$VIRTLAT` set: for pipes and closed streams.
    static func shell(_ line: String, _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation)
        async throws -> Run
    {
        try requireExecutable(sourceLocation)
        let run = try await run(["/bin/bash", "-c", line, "bash"] + arguments, environment: ["VIRTLAT": executable])
        #expect(!run.isStuck, "\(line) hangs", sourceLocation: sourceLocation)
        return run
    }

    /// Where a tool of the system is; the test fails with its package's name where it is missing.
    @discardableResult
    static func path(of tool: String, package: String) throws -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
        let path = folders.map { "\($0)/\(tool)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        return try #require(path, "\(tool) is needed: install the package \(package)")
    }

    static func tool(_ name: String, package: String, _ arguments: String...) async throws -> Run {
        try await run([try path(of: name, package: package)] + arguments)
    }

    /// Any program, by its path.
    static func run(_ words: [String], environment: [String: String] = [:], patience: Duration = patience) async throws
        -> Run
    {
        await Turns.shared.wait()
        do {
            let result = try await spawned(words, environment, patience)
            await Turns.shared.done()
            return result
        } catch {
            await Turns.shared.done()
            throw error
        }
    }

    private static func spawned(_ words: [String], _ environment: [String: String], _ patience: Duration) async throws
        -> Run
    {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let process = try ChildProcess(words, environment, output: folder.path("output"), errors: folder.path("errors"))
        var run = Run(output: "", errors: "")
        let end = ContinuousClock.now + patience
        while true {
            switch process.state {
            case .running:
                if ContinuousClock.now > end, !run.isStuck {
                    run.isStuck = true
                    process.kill()
                }
                try? await Task.sleep(for: .milliseconds(2))
                continue
            case .exited(let status): run.status = status
            case .signalled(let signal): run.signal = signal
            }
            run.output = try folder.text("output")
            run.errors = try folder.text("errors")
            return run
        }
    }
}

/// As many processes at a time as there are processors, so that none waits for so long that it seems to hang.
private actor Turns {
    static let shared = Turns()
    private var free = max(2, ProcessInfo.processInfo.activeProcessorCount)
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func done() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
