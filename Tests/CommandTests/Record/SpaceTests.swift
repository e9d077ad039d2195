// Where there is not enough room: on the disk, in memory, in the ring buffer.

import Foundation
import Sessions
import Testing

extension RecordTests {
    @Suite struct SpaceTests {
        /// Two processes that wake each other: a hundred thousand events a second and more. It ends by itself, whatever
        /// happens to who started it.
        private static let load = """
            coproc C { while read -r x; do echo "$x"; done; }; echo 1 >&${C[1]}
            while ((SECONDS < 4)) && read -r -u ${C[0]} x; do echo "$x" >&${C[1]}; done
            """

        private func withLoad(_ body: () async throws -> Void) async throws {
            let load = try RunningCommand(["/bin/bash", "-c", Self.load])
            try await body()
            // What comes next must not be disturbed by it.
            _ = try await load.end()
        }

        @Test func `a full disk ends the recording, and what it holds can be read`() async throws {
            let disk = try TemporaryFolder()
            defer { disk.remove() }
            try #require(mount("virtlat-test", disk.path, "tmpfs", 0, "size=9m") == 0)
            defer { umount2(disk.path, Int32(MNT_DETACH)) }
            let running = try RunningCommand([
                Command.executable, "record", "-o", disk.path("s"), "--duration", "120s", "--buffer-size", "512K",
            ])
            try await running.wait(for: "virtlat: recording")
            try await withLoad {
                // It does not go on without keeping anything.
                let run = try await running.end(within: .seconds(60))
                #expect(run.status == 1)
                #expect(
                    run.errors.contains("No space left on device")
                        && run.errors.contains("what was recorded until then is there"),
                    "\(run.errors)")
                try await Tracing.expectNothingLeft(of: running.id)
            }
            let manifest = try #require(try Manifest.read(folder: disk.path("s")))
            #expect(manifest.outcome == .cutOff)
            #expect(
                manifest.faults.count == 1 && manifest.faults[0].contains("No space left on device"),
                "\(manifest.faults)")
            #expect(manifest.machines[0].disturbance.allEvents ?? 0 > 10_000)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: disk.path("s")).sorted() == [
                    "host.dat", "session.json",
                ])
            let run = try await Command.virtlat("analyze", disk.path("s"))
            #expect(run.status == 0 && run.output.contains("No space left on device"), "\(run)")
        }

        @Test func `events that the ring buffer had no room for are counted`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            let run = try await session.record(
                "--duration", "500ms", "--buffer-size", "64K", "--", "bash", "-c", Self.load)
            let lost = try session.manifest().machines[0].lostEvents
            #expect(lost > 0)
            #expect(run.errors.contains("\(lost) were lost (--buffer-size)"), "\(run.errors)")
            let analyzed = try await Command.virtlat("analyze", session.path, "--format", "json")
            #expect(try JSON(analyzed.output)["session"]["machines"].list.first?.integer("lost_events") == Int64(lost))
        }

        @Test func `buffers that are too large for the machine are refused before anything is made`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            try await session.record("--buffer-size", "4000000G", "--duration", "50ms")
                .expectRefusal(naming: "KiB of memory are available", saying: "--buffer-size")
            #expect(session.names.isEmpty)
        }

        // MARK: A guest with little memory

        /// An agent that believes in so much memory.
        private func agent(availableKiB: Int, in folder: TemporaryFolder) async throws -> AgentProcess {
            try folder.write("MemTotal: \(availableKiB) kB\nMemAvailable: \(availableKiB) kB\n".utf8, to: "meminfo")
            let unshare = try Command.path(of: "unshare", package: "util-linux")
            return try await AgentProcess(
                behind: [
                    unshare, "--mount", "/bin/sh", "-c", "mount --bind \"$0\" /proc/meminfo && exec \"$@\"",
                    folder.path("meminfo"),
                ])
        }

        @Test func `a guest without memory for the buffers says so, and nothing is recorded`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            let agent = try await agent(availableKiB: 16_384, in: session.folder)
            let run = try await session.record(agent.options + ["--buffer-size", "16M", "--duration", "50ms"])
            #expect(run.status == 1)
            #expect(
                run.errors.contains("g: its agent refuses: ring buffers of ")
                    && run.errors.contains("16384 KiB of memory are available"),
                "\(run.errors)")
            #expect(run.errors.contains("--buffer-size"))
            #expect(!FileManager.default.fileExists(atPath: session.path))
            // Left to itself, it takes what there is.
            let second = try await session.record(agent.options + ["--duration", "50ms"])
            #expect(second.status == 0, "\(second)")
            #expect(try session.manifest().machines[1].bufferKiB < 8192)
            try await agent.end()
        }

        /// Some of the trace, or nothing at all.
        @Test(arguments: [("6m", 1 << 20), ("4k", 0)])
        func `a guest whose disk is full is cut off, and what its spool holds can be read`(room: String, least: Int)
            async throws
        {
            let disk = try TemporaryFolder()
            defer { disk.remove() }
            try #require(mount("virtlat-test", disk.path, "tmpfs", 0, "size=\(room)") == 0)
            defer { umount2(disk.path, Int32(MNT_DETACH)) }
            let agent = try await AgentProcess("--spool", disk.path)
            let session = try RecordedSession()
            defer { session.remove() }
            let running = try session.start(agent.options + ["--buffer-size", "512K", "--duration", "10s"])
            try await running.wait(for: "virtlat: recording")
            let instance = try #require(Tracing.instances(of: agent.command.id).first)
            try await withLoad {
                let end = ContinuousClock.now + .seconds(8)
                while Tracing.text(instance, "tracing_on") == "1", ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(10))
                }
                #expect(Tracing.text(instance, "tracing_on") == "0", "it traces without keeping anything")
            }
            let run = try await running.end()
            #expect(run.status == 1)
            #expect(
                run.errors.contains("g: the trace could not be kept (")
                    && run.errors.contains("No space left on device), so it ends early"),
                "\(run.errors)")
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff)
            #expect(manifest.faults.first?.hasPrefix("g: the trace could not be kept") == true, "\(manifest.faults)")
            // Of a guest without events nothing tells its clock; nor where the trace of the CPU that answered the first
            // probes found no room.
            #expect(
                manifest.faults.dropFirst().allSatisfy { $0.hasPrefix("g: nothing tells how its clock relates") },
                "\(manifest.faults)")
            #expect(least > 0 || manifest.faults.count == 2, "\(manifest.faults)")
            let size =
                try FileManager.default.attributesOfItem(atPath: session.path + "/guest-g.dat")[.size] as? Int ?? 0
            #expect(size > least && size < 8 << 20, "\(size)")
            let analyzed = try await session.expectReadable("host.dat", "guest-g.dat")
            #expect(analyzed.output.contains("g: the trace could not be kept"), "\(analyzed.output)")
            // The next one has all the room again.
            #expect(FileManager.default.subpaths(atPath: disk.path) == [])
            try await agent.end()
        }

        @Test func `a guest's trace takes no more than its share of memory`() async throws {
            let session = try RecordedSession()
            defer { session.remove() }
            let agent = try await agent(availableKiB: 16_384, in: session.folder)
            let run = try await session.record(
                agent.options + ["--buffer-size", "2M", "--duration", "3s", "--", "bash", "-c", Self.load])
            #expect(
                run.errors.contains("g: the trace could not be kept (spool: Cannot allocate memory)"), "\(run.errors)")
            let manifest = try session.manifest()
            #expect(manifest.outcome == .cutOff)
            #expect(
                manifest.faults.count == 1 && manifest.faults[0].hasPrefix("g: the trace could not be kept"),
                "\(manifest.faults)")
            let size =
                try FileManager.default.attributesOfItem(atPath: session.path + "/guest-g.dat")[.size] as? Int ?? 0
            #expect(size > 1 << 20 && size < 9 << 20, "\(size)")
            try await session.expectReadable("host.dat", "guest-g.dat")
            try await agent.end()
        }
    }
}
