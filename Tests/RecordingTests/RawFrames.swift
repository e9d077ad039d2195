// Bytes on a connection that are no message of either side's making.

import NIOCore

#if DEBUG
    import Glibc
    @testable import Recording

    extension MessageChannel {
        /// Sends these bytes as they are; returns when the socket has taken them.
        func send(raw bytes: [UInt8]) async throws {
            let channel = channel
            try await channel.eventLoop.flatSubmit {
                let sent = channel.eventLoop.makePromise(of: Void.self)
                do {
                    // From the codec's place on, so that it is not asked.
                    let codec = try channel.pipeline.syncOperations.context(
                        handlerType: MessageToByteHandler<MessageCodec>.self)
                    codec.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: sent)
                } catch { sent.fail(error) }
                return sent.futureResult
            }.get()
        }

        /// Ends the connection with a reset, as a machine does that has started anew.
        func reset() async throws {
            try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            await abort()
        }
    }

    /// Frames by hand.
    enum RawFrame {
        static func of(_ message: Message) -> [UInt8] { of(SampleMessages.bytes(message)) }

        static func of(_ bytes: [UInt8]) -> [UInt8] { length(UInt32(bytes.count)) + bytes }

        static func length(_ count: UInt32) -> [UInt8] { withUnsafeBytes(of: count.bigEndian) { Array($0) } }

        /// A message by hand, field by field.
        static func of(_ type: UInt8, _ write: (inout ByteBuffer) -> Void) -> [UInt8] {
            of(SampleMessages.message(type, write))
        }
    }
#endif
