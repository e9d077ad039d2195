// ftrace on this machine: whether it can be tested with, and what is left of somebody's instance.

import Foundation
import Testing

enum Tracing {
    private static let instances = "/sys/kernel/tracing/instances"

    static let isPossible = geteuid() == 0 && FileManager.default.fileExists(atPath: instances)
    static let reason: Comment = "RECORDING IS NOT TESTED: it needs root and tracefs at /sys/kernel/tracing"

    /// Instances of this process.
    static func instances(of process: Int32) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: instances)) ?? []).filter { $0.hasPrefix("virtlat-\(process)-") }
    }

    static func text(_ instance: String, _ file: String) -> String? {
        (try? String(contentsOfFile: "\(instances)/\(instance)/\(file)", encoding: .utf8))?.trimmingCharacters(in: .newlines)
    }

    static func path(_ instance: String, _ file: String) -> String { "\(instances)/\(instance)/\(file)" }

    /// Nothing of it is left within 5 s, which is the promise.
    static func expectNothingLeft(of process: Int32, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = ContinuousClock.now + .seconds(5)
        while !instances(of: process).isEmpty, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(20)) }
        #expect(instances(of: process).isEmpty, "an ftrace instance is left behind", sourceLocation: sourceLocation)
    }
}
