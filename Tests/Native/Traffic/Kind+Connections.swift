// TCP connections that come and go, or that are not alone: their packets without data are the kernel's own.

import CNativeTraffic
import Glibc
import LinuxSystem
import Synchronization

extension Kind {
    static let connections: [Kind] = [
        Kind("tcp-short", "TCP: 30 connections, a request and an answer on each") { bench in
            try requests(bench, connections: 30, each: 1)
        },
        Kind("tcp-unix-noise", "TCP: 10 connections, while datagrams go through Unix sockets on both CPUs") { bench in
            let state = ExchangeState(expected: .max)
            let noises = try (0..<2).map { _ in try UnixPair(bench) }
            var threads = try noises.enumerated().map { cpu, noise in
                try ReaderThread {
                    nt_run_on(Int32(cpu))
                    while !state.isSent.load(ordering: .acquiring) {
                        noise.chat()
                        usleep(50)
                    }
                }
            }
            defer {
                state.isSent.store(true, ordering: .releasing)
                threads = []
            }
            try requests(bench, connections: 10, each: 10)
        },
        Kind("tcp-both-ways", "TCP: 500 kB each way at once") { bench in
            let (client, server) = try bench.connection()
            let ends = [(client, Way.ab), (server, Way.ba)].map { socket, way in
                (
                    socket: socket, sent: StreamEnd(bench, .send, way),
                    received: StreamEnd(bench, .read, way == .ab ? .ba : .ab)
                )
            }
            try bench.network.awaitStart()
            do {
                var threads: [ReaderThread] = []
                for end in ends {
                    threads.append(
                        try ReaderThread {
                            end.received.readAll(500_000) { recv(end.socket, $0.baseAddress, 1 << 16, 0) }
                        })
                    threads.append(
                        try ReaderThread {
                            try? end.sent.sendAll(500_000, most: 20_000) {
                                send(end.socket, $0.baseAddress, $0.count, 0)
                            }
                        })
                }
            }
            for end in ends { bench.note(end.sent.rows + end.received.rows) }
        },
    ]

    /// One connection after the other; each has so many requests of 200 bytes and answers of 300.
    private static func requests(_ bench: Bench, connections: Int, each: Int) throws {
        try bench.network.awaitStart()
        let (requests, answers) = (StreamEnd(bench, .send), StreamEnd(bench, .read, .ba))
        let (served, replies) = (StreamEnd(bench, .read), StreamEnd(bench, .send, .ba))
        for index in 0..<connections {
            let (client, server) = try bench.network.connection(port: bench.port + UInt16(index))
            defer { _ = (close(client), close(server)) }
            let thread = try ReaderThread {
                nt_run_on(0)
                for _ in 0..<each {
                    served.readAll(200) { recv(server, $0.baseAddress, 1 << 16, 0) }
                    try? replies.sendAll(300, most: 300) { send(server, $0.baseAddress, $0.count, 0) }
                }
            }
            nt_run_on(1)
            defer { nt_run_on(-1) }
            for _ in 0..<each {
                bench.sleep(300_000)
                try requests.sendAll(200, most: 200) { send(client, $0.baseAddress, $0.count, 0) }
                answers.readAll(300) { recv(client, $0.baseAddress, 1 << 16, 0) }
            }
            withExtendedLifetime(thread) {}
        }
        bench.note(requests.rows + answers.rows + served.rows + replies.rows)
    }
}

/// Two Unix sockets that talk.
private final class UnixPair: Sendable {
    private let ends: (Int32, Int32)

    init(_ bench: Bench) throws {
        var pair: [Int32] = [0, 0]
        try check(socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0, &pair), "socketpair")
        ends = (bench.keep(pair[0]), bench.keep(pair[1]))
    }

    func chat() {
        var bytes = [UInt8](repeating: 0, count: 256)
        _ = send(ends.0, &bytes, bytes.count, 0)
        _ = recv(ends.1, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    }
}
