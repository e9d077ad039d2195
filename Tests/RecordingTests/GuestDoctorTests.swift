// What doctor says of guests, and of agents that can't be reached.

import LinuxSystem
import Recording
import Testing

@Suite struct GuestDoctorTests {
    private func findings(_ change: (FabricatedSystem, inout TracingFacts, inout GuestLinks) throws -> Void) throws
        -> [Finding]
    {
        let system = try FabricatedSystem()
        defer { system.remove() }
        try system.write("CapEff:\t000001ffffffffff\n", "proc/self/status")
        try system.write("kvm-clock\n", "sys/devices/system/clocksource/clocksource0/current_clocksource")
        try system.write("kvm-clock tsc\n", "sys/devices/system/clocksource/clocksource0/available_clocksource")
        var facts = DoctorTests.facts()
        var links = GuestLinks()
        links.context = 3
        links.ptp = .works
        try change(system, &facts, &links)
        return Doctor(system.root).findings(guest: facts, links)
    }

    private func bad(_ findings: [Finding]) -> [String] { findings.filter { $0.severity > .ok }.map(\.id) }

    @Test func `a guest where all is well has nothing to note`() throws {
        let found = try findings { _, _, _ in }
        #expect(bad(found).isEmpty, "\(found)")
        #expect(found.contains { $0.statement.contains("vsock:3") })
        #expect(Set(found.map(\.machine)) == ["l1"])
    }

    @Test func `vsock without a transport, without a device and without sockets is a warning`() throws {
        #expect(bad(try findings { _, _, links in links.context = .max }) == ["vsock"])
        #expect(bad(try findings { _, _, links in links.context = 1 }) == ["vsock"])
        #expect(
            bad(
                try findings { _, _, links in
                    links.context = nil
                    links.contextError = SystemError(call: "/dev/vsock", errno: 2)
                }) == ["vsock"])
        #expect(
            bad(try findings { _, _, links in links.socketError = SystemError(call: "socket", errno: 97) }) == ["vsock"]
        )
    }

    @Test func `--guest on a host is noticed`() throws {
        let found = try findings { _, _, links in links.context = 2 }
        #expect(found.first { $0.id == "vsock" }?.severity == .note)
    }

    @Test func `the KVM clock that is absent has another remedy than the one that is refused`() throws {
        let absent = try findings { _, _, links in links.ptp = .absent }.first { $0.id == "clock.ptp" }
        let refused = try findings { _, _, links in links.ptp = .refused }.first { $0.id == "clock.ptp" }
        #expect(absent?.remedy?.contains("modprobe ptp_kvm") == true)
        #expect(refused?.remedy?.contains("on the host") == true)
    }

    @Test func `events that are missing are said with the point they mark`() throws {
        let found = try findings { _, facts, _ in
            facts.absent = EventSet.guest.map(\.event).filter {
                $0.description.hasPrefix("syscalls:") || $0.description == "skb:consume_skb"
            }
        }
        #expect(bad(found) == ["events.read", "events.calls"])
        #expect(found.first { $0.id == "events.calls" }?.meaning?.contains("guest.send") == true)
        #expect(found.first { $0.id == "events.read" }?.severity == .error)
    }

    @Test func `little memory makes small buffers, and too little none`() throws {
        let small = try findings { _, facts, _ in facts.bufferKiB = 1024 }
        #expect(small.first { $0.id == "memory" }?.severity == .note)
        let none = try findings { _, facts, _ in facts.bufferKiB = nil }
        #expect(none.first { $0.id == "memory" }?.severity == .error)
    }

    @Test func `a guest whose agent does not answer is still one machine, known by its context id`() async throws {
        let system = try DoctorTests.host()
        defer { system.remove() }
        // No agent is on port 1.
        let target = GuestTarget(name: "web", address: .vsock(cid: 3, port: 1))
        let found = await Doctor(system.root).host(guests: [target], key: nil, output: "session")
        #expect(Set(found.map(\.machine)) == ["l1", "web", "g4"])
        #expect(found.contains { $0.id == "clock.offset" && $0.machine == "web" })
        #expect(found.first { $0.id == "agent" }?.severity == .error)
    }

    @Test func `a context id that no VM has is said, with those that are there`() async throws {
        let system = try DoctorTests.host()
        defer { system.remove() }
        let target = GuestTarget(name: "web", address: .vsock(cid: 77, port: 7423))
        let found = await Doctor(system.root).host(guests: [target], key: nil, output: "session")
        let agent = try #require(found.first { $0.id == "agent" })
        #expect(agent.severity == .error && agent.machine == "web")
        #expect(agent.statement.contains("vsock:77"))
        #expect(agent.remedy?.contains("g3 has 3, g4 has 4") == true, "\(agent)")
    }
}
