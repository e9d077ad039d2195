// An agent in the tests' own process, whose limits are as short as a test wants them.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Synchronization
    import Testing
    import TestSupport

    /// An agent that listens on this machine, alone on it as far as it can tell.
    final class ServingAgent: Sendable {
        let port: Int
        let key: PreSharedKey
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        private let lines = LineList()
        private let stop = StopRequest()
        private let files: [String]
        private let serving: Task<Void, any Error>

        /// - Parameter patience: with whoever connects.
        init(patience: TimeAmount = .seconds(20)) async throws {
            let (keyPath, lockPath) = (temporaryPath("key"), temporaryPath("lock"))
            try PreSharedKey.make(file: keyPath)
            close(unsafe open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
            files = [keyPath, lockPath]
            key = try PreSharedKey(file: keyPath)
            port = Self.anyPort
            var agent = Agent(.tcp(host: "127.0.0.1", port: port), key: key)
            agent.patience = patience
            agent.slot = { try SessionSlot(for: $0, lockedBy: lockPath) }
            let (lines, stop, serves) = (lines, stop, StopRequest())
            serving = Task { [agent] in
                defer { serves.make() }
                try await agent.run(until: { await stop.wait() }, log: { lines.add($0) }, listening: { serves.make() })
            }
            await serves.wait()
        }

        private final class LineList: Sendable {
            let lines = Mutex<[String]>([])
            func add(_ line: String) { lines.withLock { $0.append(line) } }
        }

        /// What it has printed.
        var log: [String] { lines.lines.withLock { $0 } }

        /// Ends it; whoever is connected does not keep it.
        func end() async throws {
            let begin = monotonicNanoseconds()
            stop.make()
            try await serving.value
            #expect(monotonicNanoseconds() - begin < 15_000_000_000)
            try await group.shutdownGracefully()
            for file in files { unsafe unlink(file) }
        }

        /// Waits until a line has all of these words.
        func expectLine(
            _ words: String..., within limit: Int64 = 10_000_000_000, sourceLocation: SourceLocation = #_sourceLocation
        ) async {
            let end = monotonicNanoseconds() + limit
            while monotonicNanoseconds() < end {
                if log.contains(where: { line in words.allSatisfy { line.contains($0) } }) { return }
                try? await Task.sleep(for: .milliseconds(5))
            }
            Issue.record("no line with \(words) in \(log)", sourceLocation: sourceLocation)
        }

        /// A port that the system gives to no connection (ip_local_port_range begins at 32768), and that no agent has
        /// had before. It is not tried: a child that is just being started would keep it.
        static var anyPort: Int {
            10_000
                + lastPort.withLock { last in
                    last = (last + 1) % 8000
                    return last
                }
        }

        private static let lastPort = Mutex(Int.random(in: 0..<8000))

        static var hasInstance: Bool {
            InstanceName.own.map { Folder.exists("/sys/kernel/tracing/instances/" + $0.text) } ?? true
        }
    }
#endif
