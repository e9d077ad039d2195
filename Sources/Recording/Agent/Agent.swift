// The agent: listens in a guest, and traces it for one recorder at a time. It does nothing else.

import Glibc
import LinuxSystem
import NIOCore
import NIOPosix
import Synchronization

package struct Agent: Sendable {
    package var address: AgentListenAddress
    /// Needed for TCP.
    package var key: PreSharedKey?
    /// vsock context ids that are answered; nil for all. 2 is the host.
    package var allowedContexts: Set<UInt32>?
    /// Where the trace waits to be sent; nil for memory.
    package var spoolFolder: String?

    package init(_ address: AgentListenAddress, key: PreSharedKey? = nil, allowedContexts: Set<UInt32>? = [2], spoolFolder: String? = nil) {
        self.address = address
        self.key = key
        self.allowedContexts = allowedContexts
        self.spoolFolder = spoolFolder
    }

    package enum Fault: Error, Sendable {
        /// TCP without a key.
        case noKey
        case unreachable(address: String, reason: String)
    }

    /// Whose session it is.
    private struct Holder: Sendable {
        var peer: String
        var since: Int64
    }

    /// Listens until `stop` ends.
    /// - Parameters:
    ///   - log: a line for people.
    ///   - listening: called once connections are taken.
    package func run(
        until stop: @escaping @Sendable () async -> Void, log: @escaping @Sendable (String) -> Void,
        listening: @escaping @Sendable () -> Void
    ) async throws {
        if case .tcp = address, key == nil { throw Fault.noKey }
        // What another agent or recorder left here when it was killed.
        for name in try TraceFS.removeStale() { log("removed the ftrace instance \(name) of a process that is gone") }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let slot = Slot()
        let conversations = Conversations()
        let server: any Channel
        do {
            server = try await Connection.listen(
                address, key: key, allowedContexts: allowedContexts, on: group,
                refused: { log("refused a connection from \($0)") },
                taken: { channel, peer in
                    conversations.add(channel, Task { await converse(channel, from: peer, slot: slot, log: log) })
                })
        } catch {
            try? await group.shutdownGracefully()
            throw Fault.unreachable(address: address.description, reason: FaultText.of(error))
        }
        listening()
        await stop()
        try? await server.close().get()
        await conversations.end()
        try await group.shutdownGracefully()
    }

    private func converse(_ channel: MessageChannel, from peer: String, slot: Slot, log: @Sendable (String) -> Void) async {
        do {
            channel.expectAnswer(true)
            guard case .hello(let hello) = try await channel.receive() else { throw ProtocolFault.notVirtlat }
            channel.expectAnswer(false)
            let who = "\(hello.peer) (\(peer))"
            if hello.version != Message.version {
                try await channel.send(.refused(Message.Refusal(reason: ProtocolFault.version(theirs: hello.version).text)))
            } else if let holder = slot.take(who) {
                log("busy, so \(who) has to wait")
                let seconds = (monotonicNanoseconds() - holder.since) / 1_000_000_000
                try await channel.send(.busy(Message.Busy(seconds: UInt32(clamping: seconds), peer: holder.peer)))
            } else {
                defer { slot.free() }
                log("session of \(who)")
                var session = AgentSession(channel, spoolFolder: spoolFolder)
                do {
                    try await session.run()
                    log("session ended")
                } catch {
                    log("session ended early: \(FaultText.of(error)); tracing is off")
                }
            }
        } catch {
            log("connection from \(peer): \(FaultText.of(error))")
        }
        await channel.close()
    }

    /// One session at a time.
    private final class Slot: Sendable {
        private let holder = Mutex<Holder?>(nil)

        /// - Returns: who has it already; nil when it is ours now.
        func take(_ peer: String) -> Holder? {
            holder.withLock { holder in
                if let holder { return holder }
                holder = Holder(peer: peer, since: monotonicNanoseconds())
                return nil
            }
        }

        func free() { holder.withLock { $0 = nil } }
    }

    /// All that go on, so that none is left behind at the end.
    private final class Conversations: Sendable {
        private let going = Mutex<[(MessageChannel, Task<Void, Never>)]>([])

        func add(_ channel: MessageChannel, _ task: Task<Void, Never>) {
            going.withLock { going in
                going.removeAll { !$0.0.channel.isActive }
                going.append((channel, task))
            }
        }

        func end() async {
            for (channel, task) in going.withLock({ $0 }) {
                await channel.close()
                await task.value
            }
        }
    }
}
