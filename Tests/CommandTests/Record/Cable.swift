// A network of the tests' own.

import Foundation
import Testing

/// Two network namespaces with a cable between them; both are gone with `remove`.
struct Cable {
    let ends: [String]
    static let addresses = ["10.213.97.1", "10.213.97.2"]

    init() async throws {
        let name = "vl\(getpid() % 100_000)"
        ends = [name + "a", name + "b"]
        for end in ends {
            try await ip("netns", "add", end)
            // What the kernel has to tell itself of a host that is not there goes this way.
            try await ip("-n", end, "link", "set", "lo", "up")
        }
        try await ip("link", "add", "eth0", "netns", ends[0], "type", "veth", "peer", "name", "eth0", "netns", ends[1])
        for (end, address) in zip(ends, Self.addresses) {
            try await ip("-n", end, "address", "add", address + "/24", "dev", "eth0")
            try await ip("-n", end, "link", "set", "eth0", "up")
        }
    }

    /// Nobody asks for an address, or for anything by IPv6: no packets but the test's.
    func quieten() async throws {
        for (end, other) in [(0, 1), (1, 0)] {
            let off = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; cat /sys/class/net/eth0/address"
            let words = [
                try Command.path(of: "ip", package: "iproute2"), "netns", "exec", ends[other], "/bin/sh", "-c", off,
            ]
            let address = try await Command.run(words).output.trimmingCharacters(in: .whitespacesAndNewlines)
            try await ip(
                "-n", ends[end], "neigh", "replace", Self.addresses[other], "lladdr", address, "dev", "eth0", "nud",
                "permanent")
        }
    }

    func cut() async throws { try await ip("-n", ends[0], "link", "set", "eth0", "down") }

    func remove() async { for end in ends { _ = try? await ip("netns", "del", end) } }

    /// ip netns exec would hide tracefs behind a new /sys.
    func inside(_ end: Int) throws -> [String] {
        [try Command.path(of: "nsenter", package: "util-linux"), "--net=/run/netns/\(ends[end])"]
    }

    private func ip(_ words: String...) async throws {
        let run = try await Command.run([try Command.path(of: "ip", package: "iproute2")] + words)
        try #require(run.status == 0, "ip \(words): \(run.errors)")
    }
}
