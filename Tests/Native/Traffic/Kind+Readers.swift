// Readers of UDP: one socket, one thread, and the call or the wait that differs.

import CNativeTraffic
import Glibc
import LinuxSystem

/// Sends one datagram on a connected socket: sys_enter_sendto.
func plain(_ socket: Int32) -> (Int, UnsafeMutableRawBufferPointer) throws -> Void {
    { _, bytes in try check(send(socket, bytes.baseAddress, bytes.count, 0), "send") }
}

extension Kind {
    /// A kind with one reader of one socket, and the plainest sender.
    private static func reading(
        _ name: String, _ summary: String, _ pattern: Pattern = Pattern(),
        open: (@Sendable (Int32) throws -> Void)? = nil,
        _ read: @escaping @Sendable (Reader, Int32) -> Void
    ) -> Kind {
        Kind(name, summary) { bench in
            let (sender, socket) = try bench.pair(pattern.carrier)
            try open?(socket)
            try bench.exchange(pattern, send: plain(sender), readers: [{ read($0, socket) }])
        }
    }

    static let readers: [Kind] = [
        reading("recv", "recv, blocking") { reader, socket in reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
        },
        reading("recv-same-cpu", "recv, sender and reader on one CPU", Pattern(senderCPU: 0, readerCPU: 0)) {
            reader, socket in
            reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
        },
        reading("recv-any-cpu", "recv, both go where the scheduler puts them", Pattern(senderCPU: -1, readerCPU: -1)) {
            reader, socket in
            reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
        },
        reading("recvfrom", "recvfrom, bursts of 8", Pattern(burst: 8, pauseNS: 1_000_000)) { reader, socket in
            var peer = sockaddr()
            var bytes = socklen_t(MemoryLayout<sockaddr>.size)
            reader.call { recvfrom(socket, $0.baseAddress, $0.count, 0, &peer, &bytes) }
        },
        reading("recvmsg", "recvmsg") { reader, socket in
            reader.call { nt_recvmsg(socket, $0.baseAddress!, $0.count, 0) }
        },
        reading("recvmmsg", "recvmmsg of up to 16, bursts of 8", Pattern(burst: 8, pauseNS: 1_000_000)) {
            reader, socket in
            var lengths = [UInt32](repeating: 0, count: 16)
            let begin = monotonicNanoseconds()
            let count = nt_recvmmsg(socket, reader.buffer.baseAddress!, 2048, 16, &lengths)
            let end = monotonicNanoseconds()
            if count > 0 { reader.note((0..<Int(count)).map { ($0 * 2048, Int(lengths[$0])) }, begin, end) }
        },
        reading("read", "read") { reader, socket in reader.call { Glibc.read(socket, $0.baseAddress, $0.count) } },
        reading("readv", "readv") { reader, socket in
            reader.call { bytes in
                var parts = [
                    iovec(iov_base: bytes.baseAddress, iov_len: 16),
                    iovec(iov_base: bytes.baseAddress! + 16, iov_len: bytes.count - 16),
                ]
                return Glibc.readv(socket, &parts, 2)
            }
        },
        reading("select", "select, then recv") { reader, socket in
            // Descriptors of a run stay far below the set's 1024.
            var set = fd_set()
            withUnsafeMutableBytes(of: &set) { $0[Int(socket) / 8] |= 1 << (socket % 8) }
            var patience = timeval(tv_sec: 0, tv_usec: 200_000)
            if Glibc.select(socket + 1, &set, nil, nil, &patience) > 0 {
                reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
            }
        },
        reading(
            "spin", "recv with MSG_DONTWAIT without a pause, on another CPU",
            Pattern(count: 300, pauseNS: 150_000, isAlone: true)
        ) {
            reader, socket in
            reader.spin(socket)
        },
        reading("spin-burst", "the same, bursts of 8", Pattern(burst: 8, pauseNS: 1_000_000, isAlone: true)) {
            reader, socket in
            reader.spin(socket)
        },
        reading(
            "busy-poll", "recv with SO_BUSY_POLL",
            open: { try set(SocketOption.busyPoll, of: SOL_SOCKET, to: Int32(50), $0) }
        ) {
            reader, socket in
            reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
        },
        reading("peek", "recv with MSG_PEEK, then read") { reader, socket in
            guard recv(socket, reader.buffer.baseAddress, reader.buffer.count, Int32(MSG_PEEK)) > 0 else { return }
            reader.call { Glibc.read(socket, $0.baseAddress, $0.count) }
        },
        reading("trunc", "recv of 16 bytes of each datagram, MSG_TRUNC") { reader, socket in
            reader.call { recv(socket, $0.baseAddress, 16, Int32(MSG_TRUNC)) }
        },
        reading("short", "recv of 16 bytes of each datagram, without MSG_TRUNC") { reader, socket in
            reader.call { recv(socket, $0.baseAddress, 16, 0) }
        },
        reading("late", "a reader that sleeps, then takes ten at once", Pattern(burst: 10, pauseNS: 3_000_000)) {
            reader, socket in
            guard reader.poll([socket]) == [socket] else { return }
            usleep(1_500)
            while reader.call({ recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }) > 0 {}
        },
        Kind("splice-reader", "splice from the socket into a pipe") { bench in
            let (sender, socket) = try bench.pair()
            let (from, to) = try Network.pipe()
            _ = (bench.keep(from), bench.keep(to))
            try bench.exchange(
                send: plain(sender),
                readers: [
                    { reader in
                        reader.call { bytes in
                            let count = nt_splice(socket, to, 1 << 14, 0)
                            return count > 0 ? Glibc.read(from, bytes.baseAddress, bytes.count) : count
                        }
                    }
                ])
        },
        Kind("uring-recv", "io_uring: one receive after the other") { bench in
            let (sender, socket) = try bench.pair()
            let ring = try Ring(polled: false)
            try bench.exchange(send: plain(sender), readers: [{ reader in reader.call { ring.receive(socket, $0) } }])
        },
        Kind("uring-recv-polled", "io_uring with SQPOLL: one receive after the other") { bench in
            let (sender, socket) = try bench.pair()
            let ring = try Ring(polled: true)
            try bench.exchange(send: plain(sender), readers: [{ reader in reader.call { ring.receive(socket, $0) } }])
        },
    ]
}
