// Packets that NAPI receives: with GRO on, a veth device has NAPI, and the kernel merges what belongs together.

import CNativeTraffic
import Glibc
import LinuxSystem

extension Kind {
    static let merging: [Kind] = [
        Kind("napi-recv", "NAPI, single datagrams") { bench in try merging(bench, Pattern()) },
        Kind("napi-burst", "NAPI, bursts of 8") { bench in try merging(bench, Pattern(burst: 8, pauseNS: 1_000_000)) },
        Kind("napi-spin", "NAPI, to a reader that spins") { bench in
            try merging(bench, Pattern(burst: 2, isAlone: true)) { socket in [{ reader in reader.spin(socket) }] }
        },
        Kind("napi-gso", "NAPI, 8 datagrams in one skb, to a plain reader") { bench in
            try merging(bench, Pattern(count: 160, perCall: 8, pauseNS: 1_000_000, frames: .shared), segment: 256)
        },
        Kind("napi-fragments", "NAPI, datagrams of 4000 bytes: three frames each") { bench in
            try merging(bench, Pattern(count: 40, size: 4000, pauseNS: 600_000, frames: .fragments(3)))
        },
        stream(
            "napi-tcp-paced", "NAPI, TCP: 512 bytes now and then", bytes: 51_200, calls: 100, pauseNS: 300_000,
            merging: true),
        stream(
            "napi-tcp-small", "NAPI, TCP: 300 messages of 128 bytes without a pause", bytes: 38_400, calls: 300,
            merging: true),
        stream("napi-tcp-bulk", "NAPI, TCP: 2 MB as fast as it goes", bytes: 2_000_000, calls: 20, merging: true),
    ]

    private static func merging(
        _ bench: Bench, _ pattern: Pattern, segment: Int32? = nil,
        readers: (Int32) -> [@Sendable (Reader) -> Void] = plainReader
    ) throws {
        let (sender, socket) = try bench.pair()
        if let segment { try set(SocketOption.udpSegment, of: SocketOption.udp, to: segment, sender) }
        try bench.merging { try bench.exchange(pattern, send: plain(sender), readers: readers(socket)) }
    }
}

extension Bench {
    /// Does something while the device of side b has GRO.
    func merging(_ body: () throws -> Void) throws {
        let device = network.device(.b)
        try network.inside(.b) { _ = try check(nt_set_merging(device, true), "ETHTOOL_SGRO") }
        defer { try? network.inside(.b) { _ = nt_set_merging(device, false) } }
        try body()
    }
}
