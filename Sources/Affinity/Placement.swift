// Where one worker runs by a policy: pure, from what CPUs share and where the vCPUs are.

import LinuxSystem

/// What a worker's CPUs are chosen by.
struct Placement {
    var processors: Processors
    /// The CPU of each vCPU, as far as it has one.
    var vcpus: [Int]

    /// CPUs for a worker.
    /// - Parameter home: the CPU of the vCPU it works for.
    func cpus(_ policy: BindingPolicy, home: Int?) throws(BindingFault) -> CPUSet {
        switch policy {
        case .cpus(let cpus):
            let offline = cpus.subtracting(processors.online)
            guard offline.isEmpty else { throw .offline(offline, online: processors.online) }
            return cpus
        case .unbound:
            // More than are online: one that is switched on later is anywhere as well.
            return CPUSet(0..<CPUSet.mostCPUs)
        case .sameCPU, .sibling, .sameCache, .otherCPU:
            guard let home else { throw .unknownCPU }
            return try cpus(policy, of: home)
        }
    }

    private func cpus(_ policy: BindingPolicy, of home: Int) throws(BindingFault) -> CPUSet {
        let core = processors.core(of: home)
        let own = CPUSet([home])
        switch policy {
        case .sibling:
            let siblings = usable(core.subtracting(own))
            guard !siblings.isEmpty else { throw .noSibling(cpu: home) }
            return siblings
        case .sameCache:
            guard let cache = processors.cache(of: home) else { throw .unknownCache(cpu: home) }
            let others = usable(cache.subtracting(core))
            guard !others.isEmpty else { throw .noCacheNeighbour(cpu: home, cache: cache) }
            return awayFromVCPUs(others)
        case .otherCPU:
            let others = usable(processors.online.subtracting(own))
            guard !others.isEmpty else { throw .noOtherCPU(cpu: home) }
            let otherCores = others.subtracting(core)
            return awayFromVCPUs(otherCores.isEmpty ? others : otherCores)
        default: return own
        }
    }

    private func usable(_ cpus: CPUSet) -> CPUSet { cpus.intersection(processors.online) }

    /// Another vCPU's CPU would make it same-cpu for that one; it has to do where there is nothing else.
    private func awayFromVCPUs(_ cpus: CPUSet) -> CPUSet {
        let free = cpus.subtracting(CPUSet(vcpus))
        return free.isEmpty ? cpus : free
    }
}
