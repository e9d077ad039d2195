// UDP: one thread sends, another receives.

import Glibc
import LinuxSystem

extension Ping {
    func exchangeDatagrams(_ log: PingLog) throws(SystemError) {
        let socket = try Socket(.udp)
        try socket.limit(SO_SNDTIMEO, nanoseconds: timeout.nanoseconds)
        // How often the receiver looks whether it is over.
        try socket.limit(SO_RCVTIMEO, nanoseconds: 20_000_000)
        try socket.bind(to: Endpoint("0.0.0.0", port: 0)!)
        let (descriptor, size, timeoutNS) = (socket.descriptor, size, timeout.nanoseconds)
        let receiver = try JoinedThread { Self.receiveDatagrams(descriptor, size: size, timeoutNS: timeoutNS, log) }
        let sending = Result { () throws(SystemError) in try sendDatagrams(descriptor, log) }
        log.endSending()
        // Joins: the thread ends when the answers are there, or the timeout is over.
        _ = consume receiver
        try sending.get()
    }

    /// The socket is not connected: then an ICMP error, which says that nobody listens, would fail a send in its place.
    private func sendDatagrams(_ descriptor: Int32, _ log: PingLog) throws(SystemError) {
        var server = Endpoint(address, port: port)!.address
        let buffer = MessageBuffer()
        let bytes = buffer.bytes
        var pace = Pace(interval: interval)
        for sequence in 0..<count {
            if sequence % burst == 0 { pace.wait() }
            Message(sequence: UInt64(sequence), length: size).write(to: bytes)
            try log.send { () throws(SystemError) in
                guard sendto(descriptor, bytes.baseAddress!, size, 0, &server, Endpoint.bytes) == size else {
                    throw SystemError(call: "sendto")
                }
            }
        }
    }

    private static func receiveDatagrams(_ descriptor: Int32, size: Int, timeoutNS: Int64, _ log: PingLog) {
        let buffer = MessageBuffer()
        let start = buffer.bytes.baseAddress!
        while !log.isOver(timeoutNS: timeoutNS) {
            let count = recv(descriptor, start, buffer.bytes.count, 0)
            let instant = Instant.now()
            guard count == size, let message = Message(UnsafeRawBufferPointer(start: start, count: count)),
                message.length == size
            else {
                continue
            }
            log.take(answer: message.sequence, at: instant)
        }
    }
}
