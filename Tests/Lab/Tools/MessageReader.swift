// Messages out of a TCP connection.

import Glibc
import LinuxSystem

/// Asks for as much as there is, so that a message that arrives whole costs one recv(2).
struct MessageReader: ~Copyable {
    private let buffer = MessageBuffer()
    /// Bytes received, of which the first `used` belong to the message that was returned last.
    private var filled = 0
    private var used = 0

    enum Fault: Error {
        case closed
        case stranger
        case system(SystemError)
    }

    struct Arrival {
        var message: Message
        /// Valid until the next message is read.
        var bytes: UnsafeRawBufferPointer
        /// Before the first recv of this message.
        var awaited: Instant
        /// After the recv that completed it.
        var received: Instant
    }

    mutating func next(from socket: borrowing Socket) throws(Fault) -> Arrival {
        let bytes = buffer.bytes
        filled -= used
        memmove(bytes.baseAddress!, bytes.baseAddress! + used, filled)
        used = 0
        let awaited = Instant.now()
        var received = awaited
        while true {
            if filled >= Message.headerBytes {
                guard let message = Message(UnsafeRawBufferPointer(rebasing: bytes[..<filled])) else { throw .stranger }
                if filled >= message.length {
                    used = message.length
                    let whole = UnsafeRawBufferPointer(rebasing: bytes[..<used])
                    return Arrival(message: message, bytes: whole, awaited: awaited, received: received)
                }
            }
            let count = recv(socket.descriptor, bytes.baseAddress! + filled, bytes.count - filled, 0)
            received = .now()
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(SystemError(call: "recv"))
            }
            guard count > 0 else { throw .closed }
            filled += count
        }
    }
}
