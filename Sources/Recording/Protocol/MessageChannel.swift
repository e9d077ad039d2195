// A connection that messages are sent and received on, one at a time, with back-pressure both ways.

import NIOCore
import NIOSSL

/// Frames: a length of 32 bits, big-endian, and that many bytes of message.
struct MessageCodec: ByteToMessageDecoder, MessageToByteEncoder {
    typealias InboundOut = Message
    typealias OutboundIn = Message

    /// The largest piece of trace data, and room for what stands before it.
    static let longestFrame: UInt32 = 1 << 20
    /// What an agent takes from whoever connects: events and their filters.
    static let longestRequest: UInt32 = 128 << 10

    let longest: UInt32

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
        guard length <= longest else { throw ProtocolFault.tooLong(length) }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(try Message(reading: frame)))
        return .continue
    }

    mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws
        -> DecodingState
    {
        let state = try decode(context: context, buffer: &buffer)
        // A piece of a message is all that is left of a peer that was killed; that it has gone is what matters.
        if seenEOF, state == .needMoreData { buffer.moveReaderIndex(to: buffer.writerIndex) }
        return state
    }

    func encode(data: Message, out: inout ByteBuffer) throws {
        let start = out.writerIndex
        out.writeInteger(UInt32(0))
        data.write(to: &out)
        out.setInteger(UInt32(out.writerIndex - start - 4), at: start)
    }
}

/// One end of a connection between recorder and agent.
///
/// Bytes are read from the socket only while somebody waits for a message, so a peer that sends faster than we read is
/// held up by its socket.
struct MessageChannel: Sendable {
    let channel: any Channel
    /// How long an answer may take, and the other side to take one message.
    let patience: TimeAmount
    private let inbox: NIOLoopBound<Inbox>

    /// Adds what a connection needs; called on its event loop, before anything is read.
    init(
        on channel: any Channel, patience: TimeAmount = MessageChannel.patience,
        longestFrame: UInt32 = MessageCodec.longestFrame
    ) throws {
        self.channel = channel
        self.patience = patience
        let inbox = Inbox()
        self.inbox = NIOLoopBound(inbox, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(MessageCodec(longest: longestFrame), maximumBufferSize: Int(longestFrame) * 2),
            MessageToByteHandler(MessageCodec(longest: longestFrame)), inbox)
    }

    /// Returns when the socket has taken it.
    /// - Throws: `ProtocolFault.deaf` when it does not for `patience`.
    func send(_ message: Message) async throws { try await sending(message).get() }

    /// Done when the socket has taken it. A peer that takes nothing for `patience` is cut off, so that it holds up
    /// nobody for ever.
    func sending(_ message: Message) -> EventLoopFuture<Void> {
        let sent = channel.writeAndFlush(message)
        let limit = channel.eventLoop.scheduleTask(in: patience) { inbox.value.cut(.deaf(patience)) }
        return sent.always { _ in limit.cancel() }.flatMapErrorThrowing { error in throw inbox.value.fault ?? error }
    }

    /// Sends without waiting; that it can't be sent is heard by who receives. TLS shakes hands only while somebody
    /// reads, so whoever speaks first must not wait before reading.
    func post(_ message: Message) { channel.writeAndFlush(message, promise: nil) }

    /// The next message.
    /// - Throws: `ProtocolFault.closed` when the other side has gone, or what was wrong with what it sent.
    func receive() async throws -> Message {
        let promise = channel.eventLoop.makePromise(of: Message.self)
        channel.eventLoop.execute { inbox.value.deliver(to: promise) }
        return try await promise.futureResult.get()
    }

    /// From now on each probe is answered at once, on the event loop, after `stamp` was called; nil ends that.
    func answerProbes(_ stamp: (@Sendable (UInt32) -> Void)?) {
        channel.eventLoop.execute { inbox.value.stamp = stamp }
    }

    /// Exchanges probes, one after the other; each stamp is taken on the event loop, as close to the socket as we can
    /// get.
    /// - Throws: when the other side goes away, or answers something else.
    func exchange(_ numbers: Range<UInt32>, markers: MarkerFile) async throws {
        guard !numbers.isEmpty else { return }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        channel.eventLoop.execute {
            inbox.value.exchange(Inbox.Exchange(numbers: numbers, markers: markers, promise: promise))
        }
        expectAnswer(within: patience)
        defer { expectAnswer(within: nil) }
        try await promise.futureResult.get()
    }

    /// While an answer is expected, silence of the other side for `limit` counts as its end; nil when none is expected
    /// any more.
    ///
    /// A stream of trace puts the end off, by the time that its bytes take at `leastPace`; nothing else does.
    func expectAnswer(within limit: TimeAmount?) {
        channel.eventLoop.execute { inbox.value.expectAnswer(within: limit) }
    }

    /// Bytes of trace a second: what any transport has, even under emulation. Slower than this for longer than
    /// `patience`, a guest is lost.
    static let leastPace: Int64 = 256 << 10

    /// A guest that is slow, not gone: one under emulation takes seconds to switch all events on.
    static let patience = TimeAmount.seconds(30)

    func close() async {
        // TLS waits for the other side's goodbye, which has to be read.
        channel.eventLoop.execute { inbox.value.beginClosing() }
        try? await channel.close().get()
    }

    /// Ends the connection without a goodbye, and without reading what is still on its way.
    func abort() async {
        let channel = channel
        try? await channel.eventLoop.submit { channel.cut() }.get()
        try? await channel.closeFuture.get()
    }

    /// Holds what has come until it is asked for.
    private final class Inbox: ChannelInboundHandler {
        typealias InboundIn = Message

        private var messages: CircularBuffer<Message> = []
        private var waiting: EventLoopPromise<Message>?
        private(set) var fault: (any Error)?
        private var context: ChannelHandlerContext?
        /// Since when an answer is overdue, as far as what has come does not excuse it; and who looks after it, nil
        /// while nothing is expected.
        private var heard = NIODeadline.uptimeNanoseconds(0)
        /// Some of a trace has come.
        private var hasHeard = false
        private var silence: Scheduled<Void>?
        private var isClosing = false
        /// Probes' answers that the socket has not taken yet.
        private var answers = 0
        /// A recorder sends a probe when it has the answer to the one before.
        private static let mostAnswers = 16

        /// Takes an agent's stamps while it answers probes.
        var stamp: (@Sendable (UInt32) -> Void)?
        private var exchange: Exchange?

        /// A recorder's probes that are still to be exchanged.
        struct Exchange {
            var numbers: Range<UInt32>
            var markers: MarkerFile
            var promise: EventLoopPromise<Void>
        }

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }

        /// What was asked for before there was a connection; a channel forgets such a read.
        func channelActive(context: ChannelHandlerContext) {
            if waiting != nil { context.read() }
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let message = unwrapInboundIn(data)
            hear(message, context.eventLoop.now)
            guard !isClosing else { return }
            if takeProbe(message, context) { return }
            messages.append(message)
            deliver()
        }

        /// Probes are the one thing that is not left for a task to do: its wake-up would be in the round trip.
        private func takeProbe(_ message: Message, _ context: ChannelHandlerContext) -> Bool {
            switch message {
            case .probe(let number):
                guard let stamp, number < Marker.mostNumbers, answers < Self.mostAnswers else { return false }
                let answered = context.eventLoop.makePromise(of: Void.self)
                stamp(number)
                context.writeAndFlush(NIOAny(Message.probed(number: number)), promise: answered)
                answers += 1
                answered.futureResult.assumeIsolated().whenComplete { [self] _ in answers -= 1 }
            case .probed(let number):
                guard var exchange, number == exchange.numbers.lowerBound else { return false }
                exchange.markers.write(Marker(.received, number))
                exchange.numbers.removeFirst()
                self.exchange = exchange
                sendProbe(context)
            default: return false
            }
            return true
        }

        func exchange(_ exchange: Exchange) {
            guard let context, fault == nil else { return exchange.promise.fail(fault ?? ProtocolFault.closed) }
            self.exchange = exchange
            sendProbe(context)
        }

        private func sendProbe(_ context: ChannelHandlerContext) {
            guard let exchange else { return }
            guard let number = exchange.numbers.first else {
                self.exchange = nil
                return exchange.promise.succeed()
            }
            exchange.markers.write(Marker(.sent, number))
            context.writeAndFlush(NIOAny(Message.probe(number: number)), promise: nil)
        }

        /// A read that brought no whole message asks for the next one.
        func channelReadComplete(context: ChannelHandlerContext) {
            if waiting != nil || isClosing { context.read() }
            context.fireChannelReadComplete()
        }

        func channelInactive(context: ChannelHandlerContext) { fail(ProtocolFault.closed) }

        /// Of a connection that never was one, nothing else tells.
        func handlerRemoved(context: ChannelHandlerContext) {
            fail(ProtocolFault.closed)
            self.context = nil
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            fail(error)
            // Who has broken the rules is still told so, by whoever waits for it.
            if !(error is ProtocolFault) { context.close(promise: nil) }
        }

        func deliver(to promise: EventLoopPromise<Message>) {
            guard waiting == nil else { return promise.fail(ProtocolFault.unexpected("two receivers")) }
            waiting = promise
            deliver()
            if waiting != nil, let context, context.channel.isActive { context.read() }
        }

        private func deliver() {
            guard let promise = waiting else { return }
            if let message = messages.popFirst() {
                waiting = nil
                promise.succeed(message)
            } else if let fault {
                waiting = nil
                promise.fail(fault)
            }
        }

        func beginClosing() {
            isClosing = true
            if let context, context.channel.isActive { context.read() }
        }

        func expectAnswer(within limit: TimeAmount?) {
            silence?.cancel()
            silence = nil
            hasHeard = false
            guard let limit, let context else { return }
            heard = context.eventLoop.now
            watch(limit)
        }

        /// A message puts the end off by what its bytes may take.
        private func hear(_ message: Message, _ now: NIODeadline) {
            guard silence != nil else { return }
            hasHeard = hasHeard || message.traceBytes > 0
            heard = min(
                now, heard + .nanoseconds(Int64(message.traceBytes) * (1_000_000_000 / MessageChannel.leastPace)))
        }

        private func watch(_ limit: TimeAmount) {
            guard let loop = context?.eventLoop.assumeIsolated() else { return }
            silence = loop.scheduleTask(deadline: heard + limit) { [self] in
                let now = loop.nonisolated().now
                // Nobody reads just now, so it could not be heard.
                if waiting == nil { heard = now }
                guard now - heard >= limit else { return watch(limit) }
                cut(hasHeard ? .slow : .silent(limit))
            }
        }

        /// Ends the connection for this reason.
        func cut(_ fault: ProtocolFault) {
            fail(fault)
            context?.channel.cut()
        }

        private func fail(_ error: any Error) {
            if fault == nil { fault = error }
            exchange?.promise.fail(error)
            exchange = nil
            deliver()
        }
    }
}

extension Channel {
    /// Ends the connection at once, on its event loop: TLS would wait for the other side's goodbye.
    func cut() {
        let operations = pipeline.syncOperations
        let tls =
            (try? operations.context(handlerType: NIOSSLClientHandler.self))
            ?? (try? operations.context(handlerType: NIOSSLServerHandler.self))
        // From TLS's own place on, so that it is not asked.
        if let tls { tls.close(mode: .all, promise: nil) } else { close(promise: nil) }
    }
}
