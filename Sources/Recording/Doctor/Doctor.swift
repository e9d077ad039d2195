// What is looked at before a recording, in the order in which one thing needs the other.

package import Sessions

/// Looks, and leaves everything as it was.
package struct Doctor: Sendable {
    package var system: SystemRoot

    package init(_ system: SystemRoot = SystemRoot()) { self.system = system }

    /// A host, and the guests that are to be recorded.
    /// - Parameter output: the session's folder, as it would be given to record.
    package func host(guests: [GuestTarget], key: PreSharedKey?, output: String) async -> [Finding] {
        let (topology, gaps) = Topology.discover(in: system)
        let facts = TracingFacts.gather(EventSet.host(topology, vms: []))
        let answers = await AgentAnswer.of(guests, key: key)
        return findings(
            host: facts, topology, gaps, wantsGuests: !guests.isEmpty, names: answers.names(in: topology),
            output: output)
            + AgentCheck(
                answers: answers, topology: topology, clocks: facts.clocks, hasConversion: facts.conversionError == nil,
                host: topology.host.name,
                system: system
            ).findings
    }

    /// The host's part, from what was gathered.
    /// - Parameter names: of guests, by their virtual machines' processes, where somebody has named them; else they are
    ///   called as QEMU calls them.
    package func findings(
        host facts: TracingFacts, _ topology: Topology, _ gaps: [Topology.Gap], wantsGuests: Bool,
        names: [Int32: String] = [:],
        output: String
    ) -> [Finding] {
        let name = topology.host.name
        let clock = ClockCheck(facts: facts, machine: name, system: system)
        let space = SpaceCheck(machine: name)
        let events = EventCheck(
            facts: facts, machine: name, role: .host, hasKVM: KVMCheck.isLoaded(system), hasVMs: !topology.vms.isEmpty,
            usesOVS: topology.vms.contains { $0.devices.contains { $0.bridge == "ovs-system" } }, isX86: clock.isX86)
        let kvm = KVMCheck(
            topology: topology, gaps: gaps, system: system, machine: name, wantsGuests: wantsGuests, names: names,
            isX86: clock.isX86)
        return TracingCheck(facts: facts, machine: name, system: system).findings + events.findings + clock.findings
            + space.memory(facts)
            + space.disk(output, facts) + kvm.findings
    }

    /// The guest this runs in.
    package func guest() -> [Finding] { findings(guest: .gather(EventSet.guest), .gather()) }

    /// From what was gathered.
    package func findings(guest facts: TracingFacts, _ links: GuestLinks) -> [Finding] {
        let name = HostSystem(discoveredIn: system).name
        let clock = ClockCheck(facts: facts, machine: name, system: system, role: .guest)
        return TracingCheck(facts: facts, machine: name, system: system).findings
            + EventCheck(facts: facts, machine: name, role: .guest, isX86: clock.isX86).findings + clock.findings
            + SpaceCheck(machine: name).memory(facts) + GuestCheck(links: links, machine: name).findings
    }
}
