// Two network namespaces with a veth pair between them, which are there for one run.

import CNativeTraffic
import Glibc
import LinuxSystem

/// Which end of the pair.
enum Side: String, Sendable, CaseIterable {
    case a, b

    var other: Side { self == .a ? .b : .a }
}

/// What datagrams are carried in.
enum Carrier: String, Sendable, CaseIterable {
    case ipv4, ipv6, vlan, vxlan, gre, macvlan

    /// Bytes before a UDP payload, as the veth device has them.
    var headers: Int {
        switch self {
        case .ipv4, .macvlan: 14 + 20 + 8
        case .ipv6: 14 + 40 + 8
        // veth is given the tag beside the frame, not in it.
        case .vlan: 14 + 20 + 8
        case .vxlan: 14 + 20 + 8 + 8 + 14 + 20 + 8
        case .gre: 14 + 20 + 4 + 20 + 8
        }
    }

    /// An address of one side in a net of the carrier's own.
    func address(_ side: Side) -> String {
        let last = side == .a ? 1 : 2
        switch self {
        case .ipv4: return "10.77.1.\(last)"
        case .ipv6: return "fd77::\(last)"
        case .vlan: return "10.77.2.\(last)"
        case .vxlan: return "10.77.3.\(last)"
        case .gre: return "10.77.4.\(last)"
        case .macvlan: return "10.77.5.\(last)"
        }
    }
}

/// The namespaces are named after this process, and removed with the last reference.
final class Network: @unchecked Sendable {
    private let id = String(getpid())
    /// Sending begins when this file is there; everything else is made before.
    private let start: String?
    /// Carriers that this kernel has no devices for, and what it said.
    private(set) var refused: [Carrier: String] = [:]
    /// A device on which the kernel asks for nothing and reports nothing: without IFF_NOARP it would join IPv6's
    /// solicited-node groups, and say so now and then (addrconf_join_solict, net/ipv6/addrconf.c).
    private static let silent = "addrgenmode none multicast off arp off"
    private static let home = "/proc/self/ns/net"
    private let origin: Int32

    func device(_ side: Side) -> String { "vl\(side.rawValue)\(id)" }

    private func namespace(_ side: Side) -> String { "virtlat-\(side.rawValue)\(id)" }

    init(start: String?) throws {
        self.start = start
        origin = open(Self.home, O_RDONLY | O_CLOEXEC)
        try check(origin, "open \(Self.home)")
        for side in Side.allCases {
            try Self.ip("netns add \(namespace(side))")
            try configure(side, "default/router_solicitations", "0")
            try configure(side, "default/disable_ipv6", "1")
        }
        try Self.ip(
            "link add \(device(.a)) netns \(namespace(.a)) address \(mac(.a)) type veth"
                + " peer name \(device(.b)) netns \(namespace(.b)) address \(mac(.b))")
        for side in Side.allCases {
            try Self.ip("-n \(namespace(side)) link set lo up")
            try configure(side, "\(device(side))/disable_ipv6", "0")
            try Self.ip("-n \(namespace(side)) link set \(device(side)) \(Self.silent) up")
        }
        for carrier in Carrier.allCases {
            do {
                for side in Side.allCases { try setUp(carrier, side) }
            } catch let failure as Failure {
                refused[carrier] = failure.description
            }
        }
    }

    deinit {
        for side in Side.allCases { try? Self.ip("netns del \(namespace(side))") }
        close(origin)
    }

    /// A file of /proc/sys/net/ipv6/conf, which is that of the thread's namespace. Without IPv6 there is none.
    private func configure(_ side: Side, _ name: String, _ value: String) throws {
        try inside(side) {
            let descriptor = open("/proc/sys/net/ipv6/conf/\(name)", O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            _ = write(descriptor, value, value.utf8.count)
            close(descriptor)
        }
    }

    private func mac(_ side: Side, _ kind: Int = 0) -> String { "02:00:00:00:0\(kind):0\(side == .a ? 1 : 2)" }

    /// A device, an address, and a neighbour that is known without asking: no packets but the application's.
    private func setUp(_ carrier: Carrier, _ side: Side) throws {
        let ends = "local \(Carrier.ipv4.address(side)) remote \(Carrier.ipv4.address(side.other))"
        var device = self.device(side)
        var kind = 0
        func add(_ name: String, _ type: String, address: Bool = true) throws {
            device = "\(name)\(side.rawValue)\(id)"
            kind = carrier.headers % 9 + 1
            try Self.ip("-n \(namespace(side)) link add name \(device) \(type)")
            if address { try Self.ip("-n \(namespace(side)) link set \(device) address \(mac(side, kind))") }
            try Self.ip("-n \(namespace(side)) link set \(device) \(Self.silent) up")
        }
        switch carrier {
        case .ipv4, .ipv6: break
        case .vlan: try add("vn", "link \(device) type vlan id 5", address: false)
        case .vxlan: try add("vx", "type vxlan id 7 \(ends) dstport 4789 noudpcsum")
        case .gre: try add("gr", "type gre \(ends)", address: false)
        case .macvlan: try add("mv", "link \(device) type macvlan mode bridge")
        }
        let width = carrier == .ipv6 ? "64 nodad" : "24"
        try Self.ip("-n \(namespace(side)) address add \(carrier.address(side))/\(width) dev \(device)")
        if carrier == .gre { return }
        let neighbour = carrier == .vlan ? mac(side.other) : mac(side.other, kind)
        try Self.ip(
            "-n \(namespace(side)) neigh replace \(carrier.address(side.other)) lladdr \(neighbour) dev \(device)"
                + " nud permanent"
        )
    }

    /// Waits until packets may be sent, for a minute at the most.
    func awaitStart() throws {
        guard let start else { return }
        var errors = OutputStream(descriptor: STDERR_FILENO)
        try errors.write("native-traffic: waiting for \(start)\n")
        try errors.flush()
        let end = monotonicNanoseconds() + 60_000_000_000
        while access(start, F_OK) != 0 {
            if monotonicNanoseconds() > end { throw Failure("\(start) does not appear") }
            usleep(10_000)
        }
        // The recording has begun before, and not just now.
        usleep(100_000)
    }

    /// Runs ip(8), or tc(8) in a side's namespace.
    private static func ip(_ words: String) throws { try run(["ip"] + words.split(separator: " ").map(String.init)) }

    func tc(_ side: Side, _ words: String) throws {
        try Self.run(["tc", "-n", namespace(side)] + words.split(separator: " ").map(String.init))
    }

    private static func run(_ words: [String]) throws {
        let ends = try pipe()
        defer { close(ends.0) }
        let child = try Child(words, descriptors: [(1, ends.1), (2, ends.1)])
        close(ends.1)
        var said = [UInt8](repeating: 0, count: 1024)
        let count = read(ends.0, &said, said.count)
        guard child.wait() == 0 else {
            let text = String(decoding: said.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").first ?? ""
            throw Failure("\(words.joined(separator: " ")): \(text)")
        }
    }

    /// A pipe's end to read from and its end to write to.
    static func pipe() throws -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        try check(Glibc.pipe(&ends), "pipe")
        return (ends[0], ends[1])
    }

    /// Does something as a thread of one side; sockets that it makes stay there.
    func inside<Result>(_ side: Side, _ body: () throws -> Result) throws -> Result {
        try check(nt_enter_namespace("/run/netns/\(namespace(side))"), "setns")
        defer {
            if nt_enter_namespace("/proc/self/fd/\(origin)") != 0 { fatalError("setns: no way back") }
        }
        return try body()
    }
}
