// IPv4 sockets, see socket(7), udp(7) and tcp(7).

import Glibc
import LinuxSystem

/// An IPv4 address and a port, as the calls want it.
struct Endpoint {
    var address: sockaddr
    static let bytes = socklen_t(MemoryLayout<sockaddr_in>.size)

    /// - Parameter text: dotted, see inet_pton(3); names are not looked up, because a static executable can't.
    init?(_ text: String, port: UInt16) {
        var internet = sockaddr_in()
        internet.sin_family = sa_family_t(AF_INET)
        internet.sin_port = port.bigEndian
        guard inet_pton(AF_INET, text, &internet.sin_addr) == 1 else { return nil }
        address = unsafeBitCast(internet, to: sockaddr.self)
    }
}

struct Socket: ~Copyable {
    let descriptor: Int32

    init(_ transport: Transport) throws(SystemError) {
        let type = transport == .udp ? SOCK_DGRAM : SOCK_STREAM
        descriptor = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError(call: "socket") }
    }

    private init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    func bind(to endpoint: Endpoint) throws(SystemError) {
        var address = endpoint.address
        guard Glibc.bind(descriptor, &address, Endpoint.bytes) == 0 else { throw SystemError(call: "bind") }
    }

    /// Listens on a port that an earlier process may have left connections of in TIME_WAIT.
    func listen(on endpoint: Endpoint) throws(SystemError) {
        try set(SO_REUSEADDR, of: SOL_SOCKET, to: Int32(1))
        try bind(to: endpoint)
        guard Glibc.listen(descriptor, 16) == 0 else { throw SystemError(call: "listen") }
    }

    /// The next connection; each message leaves at once (TCP_NODELAY).
    func accept() throws(SystemError) -> Socket {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted < 0, [EINTR, ECONNABORTED].contains(errno) { continue }
            guard accepted >= 0 else { throw SystemError(call: "accept") }
            let connection = Socket(adopting: accepted)
            try connection.set(TCP_NODELAY, of: Int32(IPPROTO_TCP), to: Int32(1))
            return connection
        }
    }

    func connect(to endpoint: Endpoint) throws(SystemError) {
        try set(TCP_NODELAY, of: Int32(IPPROTO_TCP), to: Int32(1))
        var address = endpoint.address
        guard Glibc.connect(descriptor, &address, Endpoint.bytes) == 0 else { throw SystemError(call: "connect") }
    }

    /// Lets calls that wait longer fail with EAGAIN, connect(2) with EINPROGRESS.
    func limit(_ direction: Int32, nanoseconds: Int64) throws(SystemError) {
        // A time of zero would be no limit at all.
        let microseconds = max(1, nanoseconds / 1000)
        try set(
            direction, of: SOL_SOCKET,
            to: timeval(tv_sec: Int(microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000)))
    }

    private func set<Value: BitwiseCopyable>(_ option: Int32, of level: Int32, to value: Value) throws(SystemError) {
        var value = value
        guard setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Value>.size)) == 0 else {
            throw SystemError(call: "setsockopt")
        }
    }

    /// Sends all bytes on a connection.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.send(
                descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            guard count >= 0 else { throw SystemError(call: "send") }
            rest = rest.dropFirst(count)
        }
    }
}
