// Readers and senders that are no UDP sockets: raw sockets, packet sockets; and one datagram for several readers.

import CNativeTraffic
import Glibc
import LinuxSystem

extension Kind {
    /// For local use, IEEE 802 (ETH_P_802_EX1): nobody but our packet sockets wants it.
    private static let ownProtocol: UInt16 = 0x88b5
    /// For experiments, RFC 3692.
    private static let ownIPProtocol: Int32 = 253
    private static let everything: UInt16 = 3

    private static func index(_ bench: Bench, _ side: Side) throws -> Int32 {
        try bench.network.inside(side) { Int32(if_nametoindex(bench.network.device(side))) }
    }

    private static func packetSocket(_ bench: Bench, _ side: Side, _ number: UInt16) throws -> Int32 {
        let device = try index(bench, side)
        let socket = bench.keep(
            try check(try bench.network.inside(side) { nt_packet_socket(device, number) }, "packet socket"))
        try bench.network.limit(socket)
        return socket
    }

    private static func rawPair(_ bench: Bench) throws -> (sender: Int32, reader: Int32) {
        let reader = bench.keep(try bench.network.socket(.b, AF_INET, SOCK_RAW, protocol: ownIPProtocol))
        let sender = bench.keep(try bench.network.socket(.a, AF_INET, SOCK_RAW, protocol: ownIPProtocol))
        try bench.network.connect(sender, .b, .ipv4, port: 0)
        return (sender, reader)
    }

    static let frames: [Kind] = [
        Kind("raw", "raw sockets of an IP protocol of their own") { bench in
            let (sender, socket) = try rawPair(bench)
            try bench.exchange(Pattern(headers: 34, offset: 20), send: plain(sender), readers: plainReader(socket))
        },
        Kind("ping", "echo requests of a raw socket, which the other kernel answers") { bench in try ping(bench) },
        Kind("packet-reader", "a packet socket that reads UDP datagrams beside their socket") { bench in
            let (sender, socket) = try bench.pair()
            let sniffer = try packetSocket(bench, .b, everything)
            let sniff: @Sendable (Reader) -> Void = { reader in
                let begin = monotonicNanoseconds()
                let count = recv(sniffer, reader.buffer.baseAddress, reader.buffer.count, 0)
                let end = monotonicNanoseconds()
                // The headers are in front of the number here, and nowhere else.
                guard count > 50 else { return }
                reader.note([(42, count)], begin, end)
            }
            try bench.exchange(Pattern(read: 200), send: plain(sender), readers: plainReader(socket) + [sniff])
        },
        Kind("packet-only", "packet sockets at both ends, an Ethernet protocol of their own") { bench in
            let sender = try packetSocket(bench, .a, ownProtocol)
            let socket = try packetSocket(bench, .b, ownProtocol)
            try bench.exchange(
                Pattern(headers: 14, offset: 14),
                send: { _, bytes in
                    let frame = ethernet(to: 2, from: 1, ownProtocol) + Array(bytes)
                    try check(send(sender, frame, frame.count, 0), "send")
                }, readers: plainReader(socket))
        },
        Kind("multicast", "one datagram to three sockets of a multicast group") { bench in
            let group = "239.77.1.1"
            let sockets = try (0..<3).map { _ in
                let socket = bench.keep(try bench.network.socket(.b, AF_INET, SOCK_DGRAM))
                try set(SO_REUSEADDR, of: SOL_SOCKET, to: Int32(1), socket)
                try check(Endpoint(group, port: bench.port).call { bind(socket, $0, $1) }, "bind")
                var request = ip_mreq()
                inet_pton(AF_INET, group, &request.imr_multiaddr)
                inet_pton(AF_INET, Carrier.ipv4.address(.b), &request.imr_interface)
                try set(IP_ADD_MEMBERSHIP, of: Int32(IPPROTO_IP), to: request, socket)
                return socket
            }
            let sender = bench.keep(try bench.network.bound(.a, .ipv4, port: bench.port))
            var from = in_addr()
            inet_pton(AF_INET, Carrier.ipv4.address(.a), &from)
            try set(IP_MULTICAST_IF, of: Int32(IPPROTO_IP), to: from, sender)
            let peer = Endpoint(group, port: bench.port)
            try bench.exchange(
                Pattern(count: 60, pauseNS: 500_000, read: 180),
                send: { _, bytes in
                    try check(peer.call { Glibc.sendto(sender, bytes.baseAddress, bytes.count, 0, $0, $1) }, "sendto")
                },
                readers: sockets.map { socket in
                    { reader in reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }
                })
        },
    ]

    private static func ethernet(to: UInt8, from: UInt8, _ type: UInt16) -> [UInt8] {
        [2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, UInt8(type >> 8), UInt8(type & 0xff)]
    }

    /// Nobody reads the requests; the kernel sends the answers, which the raw socket reads.
    private static func ping(_ bench: Bench) throws {
        let socket = bench.keep(try bench.network.socket(.a, AF_INET, SOCK_RAW, protocol: Int32(IPPROTO_ICMP)))
        try bench.network.connect(socket, .b, .ipv4, port: 0)
        var rows: [CallRow] = []
        try bench.network.awaitStart()
        let wire = 34 + 264
        for sequence in 0..<80 {
            bench.sleep(300_000)
            var request = [UInt8](repeating: 0, count: 264)
            request[0] = 8
            request[7] = UInt8(sequence)
            // The checksum is the complement of the sum of all other words.
            let sum = UInt32(0x0800) + UInt32(sequence)
            let checksum = ~UInt16(truncatingIfNeeded: sum)
            (request[2], request[3]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
            let begin = monotonicNanoseconds()
            try check(send(socket, &request, request.count, 0), "send")
            let sent = monotonicNanoseconds()
            var answer = [UInt8](repeating: 0, count: 2048)
            let awaited = monotonicNanoseconds()
            let count = recv(socket, &answer, answer.count, 0)
            let end = monotonicNanoseconds()
            rows.append(
                CallRow(
                    kind: bench.kind, .send, .ab, sequence: sequence, bytes: 264, frame: sequence, frames: 1,
                    wire: wire, begin: begin,
                    end: sent))
            rows.append(
                CallRow(
                    kind: bench.kind, .kernelSend, .ba, sequence: sequence, bytes: 264, frame: sequence, frames: 1,
                    wire: wire,
                    begin: begin, end: end))
            guard count == 284 else { throw Failure("no answer to a ping") }
            rows.append(
                CallRow(kind: bench.kind, .read, .ba, sequence: Int(answer[27]), bytes: count, begin: awaited, end: end)
            )
        }
        bench.note(rows)
    }
}
