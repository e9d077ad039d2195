// A connection that messages are sent and received on, one at a time, with back-pressure both ways.

import NIOCore

/// Frames: a length of 32 bits, big-endian, and that many bytes of message.
struct MessageCodec: ByteToMessageDecoder, MessageToByteEncoder {
    typealias InboundOut = Message
    typealias OutboundIn = Message

    /// The largest piece of trace data, and room for what stands before it.
    static let longestFrame: UInt32 = 1 << 20

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
        guard length <= Self.longestFrame else { throw ProtocolFault.tooLong(length) }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(try Message(reading: frame)))
        return .continue
    }

    mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
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
/// Bytes are read from the socket only while somebody waits for a message, so a peer that sends faster than we read is held up by its socket.
struct MessageChannel: Sendable {
    let channel: any Channel
    private let inbox: NIOLoopBound<Inbox>

    /// Adds what a connection needs; called on its event loop, before anything is read.
    init(on channel: any Channel) throws {
        self.channel = channel
        let inbox = Inbox()
        self.inbox = NIOLoopBound(inbox, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandlers(
            ByteToMessageHandler(MessageCodec(), maximumBufferSize: Int(MessageCodec.longestFrame) * 2),
            MessageToByteHandler(MessageCodec()), inbox)
    }

    /// Returns when the socket has taken it.
    func send(_ message: Message) async throws { try await channel.writeAndFlush(message).get() }

    /// Sends without waiting; that it can't be sent is heard by who receives. TLS shakes hands only while somebody reads, so whoever speaks first must not
    /// wait before reading.
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

    /// Exchanges probes, one after the other; each stamp is taken on the event loop, as close to the socket as we can get.
    /// - Throws: when the other side goes away, or answers something else.
    func exchange(_ numbers: Range<UInt32>, markers: MarkerFile) async throws {
        guard !numbers.isEmpty else { return }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        channel.eventLoop.execute { inbox.value.exchange(Inbox.Exchange(numbers: numbers, markers: markers, promise: promise)) }
        expectAnswer(true)
        defer { expectAnswer(false) }
        try await promise.futureResult.get()
    }

    /// While an answer is expected, silence of the other side for `patience` counts as its end.
    func expectAnswer(_ isExpected: Bool) { channel.eventLoop.execute { inbox.value.expectAnswer(isExpected) } }

    /// A guest that is slow, not gone: one under emulation takes seconds to switch all events on.
    static let patience = TimeAmount.seconds(30)

    func close() async {
        // TLS waits for the other side's goodbye, which has to be read.
        channel.eventLoop.execute { inbox.value.beginClosing() }
        try? await channel.close().get()
    }

    /// Holds what has come until it is asked for.
    private final class Inbox: ChannelInboundHandler {
        typealias InboundIn = Message

        private var messages: CircularBuffer<Message> = []
        private var waiting: EventLoopPromise<Message>?
        private var fault: (any Error)?
        private var context: ChannelHandlerContext?
        /// When the other side was heard last, and who looks after it; nil while nothing is expected.
        private var heard = NIODeadline.uptimeNanoseconds(0)
        private var silence: Scheduled<Void>?
        private var isClosing = false

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
        func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

        /// What was asked for before there was a connection; a channel forgets such a read.
        func channelActive(context: ChannelHandlerContext) {
            if waiting != nil { context.read() }
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            heard = context.eventLoop.now
            guard !isClosing else { return }
            let message = unwrapInboundIn(data)
            if takeProbe(message, context) { return }
            messages.append(message)
            deliver()
        }

        /// Probes are the one thing that is not left for a task to do: its wake-up would be in the round trip.
        private func takeProbe(_ message: Message, _ context: ChannelHandlerContext) -> Bool {
            switch message {
            case .probe(let number):
                guard let stamp, number < Marker.mostNumbers else { return false }
                stamp(number)
                context.writeAndFlush(NIOAny(Message.probed(number: number)), promise: nil)
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

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            fail(error)
            context.close(promise: nil)
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

        func expectAnswer(_ isExpected: Bool) {
            silence?.cancel()
            silence = nil
            if isExpected { listen(from: context?.eventLoop.now) }
        }

        private func listen(from time: NIODeadline?) {
            guard let time, let loop = context?.eventLoop.assumeIsolated() else { return }
            heard = max(heard, time)
            silence = loop.scheduleTask(deadline: heard + MessageChannel.patience) { [self] in
                let now = loop.nonisolated().now
                // Nobody reads just now, so it could not be heard.
                if waiting == nil { heard = now }
                guard now - heard >= MessageChannel.patience else { return listen(from: heard) }
                fail(ProtocolFault.silent)
                context?.close(promise: nil)
            }
        }

        private func fail(_ error: any Error) {
            if fault == nil { fault = error }
            exchange?.promise.fail(error)
            exchange = nil
            deliver()
        }
    }
}
