// Several sockets behind one wait, and several threads or processes behind one socket.

import CNativeTraffic
import Glibc
import LinuxSystem

extension Kind {
    static let manyReaders: [Kind] = [
        waiting("epoll-level", "epoll, level-triggered, one recv for each event", sockets: 2, burst: 4) {
            wait, reader in
            for socket in wait.ready() { reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }
        },
        waiting("epoll-edge", "epoll, edge-triggered, recv until there is nothing", sockets: 2, burst: 4, edge: true) {
            wait, reader in
            for socket in wait.ready() {
                while reader.call({ recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }) > 0 {}
            }
        },
        polling("poll-8-sockets", "poll over 8 sockets, one datagram each in turn", sockets: 8, burst: 1),
        polling("poll-burst-8", "bursts of 8 into two sockets behind one poll", sockets: 2, burst: 8),
        polling("poll-burst-16", "bursts of 16 into two sockets behind one poll", sockets: 2, burst: 16),
        polling("poll-64-sockets", "poll over 64 sockets, bursts of 4", sockets: 64, burst: 4),
        Kind("poll-drain", "bursts of 8 into two sockets behind one poll, each read until there is nothing") { bench in
            let (senders, sockets) = try bench.fan(2)
            try bench.exchange(
                Pattern(count: 160, burst: 8, pauseNS: 2_000_000), send: inTurn(senders),
                readers: [
                    { reader in
                        for socket in reader.poll(sockets) {
                            while reader.call({ recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }) > 0 {}
                        }
                    }
                ])
        },
        Kind("reuseport", "four sockets on one port (SO_REUSEPORT), a thread for each") { bench in
            let sockets = try (0..<4).map { _ in
                bench.keep(try bench.network.bound(.b, .ipv4, port: bench.port, shared: true))
            }
            // The port that a datagram comes from chooses the socket.
            let senders = try (0..<16).map { try bench.sender(from: bench.port + UInt16($0)) }
            try bench.exchange(
                Pattern(count: 160, burst: 4), send: inTurn(senders),
                readers: sockets.map { socket in
                    { reader in reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }
                })
        },
        sendingTwice("two-senders", "two threads that send to one socket, each on a CPU of its own", sameLength: true),
        sendingTwice("two-lengths", "the same, datagrams of two lengths", sameLength: false),
        Kind("two-threads", "two threads in recv on one socket") { bench in
            let (sender, socket) = try bench.pair()
            let read: @Sendable (Reader) -> Void = { reader in reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
            }
            try bench.exchange(Pattern(burst: 4), send: plain(sender), readers: [read, read])
        },
        Kind("two-processes", "two processes in recv on one socket") { bench in
            let (sender, socket) = try bench.pair()
            let other = try OtherProcess(bench.kind, socket: socket)
            try bench.exchange(
                Pattern(burst: 4), send: plain(sender),
                readers: [{ reader in reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }])
            bench.note(try other.rows())
        },
    ]

    /// A datagram may be put on the socket by the CPU that received the other sender's (udp_prod_queue,
    /// net/ipv4/udp.c).
    private static func sendingTwice(_ name: String, _ summary: String, sameLength: Bool) -> Kind {
        Kind(name, summary, ordered: false) { bench in
            let (sender, socket) = try bench.pair()
            let second = try bench.sender(from: bench.port + 1)
            let pattern = Pattern(count: 200, burst: 10, pauseNS: 500_000, read: 400, readerCPU: -1)
            var other = pattern
            other.senderCPU = 0
            if !sameLength { other.size = 300 }
            let sent = Collected()
            let sendOther: @Sendable (Reader) -> Void = { [other] reader in
                guard reader.state.hasBegun, sent.rows.isEmpty else {
                    usleep(100)
                    return
                }
                nt_run_on(other.senderCPU)
                sent.rows = (try? bench.sendAll(other, from: pattern.count, plain(second))) ?? []
            }
            try bench.exchange(pattern, send: plain(sender), readers: plainReader(socket) + [sendOther])
            bench.note(sent.rows)
        }
    }

    /// Rows of a thread that is joined before they are looked at.
    private final class Collected: @unchecked Sendable { var rows: [CallRow] = [] }

    /// One datagram for each socket that poll has named.
    private static func polling(_ name: String, _ summary: String, sockets count: Int, burst: Int) -> Kind {
        Kind(name, summary) { bench in
            let (senders, sockets) = try bench.fan(count)
            try bench.exchange(
                Pattern(count: 160, burst: burst, pauseNS: burst > 1 ? 1_500_000 : 300_000), send: inTurn(senders),
                readers: [
                    { reader in
                        for socket in reader.poll(sockets) { reader.call { recv(socket, $0.baseAddress, $0.count, 0) } }
                    }
                ])
        }
    }

    private static func waiting(
        _ name: String, _ summary: String, sockets count: Int, burst: Int, edge: Bool = false,
        _ read: @escaping @Sendable (EventPoll, Reader) -> Void
    ) -> Kind {
        Kind(name, summary) { bench in
            let (senders, sockets) = try bench.fan(count)
            let wait = try EventPoll(sockets, edge: edge)
            try bench.exchange(
                Pattern(count: 120, burst: burst, pauseNS: 1_000_000), send: inTurn(senders),
                readers: [{ read(wait, $0) }])
        }
    }
}

/// Sends each datagram on the next one of these sockets.
func inTurn(_ sockets: [Int32]) -> (Int, UnsafeMutableRawBufferPointer) throws -> Void {
    { call, bytes in try check(send(sockets[call % sockets.count], bytes.baseAddress, bytes.count, 0), "send") }
}

extension Bench {
    /// Sockets of side b on ports of their own, and as many that are connected to them.
    func fan(_ count: Int) throws -> (senders: [Int32], readers: [Int32]) {
        let readers = try (0..<count).map { keep(try network.bound(.b, .ipv4, port: port + UInt16($0))) }
        return (try (0..<count).map { try sender(port: port + UInt16($0)) }, readers)
    }

    /// A socket that sends to the bench's port from another one.
    func sender(from source: UInt16) throws -> Int32 {
        let sender = keep(try network.bound(.a, .ipv4, port: source))
        try network.connect(sender, .b, .ipv4, port: port)
        return sender
    }
}

/// epoll(7) over some sockets.
final class EventPoll: Sendable {
    private let descriptor: Int32

    init(_ sockets: [Int32], edge: Bool) throws {
        descriptor = try check(nt_epoll(sockets, UInt32(sockets.count), edge), "epoll_ctl")
    }

    deinit { close(descriptor) }

    func ready() -> [Int32] {
        var sockets = [Int32](repeating: -1, count: 16)
        let count = nt_epoll_wait(descriptor, &sockets)
        return Array(sockets.prefix(Int(max(0, count))))
    }
}

/// native-traffic itself once more, reading from a socket that it inherits until nothing has come for a while.
struct OtherProcess {
    private let child: Child
    private let output: Int32

    init(_ kind: String, socket: Int32) throws {
        let (from, to) = try Network.pipe()
        defer { close(to) }
        child = try Child(["/proc/self/exe", "read-inherited", "--kind", kind], descriptors: [(1, to), (3, socket)])
        output = from
        // It says that it is there.
        var byte: UInt8 = 0
        guard read(output, &byte, 1) == 1 else { throw Failure("the other process does not start") }
    }

    func rows() throws -> [CallRow] {
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(output, &piece, piece.count)
            guard count > 0 else { break }
            text += piece.prefix(count)
        }
        close(output)
        guard child.wait() == 0 else { throw Failure("the other process fails") }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap(CallRow.init)
    }
}
