// Names and addresses as they are written: instances, agents, markers.

#if DEBUG
    import LinuxSystem
    @testable import Recording
    import Testing

    @Suite struct NameTests {
        // MARK: Instances

        @Test func `an instance's name says whose it is`() throws {
            let own = try #require(InstanceName.own)
            #expect(own.process == processID())
            #expect(InstanceName(own.text) == own)
            #expect(InstanceName("virtlat-12-345") == InstanceName(process: 12, startTime: 345))
        }

        // Instances of others must never be removed.
        @Test(arguments: [
            "", "virtlat", "virtlat-", "virtlat-1", "virtlat-1-", "virtlat-a-1", "virtlat-1-b", "virtlat-1-2-3",
            "virtlat--1-2",
            "virtlat-+1-2", "virtlat-01-2", "foo-1-2", "virtlat-99999999999-1",
        ])
        func `another name is nobody's of ours`(text: String) { #expect(InstanceName(text) == nil) }

        // MARK: Agents

        @Test(
            arguments: [
                ("vsock:3", .vsock(cid: 3, port: 7423)), ("vsock:4294967294:1", .vsock(cid: .max - 1, port: 1)),
                ("vsock:7:4294967294", .vsock(cid: 7, port: .max - 1)),
                ("tcp:10.0.0.3", .tcp(host: "10.0.0.3", port: 7423)),
                ("tcp:guest.example:65535", .tcp(host: "guest.example", port: 65535)),
                ("tcp:[fd00::3]:1", .tcp(host: "fd00::3", port: 1)),
                ("tcp:[fd00::3]", .tcp(host: "fd00::3", port: 7423)),
                ("tcp:fd00::3", .tcp(host: "fd00::3", port: 7423)),
            ] as [(String, AgentAddress)])
        func `an agent's address is read, and written so that it can be read`(text: String, address: AgentAddress) {
            #expect(AgentAddress(text) == address)
            #expect(AgentAddress(address.description) == address)
        }

        @Test(arguments: [
            "", "3", "vsock", "vsock:", "vsock:0", "vsock:1", "vsock:2", "vsock:4294967295", "vsock:4294967296",
            "vsock:-3", "vsock:x",
            "vsock:3:", "vsock:3:0",
            "vsock:3:4294967295", "vsock:3:1:1", "tcp:", "tcp::1", "tcp:a:0", "tcp:a:65536", "tcp:a:", "tcp:a:x",
            "tcp:[fd00::3", "tcp:[]",
            "tcp:[a]x", "udp:10.0.0.3", "TCP:a",
        ])
        func `what is no address is refused`(text: String) { #expect(AgentAddress(text) == nil) }

        // MARK: Markers

        @Test func `a marker's id says its kind and number`() {
            for kind in [Marker.Kind.sent, .received, .begin, .end] {
                for number in [0, 1, 319, Marker.mostNumbers - 1] as [UInt32] {
                    #expect(Marker(id: Marker(kind, number).id) == Marker(kind, number))
                }
            }
        }

        @Test func `markers of others are not ours`() {
            for id in [0, 1, .max, Marker(.sent, 5).id ^ 1 << 20, Marker(.sent, 5).id ^ 1 << 31] as [UInt32] {
                #expect(Marker(id: id) == nil)
            }
        }
    }
#endif
