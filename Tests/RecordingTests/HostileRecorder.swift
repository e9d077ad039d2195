// A recorder that holds the key, or has not, and talks badly.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    import LinuxSystem
    @testable import Recording
    import Synchronization
    import Testing

    /// Connections to one agent, as far in the conversation as they are wanted.
    final class HostileRecorder: Sendable {
        private let port: Int
        private let key: PreSharedKey
        private let group: any EventLoopGroup
        private let channels = Mutex<[any Channel]>([])
        private let first = Mutex<String?>(nil)

        init(_ agent: ServingAgent) { (port, key, group) = (agent.port, agent.key, agent.group) }

        init(port: Int, key: PreSharedKey, group: any EventLoopGroup) {
            (self.port, self.key, self.group) = (port, key, group)
        }

        /// Its first connection, as the agent calls it.
        var address: String { first.withLock { $0 ?? "none" } }

        private func keep(_ channel: any Channel) {
            channels.withLock { $0.append(channel) }
            let address = channel.localAddress?.text
            first.withLock { $0 = $0 ?? address }
        }

        func end() async { for channel in channels.withLock({ $0 }) { try? await channel.close().get() } }

        // MARK: Connections

        /// Without TLS.
        func plain() async throws -> any Channel {
            let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get()
            keep(channel)
            return channel
        }

        /// With TLS, which shakes hands while somebody waits for a message.
        func connected(key other: PreSharedKey? = nil) async throws -> MessageChannel {
            let channel = try await Connection.open(.tcp(host: "127.0.0.1", port: port), key: other ?? key, on: group)
            keep(channel.channel)
            return channel
        }

        /// With TLS, shaken hands and nothing said.
        func connected(saying bytes: [UInt8]) async throws -> MessageChannel {
            let channel = try await connected()
            Task { _ = try? await channel.receive() }
            try await channel.send(raw: bytes)
            return channel
        }

        func greeted() async throws -> MessageChannel {
            let channel = try await connected()
            channel.post(.hello(Message.Hello(peer: "a recorder of no good")))
            while true {
                switch try await channel.receive() {
                case .welcome: return channel
                case .busy:
                    // The one before is just being seen off.
                    await channel.close()
                    try await Task.sleep(for: .milliseconds(20))
                    return try await greeted()
                case let other: throw ProtocolFault.unexpected(other.name)
                }
            }
        }

        func prepared(isLive: Bool = false, events: [String] = ["sched:sched_switch"]) async throws -> MessageChannel {
            let channel = try await greeted()
            try await channel.ask(Self.preparation(isLive: isLive, events: events), "prepared")
            return channel
        }

        func recording(isLive: Bool = false, events: [String] = ["sched:sched_switch"]) async throws -> MessageChannel {
            let channel = try await prepared(isLive: isLive, events: events)
            try await channel.ask(.start, "started")
            return channel
        }

        func stopped(events: [String] = ["sched:sched_switch"], after time: Swift.Duration = .zero) async throws
            -> MessageChannel
        {
            let channel = try await recording(events: events)
            try await Task.sleep(for: time)
            try await channel.ask(.stop, "stopped")
            return channel
        }

        static func preparation(
            clock: String = "mono_raw", bufferKiB: UInt32 = 256, isLive: Bool = false,
            events: [String] = ["sched:sched_switch"],
            filter: String = ""
        ) -> Message {
            .prepare(
                Message.Preparation(
                    clock: clock, bufferKiB: bufferKiB, isLive: isLive,
                    events: events.map { .init(name: $0, filter: filter) },
                    crossTimestampMilliseconds: 0))
        }

        /// What an honest one does, from its greeting to its end.
        func recordHonestly() async throws {
            let channel = try await stopped()
            try await channel.ask(.collect(.init(wantsKernelSymbols: false)), "collected")
            try await channel.ask(.end, "ended")
            await channel.close()
        }
    }

    extension MessageChannel {
        /// Asks, and passes over what comes before the answer.
        func ask(_ message: Message, _ answer: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            post(message)
            while true {
                switch try await receive() {
                case .data, .section: continue
                case let message:
                    #expect(message.name == answer, "\(message)", sourceLocation: sourceLocation)
                    return
                }
            }
        }
    }
#endif
