// One skb for several datagrams, and several frames for one datagram.

import CNativeTraffic
import Glibc
import LinuxSystem

extension Kind {
    private static let eight = Pattern(count: 160, perCall: 8, pauseNS: 1_000_000, frames: .shared)

    private static func segmenting(_ socket: Int32, _ size: Int32) throws {
        try set(SocketOption.udpSegment, of: SocketOption.udp, to: size, socket)
    }

    /// Returns several datagrams at once, each as long as the first.
    private static func merging(_ socket: Int32, each: Int) -> [@Sendable (Reader) -> Void] {
        [
            { reader in
                let begin = monotonicNanoseconds()
                let count = nt_recvmsg(socket, reader.buffer.baseAddress!, reader.buffer.count, 0)
                let end = monotonicNanoseconds()
                guard count > 0 else { return }
                reader.note(stride(from: 0, to: count, by: each).map { ($0, min(each, count - $0)) }, begin, end)
            }
        ]
    }

    static let segments: [Kind] = [
        Kind("gso", "UDP_SEGMENT: 8 datagrams in one skb, to a plain reader") { bench in
            let (sender, socket) = try bench.pair()
            try segmenting(sender, 256)
            try bench.exchange(eight, send: plain(sender), readers: plainReader(socket))
        },
        Kind("gso-gro", "UDP_SEGMENT: 8 datagrams in one skb, to a reader with UDP_GRO") { bench in
            let (sender, socket) = try bench.pair()
            try segmenting(sender, 256)
            try set(SocketOption.udpGRO, of: SocketOption.udp, to: Int32(1), socket)
            try bench.exchange(eight, send: plain(sender), readers: merging(socket, each: 256))
        },
        Kind("gro", "single datagrams to a reader with UDP_GRO") { bench in
            let (sender, socket) = try bench.pair()
            try set(SocketOption.udpGRO, of: SocketOption.udp, to: Int32(1), socket)
            try bench.exchange(
                Pattern(burst: 8, pauseNS: 1_000_000), send: plain(sender), readers: merging(socket, each: 256))
        },
        Kind("gso-spin", "UDP_SEGMENT: 8 datagrams in one skb, to a reader that spins") { bench in
            let (sender, socket) = try bench.pair()
            try segmenting(sender, 256)
            var alone = eight
            alone.isAlone = true
            try bench.exchange(
                alone, send: plain(sender),
                readers: [{ reader in reader.spin(socket) }])
        },
        fragmenting("fragments", "datagrams of 4000 bytes: three frames each", size: 4000, frames: 3, .ipv4),
        fragmenting("fragments-23", "datagrams of 33 000 bytes: 23 frames each", size: 33_000, frames: 23, .ipv4),
        fragmenting(
            "fragments-ipv6", "datagrams of 4000 bytes over IPv6: three frames each", size: 4000, frames: 3, .ipv6),
    ]

    private static func fragmenting(_ name: String, _ summary: String, size: Int, frames: Int, _ carrier: Carrier)
        -> Kind
    {
        Kind(name, summary) { bench in
            let (sender, socket) = try bench.pair(carrier)
            try bench.exchange(
                Pattern(count: 40, size: size, pauseNS: 600_000, frames: .fragments(frames), carrier: carrier),
                send: plain(sender),
                readers: plainReader(socket))
        }
    }
}
