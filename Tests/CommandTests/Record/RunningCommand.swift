// A virtlat that runs while the test does something to it.

import Foundation
import Testing

/// A process that was started and not waited for. Killed with the last reference, so that a failed test leaves nothing
/// behind.
final class RunningCommand {
    private let process: ChildProcess
    private let folder: TemporaryFolder
    private var ended: Run?

    /// - Parameter words: a program and its arguments.
    init(_ words: [String]) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess(words, [:], output: folder.path("output"), errors: folder.path("errors"))
    }

    static func virtlat(_ arguments: String...) throws -> RunningCommand {
        try RunningCommand([Command.executable] + arguments)
    }

    deinit {
        if ended == nil { process.kill() }
        folder.remove()
    }

    var id: Int32 { process.id }
    var errors: String { (try? folder.text("errors")) ?? "" }

    var isRunning: Bool { look() == nil }

    func send(_ signal: Int32) { process.send(signal) }

    /// Waits until it has written this to standard error.
    func wait(
        for text: String, within patience: Duration = .seconds(30), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let end = ContinuousClock.now + patience
        while !errors.contains(text) {
            if look() != nil || ContinuousClock.now > end {
                try #require(errors.contains(text), "no \"\(text)\" in: \(errors)", sourceLocation: sourceLocation)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits for its end; one that takes longer is killed, and fails the test.
    func end(within patience: Duration = .seconds(45), sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> Run
    {
        let end = ContinuousClock.now + patience
        while true {
            if let run = look() { return run }
            if ContinuousClock.now > end {
                Issue.record("it hangs: \(errors)", sourceLocation: sourceLocation)
                process.kill()
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func look() -> Run? {
        if let ended { return ended }
        var run = Run(output: "", errors: "")
        switch process.state {
        case .running: return nil
        case .exited(let status): run.status = status
        case .signalled(let signal): run.signal = signal
        }
        run.output = (try? folder.text("output")) ?? ""
        run.errors = errors
        ended = run
        return run
    }

    /// Its processes: those that it started and that live.
    var children: [Int32] {
        let text = (try? String(contentsOfFile: "/proc/\(id)/task/\(id)/children", encoding: .utf8)) ?? ""
        let others = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
        let all =
            others.map { (try? String(contentsOfFile: "/proc/\(id)/task/\($0)/children", encoding: .utf8)) ?? "" }
            .joined() + text
        return Array(Set(all.split(separator: " ").compactMap { Int32($0) }))
    }
}
