// A host and a guest that are the same machine: what differs between their traces is our own doing.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct AgentTests {
        @Test(arguments: ["after", "live"])
        func `both machines are recorded, and their clocks are compared`(transfer: String) async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            let run = try await session.record(agent.options + ["--transfer", transfer, "--duration", "300ms"])
            #expect(run.status == 0, "\(run)")
            let manifest = try session.manifest()
            #expect(manifest.outcome == .complete)
            #expect(manifest.transfer.rawValue == transfer)
            #expect(manifest.machines.map(\.file) == ["host.dat", "guest-g.dat"])
            let guest = manifest.machines[1]
            #expect(guest.name == "g" && guest.role == .guest && guest.address == agent.address)
            #expect(guest.events.contains(RecordedEvent(event: "sched:sched_switch", filter: nil)))
            #expect(guest.lostEvents == 0)
            #expect(guest.disturbance.allEvents ?? 0 > 100 && guest.disturbance.ownEvents ?? 0 > 0)
            #expect(guest.disturbance.cpuTime ?? 0 > 0 && guest.disturbance.bytesAfter ?? 0 > 0)
            try await session.expectReadable("host.dat", "guest-g.dat")

            // One kernel has one clock: any offset is an error, and no exchange may be wrong by more than half its
            // round trip.
            let exchanges = try #require(manifest.clocks.first).exchanges
            #expect(exchanges.count >= 300)
            for exchange in exchanges { #expect(abs(exchange.offset) <= exchange.roundTrip / 2 + 1, "\(exchange)") }
            try await expectOneTime(session, exchanges)
            try await agent.end()
        }

        /// What happened once has the same time in both files.
        private func expectOneTime(_ session: RecordedSession, _ exchanges: [Exchange]) async throws {
            let middle = try #require(exchanges.last).hostSent / 2 + exchanges[0].hostSent / 2
            let halves = [exchanges.filter { $0.hostSent <= middle }, exchanges.filter { $0.hostSent > middle }]
            let bound = try halves.map { half in try #require(half.map(\.roundTrip).min()) / 2 }.max() ?? 0
            let lines = try await session.report("host.dat", "-i", session.folder.path("s/guest-g.dat")).compactMap(
                Switch.init)
            let host = lines.filter { $0.file == "host" }
            let guest = lines.filter { $0.file == "guest-g" }
            #expect(host.count > 50 && guest.count > 50, "\(host.count), \(guest.count)")
            let times = Dictionary(grouping: host, by: \.what).mapValues { $0.map(\.time) }
            // The first and the last happened while only one of the machines was traced.
            let (begin, end) = (host.map(\.time).min() ?? 0, host.map(\.time).max() ?? 0)
            let both = guest.filter { begin < $0.time - bound && $0.time + bound < end }
            // A few microseconds pass between the two instances' stamps of one event.
            let matching = both.filter { event in
                times[event.what]?.contains { abs($0 - event.time) <= bound + 20_000 } == true
            }
            #expect(matching.count * 100 >= both.count * 95, "\(matching.count) of \(both.count) within \(bound) ns")
        }

        /// A line of trace-cmd report: "guest-g.dat:  sh-123 [001] d.... 12.345: sched_switch: ...".
        private struct Switch {
            var file: String
            var time: Int64
            /// CPU and threads.
            var what: String

            init?(_ line: Substring) {
                // A regular expression for each of many thousand lines takes minutes.
                guard let mark = line.firstRange(of: ": sched_switch:"), let bracket = line.firstIndex(of: "["),
                    let file = line.split(separator: ".").first,
                    let text = line[..<mark.lowerBound].split(separator: " ").last,
                    let time = Int64(text.replacing(".", with: ""))
                else { return nil }
                self.file = file.trimmingCharacters(in: .whitespaces)
                self.time = time
                what = String(line[bracket...].prefix(5) + line[mark.upperBound...])
            }
        }

        @Test func `an agent serves one recorder after the other`() async throws {
            let agent = try await AgentProcess()
            for _ in 0..<3 {
                let session = try RecordedSession()
                defer { session.remove() }
                let run = try await session.record(agent.options + ["--", "true"])
                #expect(run.status == 0, "\(run)")
                #expect(Tracing.instances(of: agent.command.id).isEmpty)
            }
            try await agent.end()
        }

        @Test func `two guests are recorded at once`() async throws {
            let first = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            // One key for all of a recorder's guests.
            let other = try RunningCommand(
                AgentProcess.machine("other", in: first.folder) + [
                    Command.executable, "agent", "--tcp", "127.0.0.2:\(first.port)", "--key-file", first.key,
                ])
            try await other.wait(for: "listening on")
            let run = try await session.record(
                first.options + ["--vm", "h=tcp:127.0.0.2:\(first.port)", "--duration", "100ms"])
            #expect(run.status == 0, "\(run)")
            #expect(try session.manifest().clocks.map(\.exchanges.count).allSatisfy { $0 >= 300 })
            // Each guest's probes are its own: on one machine all clocks are one, to within the way there or back.
            for exchange in try session.manifest().clocks.flatMap(\.exchanges) {
                #expect(abs(exchange.offset) <= exchange.roundTrip / 2 + 1)
            }
            try await session.expectReadable("host.dat", "guest-g.dat", "guest-h.dat")
            other.send(SIGINT)
            #expect(try await other.end().status == 0)
            try await first.end()
        }

        // MARK: Refusals

        @Test func `a second agent on one port says that it is taken`() async throws {
            let agent = try await AgentProcess()
            let run = try await Command.virtlat("agent", "--tcp", "127.0.0.1:\(agent.port)", "--key-file", agent.key)
            run.expectRefusal(naming: agent.address, saying: "Address already in use")
            try await agent.end()
        }

        @Test func `a second recorder is told at once who is recording, and since when`() async throws {
            let agent = try await AgentProcess()
            let (first, second) = (try RecordedSession(), try RecordedSession())
            defer { [first.folder, second.folder].forEach { $0.remove() } }
            let running = try first.start(agent.options)
            try await running.wait(for: "virtlat: recording")
            let start = ContinuousClock.now
            let run = try await second.record(agent.options + ["--duration", "100ms"])
            // It could wait for as long as the first one records.
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(run.status == 1)
            #expect(
                run.errors.contains("g: its agent is busy: it has been recording for virtlat record on "),
                "\(run.errors)")
            #expect(
                run.errors.contains("process \(running.id) (127.0.0.1:") && run.errors.contains(" s. Wait until"),
                "\(run.errors)")
            #expect(agent.command.errors.contains("refused virtlat record on "), "\(agent.command.errors)")
            #expect(second.names.isEmpty)
            running.send(SIGINT)
            #expect(try await running.end().status == 0)
            try await first.expectReadable("host.dat", "guest-g.dat")
            try await agent.end()
        }

        @Test func `two agents of one machine record for one recorder at a time, and each knows whom the other has`()
            async throws
        {
            let agent = try await AgentProcess()
            let (first, second) = (try RecordedSession(), try RecordedSession())
            defer { [first.folder, second.folder].forEach { $0.remove() } }
            let address = "127.0.0.2:\(agent.port)"
            let other = try RunningCommand(
                agent.machine + [Command.executable, "agent", "--tcp", address, "--key-file", agent.key])
            try await other.wait(for: "listening on")
            let running = try first.start(agent.options)
            try await running.wait(for: "virtlat: recording")
            let options = ["--vm", "h=tcp:\(address)", "--key-file", agent.key, "--", "true"]
            let run = try await second.record(options)
            #expect(run.status == 1 && second.names.isEmpty)
            #expect(
                run.errors.contains("h: its agent is busy: it has been recording for virtlat record on "),
                "\(run.errors)")
            #expect(run.errors.contains("process \(running.id) (127.0.0.1:"), "\(run.errors)")
            #expect(run.errors.contains("through the agent that is process \(agent.command.id), for "), "\(run.errors)")
            // Whoever is killed holds nothing any more.
            agent.command.send(SIGKILL)
            _ = try await agent.command.end()
            #expect(try await second.record(options).status == 0)
            running.send(SIGINT)
            #expect(try await running.end().status == 1)
            other.send(SIGTERM)
            #expect(try await other.end().status == 0)
            try await Tracing.expectNothingLeft(of: agent.command.id)
            agent.folder.remove()
        }

        @Test(arguments: [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")])
        func `an agent says which signal ended it, and its help names all that do`(signal: Int32, name: String)
            async throws
        {
            let agent = try await AgentProcess()
            defer { agent.folder.remove() }
            agent.command.send(signal)
            let run = try await agent.command.end()
            #expect(run.status == 0 && run.errors.hasSuffix("virtlat agent: ended by \(name)\n"), "\(run)")
            let help = try await Command.virtlat("agent", "--help").output
            #expect(help.split(separator: "\n").contains { $0.contains("ended by") && $0.contains(name) }, "\(help)")
        }

        @Test func `another key is refused on both sides`() async throws {
            let agent = try await AgentProcess()
            let session = try RecordedSession()
            defer { session.remove() }
            #expect(try await Command.virtlat("agent", "--new-key", session.folder.path("other")).status == 0)
            let run = try await session.record(
                "--vm", "g=\(agent.address)", "--key-file", session.folder.path("other"), "--duration", "100ms")
            #expect(run.status == 1)
            #expect(
                run.errors.contains("nothing was recorded. g: ") && run.errors.contains("no or another key"),
                "\(run.errors)")
            #expect(session.names.isEmpty)
            try await agent.command.wait(for: "no or another key")
            // And it goes on.
            #expect(try await session.record(agent.options + ["--", "true"]).status == 0)
            try await agent.end()
        }

        @Test func `who speaks no TLS is not answered`() async throws {
            let agent = try await AgentProcess()
            let run = try await Command.shell(
                "exec 3<>/dev/tcp/127.0.0.1/$1; printf '\\0\\0\\0\\1\\3' >&3; timeout 5 cat <&3 | wc -c",
                "\(agent.port)")
            // A TLS alert at the most.
            #expect((Int(run.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? .max) <= 7, "\(run)")
            try await agent.command.wait(for: "connection from")
            try await agent.end()
        }

        @Test func `an agent that is not there is named, with what to do`() async throws {
            let folder = try TemporaryFolder()
            let session = try RecordedSession()
            defer { [folder, session.folder].forEach { $0.remove() } }
            #expect(try await Command.virtlat("agent", "--new-key", folder.path("key")).status == 0)
            let run = try await session.record("--vm", "g=tcp:127.0.0.1:1", "--key-file", folder.path("key"))
            run.expectRefusal(
                naming: "g: its agent can't be reached at tcp:127.0.0.1:1", saying: "Connection refused",
                "virtlat agent --tcp")
            #expect(session.names.isEmpty)
        }
    }
}
