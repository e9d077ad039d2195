// What hostile recorders make the built agent take: its memory and descriptors, seen from outside. Needs root and
// tracefs.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Synchronization
    import Testing
    import TestSupport

    extension AgentSessionTests {
        @Suite struct AgentBudgetTests {
            /// `virtlat agent`, alone on its machine as far as it can tell.
            private final class BuiltAgent: Sendable {
                let port: Int
                let key: PreSharedKey
                let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
                private let child: Child
                private let hasEnded = Mutex(false)
                private let files: (key: String, lock: String, log: String)

                init() async throws {
                    files = (temporaryPath("key"), temporaryPath("lock"), temporaryPath("log"))
                    try PreSharedKey.make(file: files.key)
                    key = try PreSharedKey(file: files.key)
                    close(unsafe open(files.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
                    let log = unsafe open(files.log, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                    defer { close(log) }
                    port = ServingAgent.anyPort
                    let program = try BuiltProgram.path()
                    // Agents of other tests lock the same README.
                    child = try Child(
                        [
                            "unshare", "--mount", "/bin/sh", "-c",
                            "mount --bind \"$0\" /sys/kernel/tracing/README && exec \"$@\"", files.lock, program,
                            "agent",
                            "--tcp", "127.0.0.1:\(port)", "--key-file", files.key,
                        ], descriptors: [(2, log)])
                    try await expectLine("listening on")
                }

                deinit {
                    if !hasEnded.withLock({ $0 }) { child.signal(SIGKILL) }
                }

                var log: String { TextFile.optional(files.log) ?? "" }

                var recorder: HostileRecorder { HostileRecorder(port: port, key: key, group: group) }

                /// The most memory that it has had so far.
                var peakKiB: Int {
                    let line = TextFile.optional("/proc/\(child.process)/status")?.split(separator: "\n").first {
                        $0.hasPrefix("VmHWM:")
                    }
                    return line.flatMap { Int($0.filter(\.isNumber)) } ?? .max
                }

                var descriptors: Int { (try? Folder.names(in: "/proc/\(child.process)/fd"))?.count ?? .max }

                func expectLine(_ words: String) async throws {
                    let end = monotonicNanoseconds() + 20_000_000_000
                    while !log.contains(words) {
                        try #require(monotonicNanoseconds() < end, "no \"\(words)\" in: \(log)")
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }

                /// Ends it as people do, in a bounded time and without a crash, whoever is connected; nothing is left.
                func end(_ recorder: HostileRecorder) async throws {
                    let begin = monotonicNanoseconds()
                    child.signal(SIGTERM)
                    #expect(child.wait() == 0, "\(log)")
                    hasEnded.withLock { $0 = true }
                    #expect(monotonicNanoseconds() - begin < 15_000_000_000)
                    let instances = try Folder.names(in: "/sys/kernel/tracing/instances")
                    #expect(!instances.contains { $0.contains("-\(child.process)-") })
                    await recorder.end()
                    try await group.shutdownGracefully()
                    for file in [files.key, files.lock, files.log] { unsafe unlink(file) }
                }
            }

            /// What an agent may take beside its buffers and its spool, whoever talks to it.
            private static let mostKiB = 48 << 10

            @Test func `two hundred idle connections take a bound of memory and descriptors, and keep nobody out`()
                async throws
            {
                let agent = try await BuiltAgent()
                try await agent.recorder.recordHonestly()
                let (before, descriptors) = (agent.peakKiB, agent.descriptors)
                let idle = agent.recorder
                for _ in 0..<200 { _ = try await idle.plain() }
                try await agent.recorder.recordHonestly()
                try await agent.expectLine("connections without a session are the most")
                #expect(agent.descriptors <= descriptors + Conversations.most + 16)
                #expect(agent.peakKiB - before < Self.mostKiB, "\(before) to \(agent.peakKiB) KiB")
                try await agent.end(idle)
            }

            @Test func `connections that don't finish their frames take a bound of memory`() async throws {
                let agent = try await BuiltAgent()
                try await agent.recorder.recordHonestly()
                let before = agent.peakKiB
                let slow = agent.recorder
                let part =
                    RawFrame.length(MessageCodec.longestRequest)
                    + [UInt8](repeating: 2, count: Int(MessageCodec.longestRequest) - 1)
                for _ in 0..<100 { _ = try await slow.connected(saying: part) }
                try await agent.recorder.recordHonestly()
                #expect(agent.peakKiB - before < Self.mostKiB, "\(before) to \(agent.peakKiB) KiB")
                try await agent.end(slow)
            }

            @Test(arguments: ["prepare", "probe"])
            func `a flood of requests that nobody reads the answers of takes a bound of memory`(request: String)
                async throws
            {
                let agent = try await BuiltAgent()
                try await agent.recorder.recordHonestly()
                let before = agent.peakKiB
                let deaf = agent.recorder
                let channel = try await request == "probe" ? deaf.recording() : deaf.greeted()
                let message =
                    request == "probe" ? Message.probe(number: 1) : HostileRecorder.preparation(clock: "sundial")
                let flood = [UInt8](Array(repeating: RawFrame.of(message), count: 2000).joined())
                let end = monotonicNanoseconds() + 4_000_000_000
                let sending = Task { while monotonicNanoseconds() < end { try await channel.send(raw: flood) } }
                try await Task.sleep(for: .seconds(4))
                #expect(agent.peakKiB - before < Self.mostKiB, "\(before) to \(agent.peakKiB) KiB")
                // Its kernel may have given up already.
                try? await channel.reset()
                _ = await sending.result
                try await agent.recorder.recordHonestly()
                try await agent.end(deaf)
            }

            @Test func `a recorder that does not take its trace makes the agent take no more than that`() async throws {
                let agent = try await BuiltAgent()
                try await agent.recorder.recordHonestly()
                let before = agent.peakKiB
                let load = try Child(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "status=none"])
                let deaf = agent.recorder
                let channel = try await deaf.recording(
                    isLive: true, events: ["raw_syscalls:sys_enter", "raw_syscalls:sys_exit"])
                try await Task.sleep(for: .seconds(2))
                load.signal(SIGKILL)
                _ = load.wait()
                #expect(agent.peakKiB - before < Self.mostKiB, "\(before) to \(agent.peakKiB) KiB")
                try? await channel.reset()
                try await agent.recorder.recordHonestly()
                try await agent.end(deaf)
            }
        }
    }
#endif
