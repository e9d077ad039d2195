// The CPUs of a host, and what they share.

package import LinuxSystem
package import Sessions

package struct Processors: Equatable, Sendable {
    /// Those that can be used now.
    package var online: CPUSet
    /// Threads of one core each; empty when unknown.
    package var cores: [CPUSet]
    /// CPUs with the last cache in common; empty when unknown.
    package var caches: [CPUSet]

    package init(online: CPUSet, cores: [CPUSet], caches: [CPUSet]) {
        self.online = online
        self.cores = cores
        self.caches = caches
    }

    package init(_ host: HostSystem) {
        cores = (host.cores ?? []).compactMap { CPUSet($0) }
        caches = (host.lastLevelCaches ?? []).compactMap { CPUSet($0) }
        let known = CPUSet(cores.flatMap(\.cpus))
        online = known.isEmpty ? CPUSet(0..<host.cpus) : known
    }

    /// All threads of a CPU's core; that CPU alone where the kernel does not tell.
    func core(of cpu: Int) -> CPUSet { cores.first { $0.contains(cpu) } ?? CPUSet([cpu]) }

    /// nil when the kernel does not tell.
    func cache(of cpu: Int) -> CPUSet? { caches.first { $0.contains(cpu) } }
}
