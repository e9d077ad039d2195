// Which VM a guest is, when its agent says it is another one.

#if DEBUG
    @testable import Recording
    import Sessions
    import Testing

    @Suite struct ClaimTests {
        private static func welcome(_ addresses: [String], _ name: String) -> Message.Welcome {
            Message.Welcome(
                name: name, release: "6.1.0", uname: "Linux g 6.1.0 x86_64", cpus: 1, pageSize: 4096, longSize: 8,
                availableMemoryKiB: 1 << 20, clocks: ["mono"], networkAddresses: addresses, remarks: [])
        }

        /// Threads are bound and clocks are read by it.
        @Test func `a guest is not taken for another VM because it says that VM's address`() throws {
            let system = try TopologyTests.twoGuests()
            defer { system.remove() }
            let topology = Topology.ofThisHost(in: system.root)
            func process(_ name: String, _ address: String, says addresses: [String], named itself: String = "x") throws
                -> Int32?
            {
                let target = GuestTarget(name: name, address: try #require(AgentAddress(address)))
                return topology.vm(of: target, Self.welcome(addresses, itself))?.process
            }
            let (first, second) = ("52:54:00:00:00:03", "52:54:00:00:00:04")
            #expect(try process("g3", "tcp:10.0.0.3:4040", says: [first]) == 100)
            #expect(try process("web", "tcp:10.0.0.3:4040", says: [first]) == 100)
            #expect(try process("g3", "tcp:10.0.0.3:4040", says: []) == 100)
            #expect(try process("web", "tcp:10.0.0.3:4040", says: [], named: "g4") == 200)
            // The kernel says who has a context id.
            #expect(try process("g4", "vsock:3:4040", says: [second]) == 100)
            // The user's word stands against the guest's: then nobody knows.
            #expect(try process("g3", "tcp:10.0.0.3:4040", says: [second]) == nil)
        }
    }
#endif
