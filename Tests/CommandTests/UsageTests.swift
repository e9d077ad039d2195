// Usage: help that helps, a version, and status 64 for what can't be meant.

import Foundation
import Testing

@Suite struct UsageTests {
    static let options = [
        "--format", "--packets", "--guest", "--device", "--direction", "--since", "--until", "--clock", "--path",
        "--servo-log",
    ]

    @Test func `help names every option and has examples`() async throws {
        let run = try await Command.virtlat("analyze", "--help")
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        for option in Self.options + ["--version", "--help"] {
            #expect(run.output.contains("  \(option)") || run.output.contains(", \(option)"), "\(option)")
        }
        for section in ["USAGE", "EXAMPLES", "EXIT STATUS", "OPTIONS"] { #expect(run.output.contains(section)) }
    }

    @Test func `help has no option that the tests do not know`() async throws {
        let help =
            try await Command.virtlat("analyze", "--help").output.components(separatedBy: "\nOPTIONS:\n").last ?? ""
        let lines = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
        let named = lines.flatMap { $0.split(separator: " ").filter { $0.hasPrefix("--") } }
        #expect(Set(named.map { String($0) }) == Set(Self.options + ["--version", "--help"]))
    }

    @Test func `help lists the verbs`() async throws {
        for arguments in [["--help"], ["help"], []] {
            let run = try await Command.virtlat(arguments)
            #expect(run.status == 0)
            #expect(run.output.contains("  analyze "))
        }
    }

    @Test func `the version is a number`() async throws {
        let run = try await Command.virtlat("--version")
        #expect(run.status == 0)
        #expect(run.output.wholeMatch(of: #/[0-9]+\.[0-9]+\.[0-9]+\n/#) != nil, "\(run.output)")
        #expect(run.errors.isEmpty)
    }

    @Test(arguments: [
        ["analyse"], ["analyze"], ["analyze", "--no-such-option", "x"], ["analyze", "x", "--format", "xml"],
        ["analyze", "x", "--format"],
        ["analyze", "x", "--direction", "up"], ["analyze", "x", "--clock", "maybe"], ["analyze", "x", "--packets"],
        ["analyze", "x", "--since", "5"], ["analyze", "x", "--since", "s"], ["analyze", "x", "--since", "1h"],
        ["analyze", "x", "--since", "-1s"], ["analyze", "x", "--since", "1..5s"], ["analyze", "x", "--since", "1.s"],
        ["analyze", "x", "--until", "99999999999999999999s"],
        ["analyze", "x", "--since", "3s", "--until", "2s"], ["analyze", "x", "--since", "3s", "--until", "3000ms"],
        ["analyze", "x", "--packets", "-", "--format", "json"], ["analyze", "x", "--packets", "-", "--format", "csv"],
    ])
    func `wrong usage is status 64 and says how it is done`(arguments: [String]) async throws {
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 64, "\(run)")
        #expect(run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: "), "\(run.errors)")
        #expect(run.errors.contains("Usage: virtlat"), "\(run.errors)")
    }
}
