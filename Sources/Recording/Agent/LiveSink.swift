// Trace data that is sent while it is recorded.

import Glibc
import LinuxSystem
import NIOCore

/// Sends what the drain reads, and does not return before the socket has taken it: while the other side is slow, the
/// ring buffer fills, and what it can't hold is counted by the kernel.
final class LiveSink: TraceSink {
    private let channel: MessageChannel

    init(_ channel: MessageChannel) { self.channel = channel }

    func take(cpu: Int, pipe descriptor: Int32, count: Int) throws(SystemError) {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = unsafe bytes.withUnsafeMutableBytes {
                unsafe read(descriptor, $0.baseAddress! + done, count - done)
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw SystemError(call: "read", errno: got < 0 ? errno : EIO) }
            done += got
        }
        try send(cpu, bytes)
    }

    func take(cpu: Int, bytes: UnsafeRawBufferPointer) throws(SystemError) { try unsafe send(cpu, Array(bytes)) }

    private func send(_ cpu: Int, _ bytes: [UInt8]) throws(SystemError) {
        do {
            try channel.sending(.data(Message.TraceBytes(cpu: UInt16(cpu), bytes: bytes))).wait()
        } catch {
            throw SystemError(call: "send", errno: EPIPE)
        }
    }
}
