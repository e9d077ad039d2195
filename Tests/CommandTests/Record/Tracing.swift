// ftrace on this machine: whether it can be tested with, and what is left of somebody's instance.

import Foundation
import Testing

enum Tracing {
    static let folder = "/sys/kernel/tracing/instances"

    static let isPossible = geteuid() == 0 && FileManager.default.fileExists(atPath: folder)
    static let reason: Comment = "RECORDING IS NOT TESTED: it needs root and tracefs at /sys/kernel/tracing"

    /// All instances there are.
    static var all: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []) }

    /// Instances of this process.
    static func instances(of process: Int32) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasPrefix("virtlat-\(process)-")
        }
    }

    static func text(_ instance: String, _ file: String) -> String? {
        (try? String(contentsOfFile: "\(folder)/\(instance)/\(file)", encoding: .utf8))?.trimmingCharacters(
            in: .newlines)
    }

    static func path(_ instance: String, _ file: String) -> String { "\(folder)/\(instance)/\(file)" }

    /// Nothing of it is left within 5 s, which is the promise.
    /// - Parameters:
    ///   - found: how long it may take besides until the reason is known: a cut connection is found within 5 s.
    ///   - what: was done to it.
    static func expectNothingLeft(
        of process: Int32, found: Duration = .zero, after what: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let end = ContinuousClock.now + .seconds(5) + found
        while !instances(of: process).isEmpty, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(20))
        }
        let left = instances(of: process).map { "\($0), tracing_on \(text($0, "tracing_on") ?? "?")" }
        #expect(left.isEmpty, "\(what): an ftrace instance is left behind", sourceLocation: sourceLocation)
    }
}
