// Sockets of one side, see socket(7), ip(7), udp(7) and tcp(7).

import CNativeTraffic
import Glibc
import LinuxSystem

/// An address and a port.
struct Endpoint: Sendable {
    private var storage = sockaddr_storage()
    private let bytes: socklen_t

    init(_ address: String, port: UInt16) {
        if address.contains(":") {
            var internet = sockaddr_in6()
            internet.sin6_family = sa_family_t(AF_INET6)
            internet.sin6_port = port.bigEndian
            precondition(inet_pton(AF_INET6, address, &internet.sin6_addr) == 1)
            bytes = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: internet, as: sockaddr_in6.self) }
        } else {
            var internet = sockaddr_in()
            internet.sin_family = sa_family_t(AF_INET)
            internet.sin_port = port.bigEndian
            precondition(inet_pton(AF_INET, address, &internet.sin_addr) == 1)
            bytes = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: internet, as: sockaddr_in.self) }
        }
    }

    func call<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, bytes) } }
    }
}

/// Options that Glibc's module does not know, include/uapi/linux/udp.h and asm-generic/socket.h.
enum SocketOption {
    static let udpCork: Int32 = 1
    static let udpSegment: Int32 = 103
    static let udpGRO: Int32 = 104
    static let zeroCopy: Int32 = 60
    static let busyPoll: Int32 = 46
    static let udp: Int32 = 17
}

extension Network {
    /// A new socket of one side. One that reads gives up after 200 ms, so that whoever reads looks whether it is
    /// over.
    func socket(_ side: Side, _ family: Int32, _ type: __socket_type, protocol number: Int32 = 0) throws -> Int32 {
        try inside(side) {
            let descriptor = Glibc.socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), number)
            try check(descriptor, "socket")
            try limit(descriptor)
            return descriptor
        }
    }

    func limit(_ descriptor: Int32) throws {
        try set(SO_RCVTIMEO, of: SOL_SOCKET, to: timeval(tv_sec: 0, tv_usec: 200_000), descriptor)
    }

    /// A UDP socket bound to the side's address.
    func bound(_ side: Side, _ carrier: Carrier, port: UInt16, shared: Bool = false) throws -> Int32 {
        let descriptor = try socket(side, carrier == .ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM)
        if shared { try set(SO_REUSEPORT, of: SOL_SOCKET, to: Int32(1), descriptor) }
        try check(Endpoint(carrier.address(side), port: port).call { bind(descriptor, $0, $1) }, "bind")
        return descriptor
    }

    func connect(_ descriptor: Int32, _ side: Side, _ carrier: Carrier, port: UInt16) throws {
        try check(Endpoint(carrier.address(side), port: port).call { Glibc.connect(descriptor, $0, $1) }, "connect")
    }

    /// A TCP connection: its client on side a, its server on side b; each message leaves at once (TCP_NODELAY).
    func connection(_ carrier: Carrier = .ipv4, port: UInt16, receiveBuffer: Int32? = nil) throws -> (
        client: Int32, server: Int32
    ) {
        let family = carrier == .ipv6 ? AF_INET6 : AF_INET
        let listener = try socket(.b, family, SOCK_STREAM)
        defer { close(listener) }
        if let receiveBuffer { try set(SO_RCVBUF, of: SOL_SOCKET, to: receiveBuffer, listener) }
        try check(Endpoint(carrier.address(.b), port: port).call { bind(listener, $0, $1) }, "bind")
        try check(listen(listener, 4), "listen")
        let client = try socket(.a, family, SOCK_STREAM)
        try connect(client, .b, carrier, port: port)
        let server = try check(accept(listener, nil, nil), "accept")
        try limit(server)
        for end in [client, server] { try set(TCP_NODELAY, of: Int32(IPPROTO_TCP), to: Int32(1), end) }
        return (client, server)
    }
}

func set<Value: BitwiseCopyable>(_ option: Int32, of level: Int32, to value: Value, _ descriptor: Int32) throws {
    var value = value
    try check(
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Value>.size)), "setsockopt \(option)")
}
