// Every system call may fail, and every process may be killed or stopped: tracing is off afterwards, and what was
// recorded can be read.
//
// `make test` tries a few of them. `VIRTLAT_FAULTS=500 swift test --filter FaultTests` tries so many of each kind, with
// a release build if VIRTLAT names one; VIRTLAT_TEST_SEED chooses others.

import Foundation
import Sessions
import Statistics
import TestSupport
import Testing

extension RecordTests {
    @Suite(.serialized) struct FaultTests {
        /// What a fault may do: a run is whole, or says what is wrong and leaves what can be read.
        private func expectEnd(_ run: Run, _ session: RecordedSession, _ what: String, mayTrap: Bool = false)
            async throws
        {
            if mayTrap, run.signal != nil { return }
            #expect(run.signal == nil && run.status != 64, "\(what): \(run)")
            #expect(!run.errors.contains("Fatal error"), "\(what): \(run.errors)")
            let manifest = try? Manifest.read(folder: session.path)
            if run.status == 0 {
                #expect(
                    manifest?.outcome == .complete,
                    "\(what): status 0, and it is \(String(describing: manifest?.outcome))")
            } else {
                #expect(run.errors.contains("virtlat: "), "\(what): it says nothing: \(run)")
            }
            for words in ["Error(", "Fault.", "Optional(", "Swift.", "(errno:"] {
                #expect(!run.errors.contains(words), "\(what): not for people: \(run.errors)")
            }
            guard let manifest, manifest.machines[0].file != nil else { return }
            if run.errors.contains("virtlat record --recover") {
                // Not while others record on this machine, as other tests may.
                let end = ContinuousClock.now + .seconds(60)
                var recovered = try await Command.virtlat("record", "--recover", session.path)
                while recovered.errors.contains("a recording is going on"), ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(100))
                    recovered = try await Command.virtlat("record", "--recover", session.path)
                }
                #expect(recovered.status == 0, "\(what): can't be recovered: \(recovered.errors)")
            }
            let analyzed = try await Command.virtlat("analyze", session.path)
            #expect(analyzed.status == 0, "\(what): what was recorded can't be read: \(analyzed.errors)\n\(run.errors)")
        }

        /// Records while a system call fails, and holds the end.
        @discardableResult
        private func record(with injection: Injection, mayTrap: Bool) async throws -> Run {
            let session = try RecordedSession()
            defer { session.remove() }
            let words = try injection.words(log: session.folder.path("log")) + [Command.executable]
            let running = try RunningCommand(words + ["record", "-o", session.path, "--duration", "100ms"])
            let run = try await running.end(within: .seconds(60))
            try await Tracing.expectNothingLeft(of: running.id, after: "\(injection)")
            try await expectEnd(run, session, "\(injection)", mayTrap: mayTrap)
            return run
        }

        private func calls(of arguments: [String], _ session: RecordedSession, _ log: String) async throws
            -> SystemCalls
        {
            let words = try SystemCalls.strace(log: log, calls: Array(SystemCalls.errors.keys))
            let run = try await RunningCommand(words + [Command.executable] + arguments).end(within: .seconds(60))
            #expect(run.status == 0, "\(run)")
            try await Task.sleep(for: .milliseconds(200))
            return SystemCalls(log: try String(contentsOfFile: log, encoding: .utf8))
        }

        @Test(.enabled(if: FaultPlan.isPossible, FaultPlan.reason)) func `a system call of the recorder fails`()
            async throws
        {
            let base = try RecordedSession()
            defer { base.remove() }
            let log = base.folder.path("log")
            let calls = try await calls(of: ["record", "-o", base.path, "--duration", "100ms"], base, log)
            #expect(calls.all.count > 100)
            for injection in calls.some(FaultPlan.runs, seed: FaultPlan.seed) {
                try await record(with: injection, mayTrap: injection.mayEndTheProcess)
            }
        }

        @Test(
            .enabled(if: FaultPlan.isPossible, FaultPlan.reason),
            arguments: [("clone3", "EAGAIN"), ("epoll_create1", "EMFILE")])
        func `a thread or an event loop that the system does not give is said, and traps nobody`(
            call: String, error: String
        ) async throws {
            let run = try await record(with: Injection(call: call, error: error, number: 1), mayTrap: false)
            // Swift's runtime asks once more for a thread of its own; nobody does for an event loop.
            #expect(run.status == 1 || call == "clone3" && run.status == 0, "\(run)")
        }

        @Test(.enabled(if: FaultPlan.isPossible, FaultPlan.reason)) func `a system call of the agent fails`()
            async throws
        {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            // What an agent does from its start to the end of one recording.
            let log = folder.path("log")
            let agent = try await AgentProcess(
                behind: SystemCalls.strace(log: log, calls: Array(SystemCalls.errors.keys)))
            let session = try RecordedSession()
            defer { session.remove() }
            #expect(try await session.record(agent.options + ["--duration", "100ms"]).status == 0)
            try await agent.end()
            try await Task.sleep(for: .milliseconds(200))
            let calls = SystemCalls(log: try String(contentsOfFile: log, encoding: .utf8))
            #expect(calls.all.count > 100)
            for injection in calls.some(FaultPlan.runs, seed: FaultPlan.seed + 1) {
                let session = try RecordedSession()
                defer { session.remove() }
                let agent: AgentProcess
                do {
                    agent = try await AgentProcess(
                        behind: injection.words(log: session.folder.path("log")), waits: false)
                } catch {
                    Issue.record("\(injection): \(error)")
                    continue
                }
                if try await agent.isListening() {
                    let running = try session.start(agent.options + ["--duration", "100ms"])
                    let run = try await running.end(within: .seconds(90))
                    try await Tracing.expectNothingLeft(of: running.id, after: "\(injection)")
                    try await expectEnd(run, session, "\(injection)")
                }
                agent.command.send(SIGTERM)
                let run = try await agent.command.end()
                #expect(
                    run.signal == nil && !run.errors.contains("Fatal error") || injection.mayEndTheProcess,
                    "\(injection): \(run)")
                #expect(
                    run.signal != nil || run.status == 0 || run.errors.contains("virtlat"),
                    "\(injection): it says nothing: \(run)")
                try await Tracing.expectNothingLeft(of: agent.command.id, after: "\(injection)")
                agent.folder.remove()
            }
        }

        @Test(arguments: [SIGKILL, SIGSTOP])
        func `a recorder is killed or stopped at any moment`(signal: Int32) async throws {
            var random = SplitMix64(seed: FaultPlan.seed + UInt64(signal))
            for _ in 0..<max(4, FaultPlan.runs / 4) {
                let moment = Int.random(in: 1...700, using: &random)
                let what = "signal \(signal) after \(moment) ms"
                let session = try RecordedSession()
                defer { session.remove() }
                let running = try session.start(["--duration", "200ms"])
                try await Task.sleep(for: .milliseconds(moment))
                running.send(signal)
                if signal == SIGSTOP {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 1...900, using: &random)))
                    running.send(SIGCONT)
                }
                let run = try await running.end(within: .seconds(30))
                try await Tracing.expectNothingLeft(of: running.id, after: what)
                if signal == SIGSTOP || run.signal == nil {
                    try await expectEnd(run, session, what)
                } else if let manifest = try? Manifest.read(folder: session.path), manifest.outcome != .recording {
                    let analyzed = try await Command.virtlat("analyze", session.path)
                    #expect(manifest.machines[0].file == nil || analyzed.status == 0, "\(what): \(analyzed.errors)")
                }
            }
        }

        @Test(arguments: [SIGKILL, SIGSTOP])
        func `an agent is killed or stopped at any moment`(signal: Int32) async throws {
            var random = SplitMix64(seed: FaultPlan.seed + 100 + UInt64(signal))
            for _ in 0..<max(4, FaultPlan.runs / 4) {
                let moment = Int.random(in: 1...900, using: &random)
                let what = "signal \(signal) after \(moment) ms"
                let agent = try await AgentProcess()
                let session = try RecordedSession()
                defer { session.remove() }
                let running = try session.start(agent.options + ["--duration", "200ms"])
                try await Task.sleep(for: .milliseconds(moment))
                agent.command.send(signal)
                if signal == SIGSTOP {
                    try await Task.sleep(for: .milliseconds(Int.random(in: 1...900, using: &random)))
                    agent.command.send(SIGCONT)
                }
                let run = try await running.end(within: .seconds(60))
                try await Tracing.expectNothingLeft(of: running.id, after: what)
                try await expectEnd(run, session, what)
                agent.command.send(SIGTERM)
                _ = try await agent.command.end()
                try await Tracing.expectNothingLeft(of: agent.command.id, after: what)
                agent.folder.remove()
            }
        }
    }
}
