// However a recording ends: tracing is off, the instances are gone, and what was recorded until then can be read.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct EndingTests {
        private func expectNothingLeft(_ running: RunningCommand, _ agent: AgentProcess) async throws {
            try await Tracing.expectNothingLeft(of: running.id)
            try await Tracing.expectNothingLeft(of: agent.command.id)
        }

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
        func `a signal ends a recording that is whole`(signal: Int32) async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options)
            try await running.wait(for: "virtlat: recording; Ctrl-C ends it")
            #expect(Tracing.instances(of: running.id).count == 1 && Tracing.instances(of: agent.command.id).count == 1)
            running.send(signal)
            #expect(try await running.end().status == 0)
            try await expectNothingLeft(running, agent)
            #expect(try session.manifest().outcome == .complete)
            try await session.expectReadable("host.dat", "guest-g.dat")
            try await agent.end()
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func `a signal is passed on to the command, whose end is the recording's`(signal: Int32) async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(["--", "sleep", "60"])
            try await running.wait(for: "virtlat: recording")
            let begin = ContinuousClock.now
            running.send(signal)
            let run = try await running.end()
            #expect(ContinuousClock.now - begin < .seconds(30))
            // As a shell has it: 128 and the signal that ended the command.
            #expect(run.status == 128 + signal, "\(run)")
            try await Tracing.expectNothingLeft(of: running.id)
            #expect(try session.manifest().outcome == .complete)
            try await session.expectReadable("host.dat")
        }

        /// What somebody with root may do to an instance that is not theirs.
        @Test(
            arguments: [
                ("tracing_on", "0", "tracing off"), ("tracing_on", "01", "meanwhile (tracing_on)"),
                ("trace", " ", "meanwhile (trace)"),
                ("events/sched/sched_switch/enable", "0", "sched:sched_switch"),
            ],
            [false, true])
        func `a recording that somebody else switched off is not called complete`(
            what: (file: String, values: String, word: String), inGuest: Bool
        )
            async throws
        {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options)
            try await running.wait(for: "virtlat: recording; Ctrl-C ends it")
            let instance = try #require(Tracing.instances(of: inGuest ? agent.command.id : running.id).first)
            for value in what.values {
                try String(value).write(toFile: Tracing.path(instance, what.file), atomically: false, encoding: .utf8)
            }
            running.send(SIGINT)
            let run = try await running.end()
            #expect(run.status == 1)
            let words = "\(inGuest ? "g" : "host"): somebody else has switched"
            #expect(run.errors.contains(words) && run.errors.contains(what.word), "\(run.errors)")
            try await expectNothingLeft(running, agent)
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff)
            #expect(manifest.faults.contains { $0.contains(words) })
            let analyzed = try await session.expectReadable("host.dat", "guest-g.dat")
            #expect(analyzed.output.contains(words))
            try await agent.end()
        }

        @Test func `a signal at any moment leaves all or nothing`() async throws {
            let agent = try await AgentProcess()
            for milliseconds in [1, 20, 50, 80, 110, 150, 220, 300, 420, 560, 700] {
                let session = try RecordedSession()
                defer { session.remove() }
                let running = try session.start(agent.options + ["--duration", "200ms"])
                try await Task.sleep(for: .milliseconds(milliseconds))
                running.send(SIGINT)
                let run = try await running.end()
                try await expectNothingLeft(running, agent)
                if run.status == 0 {
                    try await session.expectReadable("host.dat", "guest-g.dat")
                } else {
                    // Before it minds signals, it dies of one as any program does.
                    #expect(
                        run.status == 1 && run.errors.contains("nothing is left behind") || run.signal == SIGINT,
                        "after \(milliseconds) ms: \(run)")
                    #expect(!FileManager.default.fileExists(atPath: session.path))
                }
            }
            try await agent.end()
        }

        @Test func `a recorder that is killed leaves a session that its guard finishes`() async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options)
            try await running.wait(for: "virtlat: recording")
            try await Task.sleep(for: .milliseconds(100))
            running.send(SIGKILL)
            #expect(try await running.end().signal == SIGKILL)
            try await expectNothingLeft(running, agent)
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff)
            #expect(manifest.machines.map(\.file) == ["host.dat", nil])
            #expect(
                manifest.faults.contains { $0.contains("the recorder was killed") }
                    && manifest.faults.contains { $0.hasPrefix("g: ") })
            #expect(manifest.measured != nil)
            let analyzed = try await session.expectReadable("host.dat")
            #expect(analyzed.output.contains("the recorder was killed"))
            #expect(try await session.report("host.dat").count > 10)
            try await agent.end()
        }

        @Test func `where the guard is killed too the kernel switches tracing off, and the next recording tidies up`()
            async throws
        {
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start([])
            try await running.wait(for: "virtlat: recording")
            let instance = try #require(Tracing.instances(of: running.id).first)
            #expect(Tracing.text(instance, "tracing_on") == "1")
            let guards = running.children
            #expect(guards.count == 1)
            for child in guards { kill(child, SIGKILL) }
            running.send(SIGKILL)
            _ = try await running.end()
            try await Task.sleep(for: .milliseconds(200))
            #expect(Tracing.text(instance, "tracing_on") == "0")
            let next = try RecordedSession()
            defer { next.remove() }
            #expect(try await next.record("--duration", "50ms").status == 0)
            #expect(Tracing.instances(of: running.id).isEmpty)
            // What is there of the first one is said to be unfinished.
            #expect(try session.manifest().outcome == .recording)
            try await Command.virtlat("analyze", session.path).expectRefusal(
                naming: session.path, saying: "its recorder was killed")
        }

        // MARK: The agent

        @Test(arguments: ["after", "live"])
        func `an agent that is killed is reported, and its guard tidies up`(transfer: String) async throws {
            // So small a buffer may lose the marks of begin and end where others have the processor.
            for _ in 1...5 { if try await killAgent(transfer) { return } }
            Issue.record("the marks are lost each time")
        }

        /// - Returns: whether the marks of the measurement were kept.
        private func killAgent(_ transfer: String) async throws -> Bool {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(
                agent.options + ["--transfer", transfer, "--buffer-size", "64K", "--duration", "1500ms"])
            try await running.wait(for: "virtlat: recording")
            // Live data has come by then.
            try await Task.sleep(for: .milliseconds(500))
            agent.command.send(SIGKILL)
            _ = try await agent.command.end()
            let run = try await running.end()
            #expect(run.status == 1)
            #expect(run.errors.contains("g: lost during the recording: the connection is closed"), "\(run.errors)")
            try await expectNothingLeft(running, agent)
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff)
            #expect(manifest.faults == ["g: lost during the recording: the connection is closed"])
            guard let window = manifest.measured, let end = window.end else {
                #expect(manifest.machines[0].lostEvents > 0)
                return false
            }
            #expect(end - window.begin >= 1_500_000_000, "the host goes on")
            if transfer == "live" {
                if manifest.clocks[0].exchanges.isEmpty { return false }
                try await session.expectReadable("host.dat", "guest-g.dat")
                #expect(manifest.machines[1].disturbance.allEvents ?? 0 > 0)
            } else {
                try await session.expectReadable("host.dat")
            }
            return true
        }

        @Test func `an agent that is told to end ends its session first`() async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options + ["--duration", "1s"])
            try await running.wait(for: "virtlat: recording")
            try await agent.end()
            #expect(try await running.end().status == 1)
            try await session.expectReadable("host.dat")
        }
    }
}
