// TCP: one message and its answer after the other, over one connection.

import Glibc
import LinuxSystem

extension Ping {
    func exchangeMessages(_ log: PingLog) throws {
        let socket = try Socket(.tcp)
        try socket.limit(SO_SNDTIMEO, nanoseconds: timeout.nanoseconds)
        try socket.limit(SO_RCVTIMEO, nanoseconds: timeout.nanoseconds)
        try socket.connect(to: Endpoint(address, port: port)!)
        let buffer = MessageBuffer()
        let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<size])
        var reader = MessageReader()
        var pace = Pace(interval: interval)
        for sequence in 0..<UInt64(count) {
            pace.wait()
            Message(sequence: sequence, length: size).write(to: buffer.bytes)
            try log.send { () throws(SystemError) in try socket.send(bytes) }
            let arrival = try reader.next(from: socket)
            guard arrival.message.sequence == sequence, arrival.message.length == size else {
                throw MessageReader.Fault.stranger
            }
            log.take(answer: sequence, at: arrival.received)
        }
    }
}
