// Two virtlats that can't see each other's processes, as in two containers: neither takes the other for dead.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct NamespaceTests {
        private let session: RecordedSession
        private let other: RecordedSession
        /// What runs a program where process ids are other ones, and /proc shows no others.
        private let apart: [String]

        init() throws {
            session = try RecordedSession()
            other = try RecordedSession()
            apart = [
                try Command.path(of: "unshare", package: "util-linux"), "--pid", "--fork", "--kill-child",
                "--mount-proc",
            ]
        }

        private func remove() { [session, other].forEach { $0.remove() } }

        @Test(arguments: [["record", "--duration", "50ms", "-o"], ["doctor", "-o"]])
        func `a recording goes on while another virtlat runs in another pid namespace`(arguments: [String]) async throws
        {
            defer { remove() }
            let running = try session.start([])
            try await running.wait(for: "virtlat: recording")
            let instance = try #require(Tracing.instances(of: running.id).first)
            let run = try await Command.run(apart + [Command.executable] + arguments + [other.path])
            #expect(arguments[0] == "doctor" || run.status == 0, "\(run)")
            #expect(Tracing.text(instance, "tracing_on") == "1")
            running.send(SIGINT)
            #expect(try await running.end().status == 0)
            try await expectWhole(session)
        }

        @Test func `a recording in another pid namespace goes on while another virtlat runs outside`() async throws {
            defer { remove() }
            let running = try RunningCommand(
                apart + [Command.executable, "record", "-o", session.path, "--duration", "1500ms"])
            try await running.wait(for: "virtlat: recording")
            #expect(try await other.record("--duration", "50ms").status == 0)
            #expect(try await running.end().status == 0)
            try await expectWhole(session)
        }

        @Test func `tracefs that is unmounted meanwhile leaves tracing off, and a session that can be finished`()
            async throws
        {
            defer { remove() }
            let before = Tracing.all
            let script = "\"$0\" record -o \"$1\" --duration 1500ms & sleep 0.7; umount -l /sys/kernel/tracing; wait $!"
            let run = try await Command.run([
                apart[0], "--mount", "/bin/bash", "-c", script, Command.executable, session.path,
            ])
            #expect(run.status == 1)
            #expect(run.errors.contains("tracefs was unmounted") && run.errors.contains("--recover"), "\(run.errors)")
            for instance in Tracing.all.subtracting(before) { #expect(Tracing.text(instance, "tracing_on") == "0") }
            let recovered = try await Command.virtlat("record", "--recover", session.path)
            #expect(recovered.status == 0, "\(recovered)")
            #expect(Tracing.all.subtracting(before) == [])
            try await session.expectReadable("host.dat")
        }

        /// The mark at the end of the measurement is in the trace too.
        private func expectWhole(_ session: RecordedSession) async throws {
            let manifest = try session.manifest()
            #expect(manifest.outcome == .complete && manifest.measured?.end != nil, "\(manifest.faults)")
            try await session.expectReadable("host.dat")
        }

        @Test func `what is left of a recorder that was killed in another pid namespace is removed`() async throws {
            defer { remove() }
            // Whoever is process 1 there takes its guard with it.
            let running = try RunningCommand(apart + [Command.executable, "record", "-o", session.path])
            try await running.wait(for: "virtlat: recording")
            let instances = Tracing.instances(of: 1)
            #expect(instances.count == 1)
            for child in running.children { kill(child, SIGKILL) }
            _ = try await running.end()
            #expect(try await other.record("--duration", "50ms").status == 0)
            try await Tracing.expectNothingLeft(of: 1)
        }

        @Test func `a virtlat that makes an instance for ever is not waited for`() async throws {
            defer { remove() }
            let flock = try Command.path(of: "flock", package: "util-linux")
            // One process, so that the lock goes with it.
            let holder = try RunningCommand([
                flock, "--no-fork", Tracing.folder, "sh", "-c", "echo locked >&2; exec sleep 60",
            ])
            try await holder.wait(for: "locked")
            try await session.record("--duration", "50ms").expectRefusal(
                naming: Tracing.folder, saying: "locked for 5 s", "lslocks")
            #expect(session.names.isEmpty)
            holder.send(SIGKILL)
            _ = try await holder.end()
        }
    }
}
