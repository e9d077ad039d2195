// Datagrams that nobody reads: what the kernel does with them is known, and nothing else may be said of them.

import Glibc

extension Kind {
    static let losses: [Kind] = [
        Kind("overflow", "a socket's buffer is full: what does not fit is dropped") { bench in
            let (sender, socket) = try bench.pair()
            try set(SO_RCVBUF, of: SOL_SOCKET, to: Int32(4096), socket)
            try bench.exchange(
                Pattern(count: 120, burst: 20, pauseNS: 5_000_000), send: plain(sender),
                readers: [
                    { reader in
                        guard reader.poll([socket]) == [socket] else { return }
                        usleep(2_000)
                        while reader.call({ recv(socket, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }) > 0 {}
                    }
                ])
        },
        Kind("no-socket", "datagrams to a port that nobody has") { bench in
            let sender = bench.keep(try bench.network.bound(.a, .ipv4, port: bench.port))
            let peer = Endpoint(Carrier.ipv4.address(.b), port: bench.port)
            try bench.exchange(
                Pattern(count: 40),
                send: { _, bytes in
                    try check(peer.call { Glibc.sendto(sender, bytes.baseAddress, bytes.count, 0, $0, $1) }, "sendto")
                }, readers: [{ _ in usleep(50_000) }])
        },
        Kind("closed-unread", "a socket that is closed with datagrams on it") { bench in
            let sender = bench.keep(try bench.network.bound(.a, .ipv4, port: bench.port))
            let socket = try bench.network.bound(.b, .ipv4, port: bench.port)
            let peer = Endpoint(Carrier.ipv4.address(.b), port: bench.port)
            try bench.exchange(
                Pattern(count: 20, read: 1),
                send: { _, bytes in
                    try check(peer.call { Glibc.sendto(sender, bytes.baseAddress, bytes.count, 0, $0, $1) }, "sendto")
                },
                readers: [
                    { reader in
                        reader.call { recv(socket, $0.baseAddress, $0.count, 0) }
                        // All are there, or the rest finds no socket.
                        usleep(60_000)
                        close(socket)
                    }
                ])
        },
    ]
}
