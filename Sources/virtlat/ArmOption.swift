// One arm of an experiment, as people say it: a policy, with a scheduling class if wanted.

import Affinity
import ArgumentParser
import LinuxSystem
import Sessions

/// "same-cpu", "cpus=2-3", "same-cpu+fifo:10".
struct ArmOption: ExpressibleByArgument {
    var policy: BindingPolicy
    var scheduling: Scheduling?

    init?(argument: String) {
        let parts = argument.split(separator: "+", omittingEmptySubsequences: false).map { String($0) }
        guard (1...2).contains(parts.count), let policy = BindingPolicy(parts[0]) else { return nil }
        self.policy = policy
        if parts.count == 2 {
            guard let scheduling = Scheduling(parts[1]) else { return nil }
            self.scheduling = scheduling
        }
    }

    var name: String { Experiment.Arm.name(policy.description + (scheduling.map { "+\($0)" } ?? "")) }

    func request(vcpus: VCPUPlacement?) -> BindingRequest {
        BindingRequest(policy: policy, vcpus: vcpus, scheduling: scheduling)
    }

    func arm(vcpus: VCPUPlacement?) -> Experiment.Arm {
        Experiment.Arm(
            name: name,
            binding: Manifest.Binding(
                policy: policy.description, vcpus: vcpus?.description, scheduling: scheduling?.description))
    }
}
