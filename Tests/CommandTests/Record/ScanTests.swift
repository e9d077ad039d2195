// virtlat scan: what a guest sent is read by a process that can do nothing else.

import Foundation
import Sessions
import TestSupport
import Testing

extension RecordTests {
    @Suite struct ScanTests {
        /// The words for a file that nobody has asked much of.
        private static let request = "scan -- 0 320 1,2 net:netif_receive_skb"

        @Test(.enabled(if: FaultPlan.isPossible, FaultPlan.reason))
        func `a recorder has a guest's trace read without its own rights`()
            async throws
        {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let log = session.folder.path("log")
            let strace = try SystemCalls.strace(
                log: log, calls: ["execve", "setuid", "setgroups", "prctl", "openat", "socket"])
            let words =
                strace + [Command.executable, "record", "-o", session.path, "--duration", "100ms"] + agent.options
            #expect(try await RunningCommand(words).end(within: .seconds(60)).status == 0)
            try await agent.end()
            let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
            let process = try #require(
                lines.first { $0.contains("execve") && $0.contains("\"scan\"") }?.prefix { $0 != " " })
            let scan = lines.filter { $0.hasPrefix(process + " ") }
            let confined = try #require(
                scan.firstIndex { $0.contains("PR_SET_SECCOMP") && $0.hasSuffix("= 0") }, "\(scan)")
            for call in ["setgroups(0, NULL)", "setuid(65534)", "PR_SET_NO_NEW_PRIVS"] {
                #expect(scan[..<confined].contains { $0.contains(call) && $0.hasSuffix("= 0") }, "no \(call): \(scan)")
            }
            // From there on it looks up how many processors there are, and opens nothing else.
            for line in scan[confined...] where line.contains("openat") || line.contains("socket") {
                #expect(line.contains("\"/sys/devices/system/cpu/") || line.contains("\"/proc/"), "\(line)")
            }
            // And it has read what is there.
            let manifest = try session.manifest()
            #expect(manifest.machines[1].disturbance.allEvents ?? 0 > 0 && manifest.clocks[0].exchanges.count == 320)
        }

        @Test func `a trace that is none is said to be none`() async throws {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            try folder.write(Array("no trace at all".utf8), to: "trace")
            let run = try await Command.shell("\"$VIRTLAT\" \(Self.request) < \"$1\"", folder.path("trace"))
            #expect(run.status == 1 && run.output.contains("is not a trace.dat file") && run.errors.isEmpty, "\(run)")
        }

        @Test func `what is in a trace is said in numbers`() async throws {
            let path = Checkout.recording("tap-steady") + "/host.dat"
            let run = try await Command.shell("\"$VIRTLAT\" \(Self.request) < \"$1\"", path)
            #expect(run.status == 0, "\(run)")
            let lines = run.output.split(separator: "\n")
            #expect(lines.first?.hasPrefix("events ") == true && lines.last == "end")
            #expect(
                lines.dropLast().allSatisfy { $0.split(separator: " ").dropFirst().allSatisfy { UInt64($0) != nil } },
                "\(run.output)")
        }
    }
}
