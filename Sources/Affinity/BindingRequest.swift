// What is asked for: where vhost workers and vCPUs are to run, and in which scheduling class.

package import LinuxSystem

/// Where a vhost worker runs, relative to the vCPU that it works for.
package enum BindingPolicy: Hashable, Sendable, CustomStringConvertible {
    /// On the vCPU's CPU.
    case sameCPU
    /// On the other threads of the vCPU's core.
    case sibling
    /// On another core with the same last-level cache.
    case sameCache
    /// On another CPU, of another core if there is one.
    case otherCPU
    /// On these.
    case cpus(CPUSet)
    /// Anywhere.
    case unbound

    /// "same-cpu", "sibling", "same-llc", "other-cpu", "cpus=2-3,8", "unbound".
    package init?(_ text: String) {
        let words: [String: BindingPolicy] = [
            "same-cpu": .sameCPU, "sibling": .sibling, "same-llc": .sameCache, "other-cpu": .otherCPU,
            "unbound": .unbound,
        ]
        if let word = words[text] {
            self = word
        } else if text.hasPrefix("cpus="), let cpus = CPUSet(String(text.dropFirst(5))) {
            self = .cpus(cpus)
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .sameCPU: "same-cpu"
        case .sibling: "sibling"
        case .sameCache: "same-llc"
        case .otherCPU: "other-cpu"
        case .cpus(let cpus): "cpus=\(cpus)"
        case .unbound: "unbound"
        }
    }

    /// Whether it depends on where the vCPUs are.
    var isRelative: Bool {
        switch self {
        case .sameCPU, .sibling, .sameCache, .otherCPU: true
        case .cpus, .unbound: false
        }
    }
}

/// Where the vCPUs are pinned.
package enum VCPUPlacement: Hashable, Sendable, CustomStringConvertible {
    /// Each where it runs now.
    case current
    /// One after the other on these CPUs, in the order given, from the first again when they are used up.
    case cpus([Int])

    /// "current", "2,3", "4-7".
    package init?(_ text: String) {
        if text == "current" {
            self = .current
            return
        }
        // The order counts: "3,2" is not "2,3".
        var cpus: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let range = CPUSet(String(part)) else { return nil }
            cpus += range.cpus
        }
        self = .cpus(cpus)
    }

    package var description: String {
        switch self {
        case .current: "current"
        case .cpus(let cpus): cpus.map { String($0) }.joined(separator: ",")
        }
    }
}

/// What is to be done to a VM's threads; nil leaves things as they are.
package struct BindingRequest: Hashable, Sendable {
    package var policy: BindingPolicy?
    package var vcpus: VCPUPlacement?
    /// Of the vhost workers.
    package var scheduling: Scheduling?

    package init(policy: BindingPolicy? = nil, vcpus: VCPUPlacement? = nil, scheduling: Scheduling? = nil) {
        self.policy = policy
        self.vcpus = vcpus
        self.scheduling = scheduling
    }
}
