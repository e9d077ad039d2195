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
    /// How long a recorder may take to greet, and to take a message.
    var patience = MessageChannel.patience
    /// Cleans up if this process is killed; nil for nobody.
    package var watch: Guard?
    /// Takes the machine for a recorder.
    var slot: @Sendable (String) throws -> SessionSlot = { try SessionSlot(for: $0) }

    package init(
        _ address: AgentListenAddress, key: PreSharedKey? = nil, allowedContexts: Set<UInt32>? = [2],
        spoolFolder: String? = nil,
        watch: Guard? = nil
    ) {
        self.address = address
        self.key = key
        self.allowedContexts = allowedContexts
        self.spoolFolder = spoolFolder
        self.watch = watch
    }

    /// Finds tracefs, or mounts it, which nothing but that takes CAP_SYS_ADMIN for.
    package static func findTracing() throws(TracingFault) { _ = try TraceFS.folder() }

    package enum Fault: Error, Sendable {
        /// TCP without a key.
        case noKey
        case unreachable(address: String, reason: String)
        /// No file can be made in the spool's folder.
        case unusableSpool(folder: String, reason: String)
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
        defer { watch?.dismiss() }
        if let spoolFolder {
            // Rather now than when somebody wants to record.
            do throws(TracingFault) {
                _ = try Spool(cpus: [0], unnamedIn: spoolFolder)
            } catch { throw Fault.unusableSpool(folder: spoolFolder, reason: FaultText.of(error)) }
        }
        // What another agent or recorder left here when it was killed.
        for name in try TraceFS.removeStale() { log("removed the ftrace instance \(name) of a process that is gone") }
        let group = try NetworkThread.start()
        let conversations = Conversations()
        // What others say of themselves is part of a line.
        let log = { @Sendable (text: String) in log(text.printable) }
        let server: any Channel
        do {
            server = try await Connection.listen(
                address, key: key, allowedContexts: allowedContexts, patience: patience, on: group,
                refused: { log("refused a connection from \($0)") },
                taken: { channel, peer in
                    let surplus = conversations.add(channel, peer) {
                        await converse(channel, from: peer, in: conversations, log: log)
                    }
                    if let surplus {
                        log("cut off \(surplus): \(Conversations.most) connections without a session are the most")
                    }
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

    private func converse(
        _ channel: MessageChannel, from peer: String, in conversations: Conversations, log: @Sendable (String) -> Void
    ) async {
        do {
            channel.expectAnswer(within: patience)
            guard case .hello(let hello) = try await channel.receive() else { throw ProtocolFault.notVirtlat }
            channel.expectAnswer(within: nil)
            let who = "\(hello.peer) (\(peer))"
            guard hello.version == Message.version else { throw ProtocolFault.version(theirs: hello.version) }
            try await serve(channel, who, in: conversations, log: log)
        } catch let fault as ProtocolFault where fault != .closed {
            log("refused \(peer): \(fault.text)")
            channel.post(.refused(Message.Refusal(reason: fault.text)))
        } catch {
            log("connection from \(peer): \(FaultText.of(error))")
        }
        await channel.close()
    }

    private func serve(
        _ channel: MessageChannel, _ who: String, in conversations: Conversations, log: @Sendable (String) -> Void
    ) async throws {
        var slot: SessionSlot?
        do {
            slot = try self.slot(who)
        } catch SessionSlot.Fault.held(let holder) {
            log("refused \(who): this machine is busy with \(holder.peer), for \(holder.seconds) s")
            return try await channel.send(
                .busy(Message.Busy(seconds: UInt32(clamping: holder.seconds), peer: holder.peer)))
        } catch {
            log("refused \(who): \(FaultText.of(error))")
            return try await channel.send(.refused(Message.Refusal(reason: FaultText.of(error))))
        }
        log("session of \(who)")
        conversations.set(hasSession: true, channel)
        var session = AgentSession(channel, spoolFolder: spoolFolder, watch: watch)
        let end: String
        do {
            try await session.run()
            end = "session of \(who) ended"
        } catch {
            end = "session of \(who) ended early: \(FaultText.of(error)); tracing is off"
        }
        conversations.set(hasSession: false, channel)
        withExtendedLifetime(slot) {}
        // Before it is logged: a serial console takes its time, and the next recorder may be here already.
        slot = nil
        log(end)
    }
}
