// A guest's agent that lies.

import NIOCore
import NIOPosix

#if DEBUG
    import Glibc
    @testable import Recording
    import Synchronization

    /// An agent that speaks the protocol, and lies.
    final class HostileAgent: Sendable {
        private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        private let server: any Channel
        private let bytes = Mutex(0)
        private let going = Mutex<[(MessageChannel, Task<Void, Never>)]>([])

        var port: Int { server.localAddress?.port ?? 0 }
        /// Bytes that the other side has taken, or its sockets have.
        var sent: Int { bytes.withLock { $0 } }

        /// Whether it has dealt with a request in its own way.
        typealias Answer = @Sendable (Message, MessageChannel) async throws -> Bool

        /// - Parameter answer: asked before it answers as others do.
        init(
            _ lie: AgentSessionTests.HostileAgentTests.Lie? = nil, key: PreSharedKey,
            answer: @escaping Answer = { _, _ in false }
        ) async throws {
            let conversation = Mutex<(@Sendable (MessageChannel) -> Void)?>(nil)
            server = try await Connection.listen(
                .tcp(host: "127.0.0.1", port: 0), key: key, allowedContexts: nil, on: group, refused: { _ in },
                taken: { channel, _ in conversation.withLock { $0 }?(channel) })
            conversation.withLock { conversation in
                conversation = { [self] channel in
                    let task = Task { do { try await converse(channel, lie, answer) } catch {} }
                    going.withLock { $0.append((channel, task)) }
                }
            }
        }

        func end() async throws {
            try? await server.close().get()
            for (channel, task) in going.withLock({ $0 }) {
                task.cancel()
                await channel.abort()
                await task.value
            }
            try await group.shutdownGracefully()
        }

        private func send(_ message: Message, to channel: MessageChannel) async throws {
            try await channel.send(message)
            let size =
                switch message {
                case .data(let data): data.bytes.count
                case .section(let section): section.bytes.count + 512
                default: 64
                }
            bytes.withLock { $0 += size }
        }

        private static let pages = Message.TraceBytes(cpu: 0, bytes: [UInt8](repeating: 0, count: 64 * 4096))

        static let welcome = Message.Welcome(
            name: "evil", release: "6.1.0", uname: "Linux evil 6.1.0 x86_64", cpus: 1, pageSize: 4096, longSize: 8,
            availableMemoryKiB: 1 << 20, clocks: ["local", "mono", "mono_raw", "x86-tsc"], networkAddresses: [],
            remarks: [])

        private func converse(
            _ channel: MessageChannel, _ lie: AgentSessionTests.HostileAgentTests.Lie?, _ answer: Answer
        ) async throws {
            while true {
                let request = try await channel.receive()
                if try await answer(request, channel) { continue }
                switch request {
                case .hello: try await send(.welcome(Self.welcome), to: channel)
                case .prepare:
                    try await send(
                        .prepared(
                            Message.Prepared(
                                bufferKiB: .max, enabled: [.init(name: "net:netif_receive_skb", filter: "")],
                                absent: [], multiplier: 0,
                                shift: 0)), to: channel)
                case .start:
                    try await send(.started, to: channel)
                    while lie == .early || lie == .liveFlood { try await send(.data(Self.pages), to: channel) }
                    while lie == .answers { try await send(.started, to: channel) }
                case .probe(let number): try await send(.probed(number: number), to: channel)
                case .stop:
                    try await send(
                        .stopped(
                            Message.Stopped(
                                processorTime: 0, wakeUps: 0, bytesDuring: 0, threads: [], crossTimestamps: [],
                                fault: "")),
                        to: channel)
                case .collect: try await deliver(channel, lie)
                case .end:
                    try await send(.ended, to: channel)
                    return await channel.close()
                default: return
                }
            }
        }

        private func deliver(_ channel: MessageChannel, _ lie: AgentSessionTests.HostileAgentTests.Lie?) async throws {
            func section(_ kind: TraceSection.Kind, _ name: String, _ text: String) async throws {
                try await send(.section(TraceSection(kind: kind, name: name, bytes: Array(text.utf8))), to: channel)
            }
            let common = ["type", "flags", "preempt_count", "pid"].enumerated().map { index, name in
                "\tfield:int common_\(name);\toffset:\(index * 4);\tsize:4;\tsigned:0;\n"
            }
            let head = "name: netif_receive_skb\nID: 1\nformat:\n" + common.joined() + "\n"
            try await section(.headerPage, "", "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n")
            try await section(.headerEvent, "", "# compressed entry header\n")
            switch lie {
            case .deep:
                let deep = String(repeating: "(", count: 100_000) + "1" + String(repeating: ")", count: 100_000)
                try await section(.format, "net", head + "\n print fmt: \"%d\", " + deep + "\n")
            case .long:
                try await section(
                    .format, "net",
                    head + "\tfield:" + String(repeating: "a ", count: 240_000) + "b;\toffset:16;\tsize:8;\tsigned:0;\n"
                )
            default: try await section(.format, "net", head + "print fmt: \"\"\n")
            }
            while lie == .sections { try await section(.kernelSymbols, "", String(repeating: "A", count: 512 << 10)) }
            while lie == .emptySections { try await section(.format, "x", "") }
            while lie == .flood { try await send(.data(Self.pages), to: channel) }
            if lie == .wrongCPU {
                try await send(.data(Message.TraceBytes(cpu: 7, bytes: Self.pages.bytes)), to: channel)
            }
            if lie == .pieces {
                try await send(
                    .data(Message.TraceBytes(cpu: 0, bytes: [UInt8](repeating: 0, count: 1000))), to: channel)
            }
            try await send(.data(Message.TraceBytes(cpu: 0, bytes: [UInt8](repeating: 0, count: 4096))), to: channel)
            try await send(.collected(fault: ""), to: channel)
        }
    }
#endif
