// Threads that are bound while a recording goes on: when that is done is the recorder's, how it is done somebody
// else's.

package import Sessions

package struct TemporaryBinding: Sendable {
    /// Binds the threads of these VMs, or throws and leaves them as they are; in that case nothing is recorded.
    let bind: @Sendable ([VirtualMachine], HostSystem) async throws -> Manifest.Binding
    /// Brings everything back, however often it is asked to; what can't be is told in a sentence each.
    let restore: @Sendable () -> [String]

    package init(
        bind: @escaping @Sendable ([VirtualMachine], HostSystem) async throws -> Manifest.Binding,
        restore: @escaping @Sendable () -> [String]
    ) {
        self.bind = bind
        self.restore = restore
    }
}

extension Recorder {
    /// The guard has to stand by then: it restores when this process is killed.
    func bind(_ session: inout RecordingSession) async throws {
        guard let binding = plan.binding else { return }
        let unknown = session.guests.filter { $0.vm == nil }.map(\.name)
        guard unknown.isEmpty else { throw RecordingFault.unknownVMs(unknown) }
        let processes = Set(session.guests.compactMap(\.vm?.process))
        let topology = session.manifest.topology
        session.manifest.binding = try await binding.bind(
            topology.vms.filter { processes.contains($0.process) }, topology.host)
        // It tells where threads run while the measurement does.
        session.manifest.topology = Topology.ofThisHost()
        try session.manifest.write(folder: plan.folder)
    }

    func unbind() {
        for fault in plan.binding?.restore() ?? [] { add(fault: fault) }
    }
}
