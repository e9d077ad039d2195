// A session folder that virtlat record has just left.

import Foundation
import Sessions
import Testing

struct RecordedSession {
    let folder: TemporaryFolder
    var path: String { folder.path("s") }

    init() throws { folder = try TemporaryFolder() }

    func remove() { folder.remove() }

    func manifest(sourceLocation: SourceLocation = #_sourceLocation) throws -> Manifest {
        try #require(try Manifest.read(folder: path), "no session.json", sourceLocation: sourceLocation)
    }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

    /// virtlat record into this folder, to its end.
    func record(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> Run {
        try await record(arguments, sourceLocation: sourceLocation)
    }

    func record(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws -> Run {
        let command = try start(arguments)
        let run = try await command.end(sourceLocation: sourceLocation)
        #expect(
            run.signal == nil && !run.errors.contains("Fatal error"), "crashes: \(run)", sourceLocation: sourceLocation)
        try await Tracing.expectNothingLeft(of: command.id, sourceLocation: sourceLocation)
        return run
    }

    /// virtlat record into this folder.
    func start(_ arguments: [String]) throws -> RunningCommand {
        try RunningCommand([Command.executable, "record", "-o", path] + arguments)
    }

    /// What was recorded can be analysed, and nothing but files of a session is there.
    @discardableResult
    func expectReadable(_ files: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws -> Run {
        #expect(names == (files + ["session.json"]).sorted(), sourceLocation: sourceLocation)
        let run = try await Command.virtlat("analyze", path)
        #expect(run.status == 0, "\(run.errors)", sourceLocation: sourceLocation)
        return run
    }

    /// Lines of trace-cmd report.
    func report(_ file: String, _ options: String...) async throws -> [Substring] {
        let tool = try Command.path(of: "trace-cmd", package: "trace-cmd")
        let run = try await Command.run([tool, "report", "-t"] + options + ["-i", folder.path("s/" + file)])
        #expect(run.status == 0, "\(run.errors)")
        return run.output.split(separator: "\n")
    }
}
