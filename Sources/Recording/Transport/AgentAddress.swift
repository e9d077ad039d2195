// Where an agent is: a vsock context or a TCP host, as people write it.

/// "vsock:3", "vsock:3:7423", "tcp:10.0.0.3", "tcp:[fd00::3]:7423".
package enum AgentAddress: Equatable, Sendable, CustomStringConvertible {
    case vsock(cid: UInt32, port: UInt32)
    case tcp(host: String, port: Int)

    /// Taken by default, on either transport.
    package static let port = 7423

    package init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let rest = text[text.index(after: colon)...]
        switch text[..<colon] {
        case "vsock":
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            // 0 and 1 are no machine's, 2 is the host, 2^32 - 1 is "any"; see vsock(7).
            guard (1...2).contains(parts.count), let cid = UInt32(parts[0]), cid > 2, cid < .max else { return nil }
            guard parts.count == 1 || UInt32(parts[1]).map({ $0 > 0 && $0 < .max }) == true else { return nil }
            self = .vsock(cid: cid, port: parts.count == 2 ? UInt32(parts[1])! : UInt32(Self.port))
        case "tcp":
            guard let (host, port) = Self.hostAndPort(rest) else { return nil }
            self = .tcp(host: host, port: port)
        default: return nil
        }
    }

    /// "10.0.0.3", "10.0.0.3:7423", "[fd00::3]:7423", "guest.example".
    package static func hostAndPort(_ text: Substring) -> (host: String, port: Int)? {
        var host = text
        var port = Substring(String(Self.port))
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else if let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, let number = UInt16(port), number > 0 else { return nil }
        return (String(host), Int(number))
    }

    package var description: String {
        switch self {
        case .vsock(let cid, let port): "vsock:\(cid):\(port)"
        case .tcp(let host, let port): host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        }
    }
}

/// Where an agent listens.
package enum AgentListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// For any context id of this guest.
    case vsock(port: UInt32)
    case tcp(host: String, port: Int)

    package var port: Int {
        switch self {
        case .vsock(let port): Int(port)
        case .tcp(_, let port): port
        }
    }

    package var description: String {
        switch self {
        case .vsock(let port): "vsock port \(port)"
        case .tcp(let host, let port): AgentAddress.tcp(host: host, port: port).description
        }
    }
}
