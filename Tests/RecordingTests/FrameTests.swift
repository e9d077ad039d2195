// Frames on a connection: pieces of any size, and ends anywhere.

import NIOCore
import NIOEmbedded

#if DEBUG
    @testable import Recording
    import Synchronization
    import Testing

    @Suite struct FrameTests {
        /// A connection's other side, and what it has sent.
        private struct Connection {
            let channel = NIOAsyncTestingChannel()
            let messages: MessageChannel

            init() async throws {
                let channel = channel
                messages = try await channel.testingEventLoop.executeInContext { try MessageChannel(on: channel) }
                try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
            }

            func send(_ bytes: some Sequence<UInt8> & Sendable) async throws {
                try await channel.writeInbound(ByteBuffer(bytes: bytes))
            }
        }

        private static func frame(_ message: Message) -> [UInt8] {
            let bytes = SampleMessages.bytes(message)
            return withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
        }

        @Test func `messages come out as they went in, however they are cut`() async throws {
            let stream = SampleMessages.all.flatMap(Self.frame)
            for size in [1, 3, 17, 4096, stream.count] {
                let connection = try await Connection()
                for start in stride(from: 0, to: stream.count, by: size) {
                    try await connection.send(stream[start..<min(start + size, stream.count)])
                }
                for message in SampleMessages.all { #expect(try await connection.messages.receive() == message) }
            }
        }

        @Test func `what is sent is framed`() async throws {
            let connection = try await Connection()
            for message in SampleMessages.all {
                connection.messages.post(message)
                var bytes = try await connection.channel.waitForOutboundWrite(as: ByteBuffer.self)
                #expect(bytes.readBytes(length: bytes.readableBytes) == Self.frame(message))
            }
        }

        @Test func `a frame that is larger than any is refused by its length`() async throws {
            let connection = try await Connection()
            let length = MessageCodec.longestFrame + 1
            try? await connection.send(withUnsafeBytes(of: length.bigEndian) { Array($0) })
            await #expect(throws: ProtocolFault.tooLong(length)) { try await connection.messages.receive() }
            // It stays so, and the other side may still be told.
            await #expect(throws: ProtocolFault.tooLong(length)) { try await connection.messages.receive() }
            #expect(connection.channel.isActive)
        }

        @Test(arguments: [0, 1, 3, 4, 10])
        func `a peer that goes in the middle of a message has gone`(count: Int) async throws {
            let connection = try await Connection()
            let whole = Self.frame(.busy(.init(seconds: 1, peer: "somebody")))
            try await connection.send(whole + whole.prefix(count))
            try await connection.channel.close().get()
            #expect(try await connection.messages.receive() == .busy(.init(seconds: 1, peer: "somebody")))
            await #expect(throws: ProtocolFault.closed) { try await connection.messages.receive() }
        }

        @Test func `silence ends a wait for an answer, and only that`() async throws {
            let connection = try await Connection()
            let (messages, loop) = (connection.messages, connection.channel.testingEventLoop)
            // Recording takes as long as it takes.
            let quiet = Task { try await messages.receive() }
            await loop.advanceTime(by: MessageChannel.patience * 10)
            #expect(connection.channel.isActive)
            messages.expectAnswer(within: MessageChannel.patience)
            await loop.advanceTime(by: MessageChannel.patience - .seconds(1))
            try await connection.send(Self.frame(.started))
            #expect(try await quiet.value == .started)
            messages.expectAnswer(within: MessageChannel.patience)
            let answer = Task { try await messages.receive() }
            try await Task.sleep(for: .milliseconds(20))
            await loop.advanceTime(by: MessageChannel.patience - .seconds(1))
            #expect(connection.channel.isActive)
            await loop.advanceTime(by: .seconds(2))
            await #expect(throws: ProtocolFault.silent(MessageChannel.patience)) { try await answer.value }
            #expect(!connection.channel.isActive)
        }

        @Test(arguments: [true, false]) func `a trace may take its time, but not for ever`(isFast: Bool) async throws {
            let connection = try await Connection()
            let (messages, loop) = (connection.messages, connection.channel.testingEventLoop)
            messages.expectAnswer(within: .seconds(10))
            let piece = Message.data(
                .init(cpu: 0, bytes: [UInt8](repeating: 0, count: Int(MessageChannel.leastPace) / (isFast ? 1 : 2))))
            // At half the pace, each second uses up half a second of ten.
            for second in 0..<30 {
                let answer = Task { try await messages.receive() }
                try await Task.sleep(for: .milliseconds(5))
                await loop.advanceTime(by: .seconds(1))
                guard isFast || second < 18 else {
                    if connection.channel.isActive { continue }
                    await #expect(throws: ProtocolFault.slow) { try await answer.value }
                    return
                }
                try await connection.send(Self.frame(piece))
                #expect(try await answer.value == piece)
            }
            #expect(isFast)
        }

        /// A socket that takes nothing.
        private final class FullSocket: ChannelOutboundHandler {
            typealias OutboundIn = ByteBuffer

            private var held: [EventLoopPromise<Void>?] = []

            func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
                held.append(promise)
            }

            func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
                for promise in held { promise?.fail(ChannelError.ioOnClosedChannel) }
                held = []
                context.close(mode: mode, promise: promise)
            }
        }

        @Test func `probes are answered while somebody takes the answers`() async throws {
            let connection = try await Connection()
            let channel = connection.channel
            try await channel.testingEventLoop.executeInContext {
                try channel.pipeline.syncOperations.addHandler(FullSocket(), position: .first)
            }
            let stamps = Mutex(0)
            connection.messages.answerProbes { _ in stamps.withLock { $0 += 1 } }
            async let first = connection.messages.receive()
            try await Task.sleep(for: .milliseconds(20))
            try await connection.send((0..<1000).flatMap { Self.frame(.probe(number: $0)) })
            // This one is left for the session, which did not ask for it.
            #expect(try await first == .probe(number: 16))
            #expect(stamps.withLock { $0 } == 16)
            try await channel.close().get()
        }

        @Test func `who takes nothing is given up`() async throws {
            let connection = try await Connection()
            let channel = connection.channel
            try await channel.testingEventLoop.executeInContext {
                try channel.pipeline.syncOperations.addHandler(FullSocket(), position: .first)
            }
            let messages = connection.messages
            let sending = Task { try await messages.send(.started) }
            try await Task.sleep(for: .milliseconds(20))
            await channel.testingEventLoop.advanceTime(by: MessageChannel.patience - .seconds(1))
            #expect(channel.isActive)
            await channel.testingEventLoop.advanceTime(by: .seconds(2))
            await #expect(throws: ProtocolFault.deaf(MessageChannel.patience)) { try await sending.value }
            #expect(!channel.isActive)
        }

        @Test func `one waits at a time`() async throws {
            let connection = try await Connection()
            let messages = connection.messages
            async let first = messages.receive()
            try await Task.sleep(for: .milliseconds(20))
            await #expect(throws: ProtocolFault.unexpected("two receivers")) { try await messages.receive() }
            try await connection.send(Self.frame(.stop))
            #expect(try await first == .stop)
        }
    }
#endif
