// TCP: streams, whose bytes are counted on both sides.

import CNativeTraffic
import Glibc
import LinuxSystem

/// Sends or reads a stream, and notes which call had which bytes.
final class StreamEnd: @unchecked Sendable {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private(set) var rows: [CallRow] = []
    /// Bytes so far.
    private(set) var count = 0
    private let kind: String
    private let event: CallRow.Event
    private let way: Way

    init(_ bench: Bench, _ event: CallRow.Event, _ way: Way = .ab) {
        kind = bench.kind
        self.event = event
        self.way = way
        buffer.initializeMemory(as: UInt8.self, repeating: 0x2e)
    }

    deinit { buffer.deallocate() }

    /// One call, which returns how many bytes it took.
    @discardableResult
    func call(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        let begin = monotonicNanoseconds()
        let count = body(buffer)
        let end = monotonicNanoseconds()
        if count > 0 {
            rows.append(CallRow(kind: kind, event, way, sequence: self.count, bytes: count, begin: begin, end: end))
            self.count += count
        }
        return count
    }

    /// Sends so many bytes, in as many calls as it takes.
    func sendAll(_ total: Int, most: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) throws {
        let end = count + total
        while count < end {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(most, end - count)])
            try check(call { _ in body(rest) }, "send")
        }
    }

    /// Reads so many bytes, or until nothing comes any more for ten times the socket's patience.
    func readAll(_ total: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
        var failures = 0
        let end = count + total
        // Before the first byte it may be waiting for a recording to begin.
        while count < end, failures < (count == 0 ? 400 : 10) {
            if call(body) <= 0 { failures += 1 }
        }
    }
}

extension Kind {
    /// So many bytes from side a to side b: how they are sent, and how they are read.
    static func stream(
        _ name: String, _ summary: String, bytes: Int, calls: Int, pauseNS: Int64 = 0, carrier: Carrier = .ipv4,
        merging: Bool = false, receiveBuffer: Int32? = nil,
        send: @escaping @Sendable (Int32, UnsafeMutableRawBufferPointer) -> Int = {
            Glibc.send($0, $1.baseAddress, $1.count, 0)
        },
        read: @escaping @Sendable (Int32, UnsafeMutableRawBufferPointer) -> Int = {
            recv($0, $1.baseAddress, 1 << 16, 0)
        }
    ) -> Kind {
        Kind(name, summary) { bench in
            let (client, server) = try bench.connection(carrier, receiveBuffer: receiveBuffer)
            let sender = StreamEnd(bench, .send)
            let reader = StreamEnd(bench, .read)
            try (merging ? bench.merging : { try $0() }) {
                let thread = try ReaderThread {
                    nt_run_on(0)
                    reader.readAll(bytes) { read(server, $0) }
                }
                defer { withExtendedLifetime(thread) {} }
                nt_run_on(1)
                defer { nt_run_on(-1) }
                bench.sleep(5_000_000)
                try bench.network.awaitStart()
                for _ in 0..<calls {
                    if pauseNS > 0 { bench.sleep(pauseNS) }
                    try sender.sendAll(bytes / calls, most: bytes / calls) { send(client, $0) }
                }
            }
            bench.note(sender.rows + reader.rows)
        }
    }

    static let streams: [Kind] = [
        Kind("tcp-request", "TCP: a request, its answer, then the next one") { bench in
            let (client, server) = try bench.connection()
            let (requests, answers) = (StreamEnd(bench, .send), StreamEnd(bench, .read, .ba))
            let (served, replies) = (StreamEnd(bench, .read), StreamEnd(bench, .send, .ba))
            do {
                let thread = try ReaderThread {
                    nt_run_on(0)
                    for _ in 0..<100 {
                        served.readAll(200) { recv(server, $0.baseAddress, 1 << 16, 0) }
                        try? replies.sendAll(300, most: 300) { send(server, $0.baseAddress, $0.count, 0) }
                    }
                }
                defer { withExtendedLifetime(thread) {} }
                nt_run_on(1)
                defer { nt_run_on(-1) }
                try bench.network.awaitStart()
                for _ in 0..<100 {
                    bench.sleep(300_000)
                    try requests.sendAll(200, most: 200) { send(client, $0.baseAddress, $0.count, 0) }
                    answers.readAll(300) { recv(client, $0.baseAddress, 1 << 16, 0) }
                }
            }
            bench.note(requests.rows + answers.rows + served.rows + replies.rows)
        },
        stream("tcp-paced", "TCP: 512 bytes now and then, recv", bytes: 51_200, calls: 100, pauseNS: 300_000),
        stream(
            "tcp-ipv6", "TCP over IPv6: 512 bytes now and then", bytes: 51_200, calls: 100, pauseNS: 300_000,
            carrier: .ipv6),
        stream("tcp-small", "TCP: 300 messages of 128 bytes without a pause", bytes: 38_400, calls: 300),
        stream("tcp-bulk", "TCP: 2 MB as fast as it goes", bytes: 2_000_000, calls: 20),
        stream(
            "tcp-slow-reader", "TCP: a reader that takes 4 kB every millisecond", bytes: 400_000, calls: 10,
            receiveBuffer: 32_768,
            read: { socket, bytes in
                usleep(1_000)
                return recv(socket, bytes.baseAddress, 4096, 0)
            }),
        stream(
            "tcp-spin", "TCP: recv with MSG_DONTWAIT without a pause", bytes: 51_200, calls: 100, pauseNS: 300_000,
            read: { socket, bytes in
                // Not a failure that readAll would count.
                while true {
                    let count = recv(socket, bytes.baseAddress, 1 << 16, Int32(MSG_DONTWAIT))
                    if count >= 0 || errno != EAGAIN { return count }
                }
            }),
        stream(
            "tcp-epoll", "TCP: read behind poll", bytes: 51_200, calls: 100, pauseNS: 300_000,
            read: { socket, bytes in
                var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 200) > 0 else { return -1 }
                return Glibc.read(socket, bytes.baseAddress, 1 << 16)
            }),
        stream(
            "tcp-waitall", "TCP: recv of 1024 bytes with MSG_WAITALL, of messages of 512", bytes: 51_200, calls: 100,
            pauseNS: 300_000,
            read: { recv($0, $1.baseAddress, 1024, Int32(MSG_WAITALL)) }),
        stream(
            "tcp-splice-reader", "TCP: splice from the socket into a pipe", bytes: 51_200, calls: 100, pauseNS: 300_000,
            read: { socket, bytes in
                guard let (from, to) = try? Network.pipe() else { return -1 }
                defer { _ = (close(from), close(to)) }
                let count = nt_splice(socket, to, 1 << 15, 0)
                return count > 0 ? Glibc.read(from, bytes.baseAddress, count) : count
            }),
        stream(
            "tcp-sendfile", "TCP: sendfile into the socket", bytes: 100_000, calls: 50, pauseNS: 300_000,
            send: { socket, bytes in
                let file = nt_memory_file("native-traffic")
                defer { close(file) }
                guard write(file, bytes.baseAddress, bytes.count) == bytes.count, lseek(file, 0, SEEK_SET) == 0 else {
                    return -1
                }
                return sendfile(socket, file, nil, bytes.count)
            }),
        stream(
            "tcp-writev", "TCP: writev", bytes: 51_200, calls: 100, pauseNS: 300_000,
            send: { socket, bytes in
                var parts = [
                    iovec(iov_base: bytes.baseAddress, iov_len: 16),
                    iovec(iov_base: bytes.baseAddress! + 16, iov_len: bytes.count - 16),
                ]
                return Glibc.writev(socket, &parts, 2)
            }),
    ]
}

extension Bench {
    func connection(_ carrier: Carrier = .ipv4, receiveBuffer: Int32? = nil) throws -> (client: Int32, server: Int32) {
        if let refusal = network.refused[carrier] { throw Refusal(refusal) }
        let (client, server) = try network.connection(carrier, port: port, receiveBuffer: receiveBuffer)
        return (keep(client), keep(server))
    }
}
