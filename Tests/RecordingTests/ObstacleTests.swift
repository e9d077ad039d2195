// What is said of connections that can't be made, and of those that are: addresses as people write them, and what to
// do.

#if DEBUG
    import LinuxSystem
    import NIOCore
    @testable import Recording
    import Testing

    @Suite struct ObstacleTests {
        private let vsock = AgentAddress.vsock(cid: 3, port: 7423)
        private let tcp = AgentAddress.tcp(host: "10.0.0.3", port: 7423)

        private func obstacle(_ error: Int32, _ address: AgentAddress) -> Obstacle {
            Obstacle(SystemError(call: "connect", errno: error), at: address)
        }

        @Test func `a reset on vsock means that nothing listens in the guest`() {
            let reset = obstacle(104, vsock)
            #expect(reset.reason.contains("nothing listens on vsock port 7423 in the guest"), "\(reset)")
            #expect(reset.remedy.contains("virtlat agent (is it running there"), "\(reset)")
            #expect(obstacle(104, .vsock(cid: 3, port: 9)).remedy.contains("virtlat agent 9 "))
            #expect(!obstacle(104, tcp).reason.contains("nothing listens"))
        }

        @Test func `no route means that the address is to be checked, and a refusal that it is right`() {
            for error in [113, 101] as [Int32] {
                #expect(obstacle(error, tcp).remedy.hasPrefix("Check the address"), "\(error)")
            }
            let refused = obstacle(111, tcp)
            #expect(
                refused.reason.contains("nothing listens on TCP port 7423")
                    && refused.remedy.contains("virtlat agent --tcp"))
        }

        @Test(arguments: [("10.55.0.2", "10.55.0.2:39120"), ("fe80::1", "[fe80::1]:39120"), ("::1", "[::1]:39120")])
        func `an address is written as people write it`(ip: String, text: String) throws {
            #expect(try SocketAddress(ipAddress: ip, port: 39120).text == text)
        }
    }
#endif
