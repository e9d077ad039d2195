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
        let conversations = Conversations()
        let server: any Channel
        do {
            server = try await Connection.listen(
                address, key: key, allowedContexts: allowedContexts, on: group,
                refused: { log("refused a connection from \($0)") },
                taken: { channel, peer in
                    conversations.add(channel, Task { await converse(channel, from: peer, log: log) })
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

    private func converse(_ channel: MessageChannel, from peer: String, log: @Sendable (String) -> Void) async {
        do {
            channel.expectAnswer(true)
            guard case .hello(let hello) = try await channel.receive() else { throw ProtocolFault.notVirtlat }
            channel.expectAnswer(false)
            let who = "\(hello.peer) (\(peer))"
            guard hello.version == Message.version else { throw ProtocolFault.version(theirs: hello.version) }
            try await serve(channel, who, log: log)
        } catch let fault as ProtocolFault where fault != .closed {
            log("refused \(peer): \(fault.text)")
            try? await channel.send(.refused(Message.Refusal(reason: fault.text)))
        } catch {
            log("connection from \(peer): \(FaultText.of(error))")
        }
        await channel.close()
    }

    private func serve(_ channel: MessageChannel, _ who: String, log: @Sendable (String) -> Void) async throws {
        var slot: SessionSlot?
        do {
            slot = try SessionSlot(for: who)
        } catch SessionSlot.Fault.held(let holder) {
            log("refused \(who): this machine is busy with \(holder.peer), for \(holder.seconds) s")
            return try await channel.send(.busy(Message.Busy(seconds: UInt32(clamping: holder.seconds), peer: holder.peer)))
        } catch {
            log("refused \(who): \(FaultText.of(error))")
            return try await channel.send(.refused(Message.Refusal(reason: FaultText.of(error))))
        }
        log("session of \(who)")
        var session = AgentSession(channel, spoolFolder: spoolFolder)
        let end: String
        do {
            try await session.run()
            end = "session ended"
        } catch {
            end = "session ended early: \(FaultText.of(error)); tracing is off"
        }
        withExtendedLifetime(slot) {}
        // Before it is logged: a serial console takes its time, and the next recorder may be here already.
        slot = nil
        log(end)
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
