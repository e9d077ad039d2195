// Packets that a filter drops in a recorded namespace: they are dropped, for the reason that the kernel gives, and
// nothing else is.

import Foundation
import Testing

extension RecordTests {
    @Suite struct PacketFilterTests {
        private static let packets = 40
        /// Ports of the receiving side: read, dropped before the socket, dropped on arrival, and nobody's.
        private enum Port: Int, CaseIterable {
            case read = 7001
            case input, arrival, nobody
        }

        private static let nft = try? Command.path(of: "nft", package: "nftables")

        @Test(
            .enabled(
                if: nft != nil,
                "PACKETS THAT A FILTER DROPS ARE NOT TESTED: nft is needed (nftables; make test installs it)"))
        func `what a filter drops, before a socket or on arrival, is dropped for its reason, and nothing else is`()
            async throws
        {
            let cable = try await Cable()
            do {
                try await record(cable)
                await cable.remove()
            } catch {
                await cable.remove()
                throw error
            }
        }

        private func record(_ cable: Cable) async throws {
            try await cable.quieten()
            let filter = """
                set -e
                nft add table ip filter
                nft 'add chain ip filter input { type filter hook input priority 0; }'
                nft add rule ip filter input udp dport \(Port.input.rawValue) drop
                nft add table netdev filter
                nft 'add chain netdev filter arrival { type filter hook ingress device eth0 priority 0; }'
                nft add rule netdev filter arrival udp dport \(Port.arrival.rawValue) drop
                """
            let set = try await Command.run(cable.inside(1) + ["/bin/sh", "-c", filter])
            try #require(set.status == 0, "\(set)")
            let session = try RecordedSession()
            defer { session.remove() }
            let recorder = try session.start([])
            try await recorder.wait(for: "virtlat: recording")
            let reader = try RunningCommand(
                cable.inside(1) + [
                    try Command.path(of: "python3", package: "python3"), "-c",
                    """
                    from socket import *; from sys import stderr
                    s = socket(AF_INET, SOCK_DGRAM); s.bind(("", \(Port.read.rawValue))); s.settimeout(10)
                    print("ready", file=stderr, flush=True)
                    for i in range(\(Self.packets)): s.recv(100)
                    """,
                ])
            try await reader.wait(for: "ready")
            // Slow enough to be read one by one. An error that nobody's port answered is told at the next one.
            let send = """
                for ((i = 0; i < \(Self.packets); i++)); do
                    for port in \(Port.allCases.map { String($0.rawValue) }.joined(separator: " ")); do
                        echo $i > /dev/udp/\(Cable.addresses[1])/$port
                        sleep 0.002
                    done
                done
                """
            #expect(try await Command.run(cable.inside(0) + ["/bin/bash", "-c", send]).status == 0)
            #expect(try await reader.end().status == 0)
            recorder.send(SIGINT)
            #expect(try await recorder.end().status == 0)
            try await expectReasons(session)
        }

        private func expectReasons(_ session: RecordedSession) async throws {
            let text = try await Command.virtlat("analyze", session.path)
            #expect(text.status == 0, "\(text)")
            let reasons = "\(3 * Self.packets) dropped (NETFILTER_DROP \(2 * Self.packets), NO_SOCKET \(Self.packets))"
            #expect(text.output.contains(reasons), "\(text.output)")
            let run = try await Command.virtlat("analyze", session.path, "--format", "json")
            let flows = try JSON(run.output)["flows"].list.filter { $0["device"] == .text("eth0") }
            #expect(flows.count == 2, "\(flows)")
            for flow in flows {
                let packets = flow["packets"]
                let (seen, complete) = (try packets.integer("seen"), try packets.integer("complete"))
                let others = try packets["incomplete"].object.keys.map { ($0, try packets["incomplete"].integer($0)) }
                #expect(seen == others.reduce(complete) { $0 + $1.1 }, "\(packets)")
                // All that is sent reaches the device; ICMP tells of nobody's port.
                if flow["direction"] == .text("tx") {
                    #expect(others.isEmpty && complete >= Port.allCases.count * Self.packets, "\(packets)")
                } else {
                    #expect(complete == Self.packets, "\(packets)")
                    #expect(others.contains { $0 == ("dropped", Int64(3 * Self.packets)) }, "\(packets)")
                    #expect(others.allSatisfy { ["dropped", "kernel-consumed"].contains($0.0) }, "\(packets)")
                }
            }
        }
    }
}
