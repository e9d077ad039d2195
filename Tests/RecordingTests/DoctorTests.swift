// What doctor says of fabricated hosts and guests: each thing that is wrong by itself, and nothing else.

import LinuxSystem
import Recording
import Sessions
import Testing

@Suite struct DoctorTests {
    static let allClocks = ["local", "mono_raw", "x86-tsc"]

    /// A machine on which everything can be recorded.
    static func facts(_ events: [EventRequest] = EventSet.guest) -> TracingFacts {
        var facts = TracingFacts()
        facts.enabled = events.map(\.event)
        facts.clocks = allClocks
        facts.cpus = 4
        facts.bufferKiB = 16 << 10
        facts.availableKiB = 8 << 20
        return facts
    }

    /// A host on which all is well: two guests on vhost, and KVM tells of their clocks.
    static func host() throws -> FabricatedSystem {
        let system = try TopologyTests.twoGuests()
        try system.write("Name:\tvirtlat\nCapEff:\t000001ffffffffff\n", "proc/self/status")
        try system.write("tsc\n", "sys/devices/system/clocksource/clocksource0/current_clocksource")
        try system.write("tsc hpet acpi_pm\n", "sys/devices/system/clocksource/clocksource0/available_clocksource")
        for vcpu in ["100-8/vcpu0", "100-8/vcpu1", "200-8/vcpu0"] {
            try system.write("-9034561\n", "debug/kvm/\(vcpu)/tsc-offset")
        }
        for process in [100, 200] { try system.open(20, as: "/dev/vhost-net", in: process) }
        return system
    }

    /// What is not well on a host that `change` was made to.
    private func findings(
        wantsGuests: Bool = true, names: [Int32: String] = [:], output: String = "/tmp/virtlat-no-such-session",
        _ change: (FabricatedSystem, inout TracingFacts) throws -> Void
    ) throws -> [Finding] {
        let system = try Self.host()
        defer { system.remove() }
        let (whole, _) = Topology.discover(in: system.root)
        var facts = Self.facts(EventSet.host(whole, vms: []))
        try change(system, &facts)
        let (topology, gaps) = Topology.discover(in: system.root)
        return Doctor(system.root).findings(
            host: facts, topology, gaps, wantsGuests: wantsGuests, names: names, output: output)
    }

    private func bad(_ findings: [Finding]) -> [Finding] { findings.filter { $0.severity > .note } }

    private func absent(_ names: String..., from facts: inout TracingFacts) {
        facts.absent = names.compactMap { EventName($0) }
        facts.enabled.removeAll { facts.absent.contains($0) }
    }

    @Test func `a host where all is well has no warning, and halt polling as a note`() throws {
        let found = try findings { _, _ in }
        #expect(bad(found).isEmpty, "\(bad(found))")
        #expect(found.filter { $0.severity == .note }.map(\.id) == ["kvm.halt_poll"])
        #expect(found.filter { $0.id == "clock.offset" }.map(\.machine) == ["g3", "g4"])
        #expect(found.filter { $0.id == "vm.vhost" }.allSatisfy { $0.severity == .ok })
    }

    @Test func `a guest that somebody has named is called so and nothing else, the others as QEMU calls them`() throws {
        let found = try findings(names: [100: "web"]) { system, _ in try system.delete("proc/200/fd/20") }
        #expect(Set(found.map(\.machine)) == ["l1", "web", "g4"])
        #expect(found.filter { $0.id == "clock.offset" }.map(\.machine) == ["web", "g4"])
        #expect(found.filter { $0.id == "vm.vhost" }.map(\.machine) == ["web", "g4"])
    }

    @Test func `a clock's evidence is said, and nothing of how exact it is`() throws {
        func statement(_ change: (FabricatedSystem) throws -> Void) throws -> String? {
            try findings { system, _ in try change(system) }.first { $0.id == "clock.offset" }?.statement
        }
        func ratio(_ ratio: UInt64) -> (FabricatedSystem) throws -> Void {
            { system in
                for vcpu in ["vcpu0", "vcpu1"] {
                    try system.write("\(ratio)\n", "debug/kvm/100-8/\(vcpu)/tsc-scaling-ratio")
                    try system.write("48\n", "debug/kvm/100-8/\(vcpu)/tsc-scaling-ratio-frac-bits")
                }
            }
        }
        let told = "KVM tells the TSC offset of each vCPU; "
        #expect(try statement { _ in } == told + "it tells no scaling of the TSC")
        #expect(try statement(ratio(1 << 48)) == told + "the TSC is not scaled")
        #expect(try statement(ratio(3 << 47)) == told + "the TSC is scaled, by a ratio that it tells too")
    }

    @Test func `whatever is not well says what it means and what to do`() throws {
        let found = try findings { system, facts in
            try system.write("CapEff:\t0000000000000000\n", "proc/self/status")
            try system.write("hpet\n", "sys/devices/system/clocksource/clocksource0/current_clocksource")
            try system.delete("debug/kvm")
            try system.delete("proc/200/fd/20")
            facts.conversionError = SystemError(call: "perf_event_open", errno: 13)
            facts.bufferKiB = nil
            absent("sched:sched_switch", "kvm:kvm_msi_set_irq", from: &facts)
        }
        let ids = Set(bad(found).map(\.id))
        #expect(
            ids == [
                "privileges", "clock.source", "clock.tsc", "clock.offset", "debugfs", "vm.vhost", "memory",
                "events.sched", "events.inject",
            ])
        for finding in bad(found) { #expect(finding.meaning != nil && finding.remedy != nil, "\(finding)") }
    }

    @Test func `virtual machines without KVM's events are an error, and without VMs no more than a note`() throws {
        let found = try findings { _, facts in absent("kvm:kvm_entry", "kvm:kvm_exit", from: &facts) }
        #expect(bad(found).map(\.id) == ["events.kvm"])
        #expect(bad(found)[0].severity == .error)
        let alone = try findings(wantsGuests: false) { system, facts in
            for name in ["proc/100", "proc/200", "debug/kvm/100-8", "debug/kvm/200-8"] { try system.delete(name) }
            absent("kvm:kvm_entry", "kvm:kvm_exit", from: &facts)
        }
        #expect(bad(alone).isEmpty, "\(bad(alone))")
        #expect(alone.contains { $0.id == "events.kvm" && $0.severity == .note })
    }

    @Test func `no KVM is an error where guests are wanted`() throws {
        for (wanted, severity) in [(true, Finding.Severity.error), (false, .note)] {
            let found = try findings(wantsGuests: wanted) { system, facts in
                for name in ["proc/100", "proc/200", "debug/kvm", "sys/module/kvm"] { try system.delete(name) }
                absent("kvm:kvm_entry", "kvm:kvm_exit", "kvm:kvm_msi_set_irq", from: &facts)
            }
            #expect(found.first { $0.id == "kvm" }?.severity == severity)
            #expect(!found.contains { $0.id.hasPrefix("events.") }, "without KVM nobody misses its events")
        }
    }

    @Test func `Open vSwitch's events are missed only where it carries a guest`() throws {
        let without = try findings { _, facts in
            absent("openvswitch:ovs_do_execute_action", "openvswitch:ovs_dp_upcall", from: &facts)
        }
        #expect(!without.contains { $0.id == "events.ovs" })
        let with = try findings { system, facts in
            try system.delete("sys/class/net/tap0/master")
            try system.enslave("tap0", to: "ovs-system")
            absent("openvswitch:ovs_do_execute_action", from: &facts)
        }
        #expect(with.contains { $0.id == "events.ovs" })
    }

    @Test func `a kernel that makes no instance, or refuses an event, is an error`() throws {
        let none = try findings { _, facts in facts.fault = .noTraceFS(SystemError(call: "mount", errno: 1)) }
        #expect(bad(none).map(\.id) == ["tracing.instance"])
        let refused = try findings { _, facts in
            facts.refused = [
                .init(
                    EventName("kvm:kvm_pio")!,
                    .setting(file: "filter", value: "rw == 1", SystemError(call: "write", errno: 22), reason: nil))
            ]
        }
        #expect(bad(refused).map(\.id) == ["events.refused"])
        #expect(bad(refused)[0].severity == .error)
    }

    @Test func `each way to have no exact clock has its own remedy`() throws {
        func remedy(_ error: Int32) throws -> String? {
            try findings { _, facts in facts.conversionError = SystemError(call: "perf_event_open", errno: error) }
                .first {
                    $0.id == "clock.tsc"
                }?
                .remedy
        }
        #expect(try remedy(13)?.contains("perf_event_paranoid") == true)
        #expect(try remedy(95)?.contains("dmesg") == true)
        #expect(try remedy(38)?.contains("CONFIG_PERF_EVENTS") == true)
        let arm = try findings { system, facts in
            try system.write("arch_sys_counter\n", "sys/devices/system/clocksource/clocksource0/current_clocksource")
            try system.write("arch_sys_counter\n", "sys/devices/system/clocksource/clocksource0/available_clocksource")
            facts.clocks = ["local", "mono_raw"]
            absent("kvm:kvm_msi_set_irq", "kvm:kvm_write_tsc_offset", from: &facts)
        }
        #expect(bad(arm).isEmpty, "\(bad(arm))")
        let old = try findings { _, facts in facts.clocks = ["local", "global"] }
        #expect(bad(old).map(\.severity) == [.error])
    }

    @Test func `a tap whose queues no vhost serves is told from one that has`() throws {
        let found = try findings { system, _ in
            try system.delete("proc/100/fd/20")
            // A vsock device's worker has the same name, and moves no packet.
            try system.open(21, as: "/dev/vhost-vsock", in: 100)
        }
        #expect(bad(found).map(\.id) == ["vm.vhost"])
        #expect(bad(found)[0].machine == "g3")
    }

    @Test func `posted interrupts are a note, and nothing where they are off`() throws {
        let note = try findings { system, _ in try system.write("Y\n", "sys/module/kvm_intel/parameters/enable_apicv") }
        #expect(note.first { $0.id == "kvm.posted" }?.severity == .note)
        let off = try findings { system, _ in try system.write("N\n", "sys/module/kvm_intel/parameters/enable_apicv") }
        #expect(!off.contains { $0.id == "kvm.posted" })
    }

    @Test func `a session's folder that is taken, or has no place, is an error`() throws {
        let system = try FabricatedSystem()
        defer { system.remove() }
        let taken = try findings(output: system.path("proc")) { _, _ in }
        #expect(bad(taken).map(\.id) == ["output"])
        #expect(bad(try findings(output: "/nowhere/session") { _, _ in }).map(\.severity) == [.error])
    }
}
