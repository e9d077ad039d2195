// Senders of UDP: one socket and the call that differs; what they send is read by recv.

import CNativeTraffic
import Glibc
import LinuxSystem

/// Reads by recv.
func plainReader(_ socket: Int32) -> [@Sendable (Reader) -> Void] {
    [{ reader in reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }]
}

extension Kind {
    private typealias Bytes = UnsafeMutableRawBufferPointer

    /// A kind with one sender, and the plainest reader.
    private static func sending(
        _ name: String, _ summary: String, _ pattern: Pattern = Pattern(),
        open: (@Sendable (Int32) throws -> Void)? = nil, _ send: @escaping @Sendable (Int32, Bytes) throws -> Void
    ) -> Kind {
        Kind(name, summary) { bench in
            let (sender, socket) = try bench.pair(pattern.carrier)
            try open?(sender)
            try bench.exchange(pattern, send: { try send(sender, $1) }, readers: plainReader(socket))
        }
    }

    /// What it sends goes through a file or a pipe first.
    private static func carrying(
        _ name: String, _ summary: String, file: Bool, _ send: @escaping @Sendable (Int32, Int32, Int) -> Int
    ) -> Kind {
        Kind(name, summary) { bench in
            let (sender, socket) = try bench.pair()
            let (from, to): (Int32, Int32)
            if file {
                from = bench.keep(try check(nt_memory_file("native-traffic"), "memfd_create"))
                to = from
            } else {
                (from, to) = try Network.pipe()
                _ = (bench.keep(from), bench.keep(to))
            }
            try bench.exchange(
                send: { call, bytes in
                    // A page of its own: the packet refers to it, and is read later.
                    if file { try check(lseek(from, call * 4096, SEEK_SET), "lseek") }
                    try check(write(to, bytes.baseAddress, bytes.count), "write")
                    if file { try check(lseek(from, call * 4096, SEEK_SET), "lseek") }
                    try check(send(from, sender, bytes.count), name)
                }, readers: plainReader(socket))
        }
    }

    static let senders: [Kind] = [
        Kind("sendto", "sendto on a socket that is not connected") { bench in
            let socket = bench.keep(try bench.network.bound(.b, .ipv4, port: bench.port))
            let sender = bench.keep(try bench.network.bound(.a, .ipv4, port: bench.port))
            let peer = Endpoint(Carrier.ipv4.address(.b), port: bench.port)
            try bench.exchange(
                send: { _, bytes in
                    try check(peer.call { Glibc.sendto(sender, bytes.baseAddress, bytes.count, 0, $0, $1) }, "sendto")
                }, readers: plainReader(socket))
        },
        sending("sendmsg", "sendmsg") { try check(nt_sendmsg($0, $1.baseAddress!, $1.count, 0), "sendmsg") },
        sending("sendmmsg", "sendmmsg of 8", Pattern(count: 160, perCall: 8, pauseNS: 1_000_000)) {
            try check(nt_sendmmsg($0, $1.baseAddress!, $1.count / 8, 8), "sendmmsg")
        },
        sending("write", "write") { try check(write($0, $1.baseAddress, $1.count), "write") },
        sending("writev", "writev") { socket, bytes in
            var parts = [
                iovec(iov_base: bytes.baseAddress, iov_len: 16),
                iovec(iov_base: bytes.baseAddress! + 16, iov_len: bytes.count - 16),
            ]
            try check(writev(socket, &parts, 2), "writev")
        },
        sending("pwritev2", "pwritev2 at the current position") {
            try check(nt_pwritev2($0, $1.baseAddress!, $1.count), "pwritev2")
        },
        sending(
            "zerocopy", "send with MSG_ZEROCOPY",
            open: { try set(SocketOption.zeroCopy, of: SOL_SOCKET, to: Int32(1), $0) }
        ) {
            // MSG_ZEROCOPY, include/linux/socket.h
            try check(send($0, $1.baseAddress, $1.count, 0x400_0000), "send")
            nt_drain_errors($0)
        },
        sending("more", "three parts of one datagram with MSG_MORE") { socket, bytes in
            let more = Int32(MSG_MORE)
            try check(send(socket, bytes.baseAddress, 100, more), "send")
            try check(send(socket, bytes.baseAddress! + 100, 100, more), "send")
            try check(send(socket, bytes.baseAddress! + 200, bytes.count - 200, 0), "send")
        },
        sending("cork", "two parts of one datagram under UDP_CORK, which setsockopt lets go") { socket, bytes in
            try set(SocketOption.udpCork, of: SocketOption.udp, to: Int32(1), socket)
            try check(send(socket, bytes.baseAddress, 100, 0), "send")
            try check(send(socket, bytes.baseAddress! + 100, bytes.count - 100, 0), "send")
            try set(SocketOption.udpCork, of: SocketOption.udp, to: Int32(0), socket)
        },
        carrying("sendfile", "sendfile into the socket", file: true) { sendfile($1, $0, nil, $2) },
        carrying("splice-sender", "splice from a pipe into the socket", file: false) { nt_splice($0, $1, $2, 0) },
        Kind("uring-send", "io_uring: send") { bench in
            let (sender, socket) = try bench.pair()
            let ring = try Ring(polled: false)
            try bench.exchange(send: { try ring.send(NT_SEND, sender, $1) }, readers: plainReader(socket))
        },
        Kind("uring-send-zc", "io_uring: zero-copy send") { bench in
            let (sender, socket) = try bench.pair()
            let ring = try Ring(polled: false)
            try bench.exchange(send: { try ring.send(NT_SEND_ZEROCOPY, sender, $1) }, readers: plainReader(socket))
        },
        Kind("uring-sqpoll-send", "io_uring with SQPOLL: a thread of the kernel sends", tracedSend: false) { bench in
            let (sender, socket) = try bench.pair()
            let ring = try Ring(polled: true)
            try bench.exchange(send: { try ring.send(NT_SEND, sender, $1) }, readers: plainReader(socket))
        },
        Kind("queued", "sendto through a queue that lets packets wait (tbf)") { bench in
            let (sender, socket) = try bench.pair()
            let device = bench.network.device(.a)
            try refusing {
                try bench.network.tc(.a, "qdisc replace dev \(device) root tbf rate 20mbit burst 2000 latency 100ms")
            }
            defer { try? bench.network.tc(.a, "qdisc del dev \(device) root") }
            try bench.exchange(
                Pattern(burst: 10, pauseNS: 4_000_000), send: plain(sender), readers: plainReader(socket))
        },
        Kind("unix-noise", "sendto, while datagrams go through Unix sockets all the time") { bench in
            let (sender, socket) = try bench.pair()
            var ends: [Int32] = [0, 0]
            try check(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &ends), "socketpair")
            let noise = (bench.keep(ends[0]), bench.keep(ends[1]))
            try bench.network.limit(noise.1)
            let chatter: @Sendable (Reader) -> Void = { reader in
                _ = send(noise.0, reader.buffer.baseAddress, 256, 0)
                _ = recv(noise.1, reader.buffer.baseAddress, 256, 0)
            }
            try bench.exchange(send: plain(sender), readers: plainReader(socket) + [chatter])
        },
        Kind("lo-noise", "sendto, while the reader gets datagrams of its own side over lo on the same socket") {
            bench in
            let (sender, socket) = try bench.pair()
            let local = bench.keep(try bench.network.socket(.b, AF_INET, SOCK_DGRAM))
            try bench.network.connect(local, .b, .ipv4, port: bench.port)
            try bench.exchange(
                send: { _, bytes in
                    try check(send(sender, bytes.baseAddress, bytes.count, 0), "send")
                    // Not logged: its number is nobody's, and no device but lo sees it.
                    var noise = [UInt8](repeating: 0xff, count: bytes.count)
                    try check(send(local, &noise, noise.count, 0), "send")
                },
                readers: [
                    { reader in
                        let begin = monotonicNanoseconds()
                        let count = recv(socket, reader.buffer.baseAddress, reader.buffer.count, 0)
                        let end = monotonicNanoseconds()
                        if count > 0, reader.buffer.load(as: UInt64.self) != .max {
                            reader.note([(0, count)], begin, end)
                        }
                    }
                ])
        },
    ]
}

/// What the kernel does not know is no fault of ours.
func refusing<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let failure as Failure { throw Refusal(failure.description) }
}
