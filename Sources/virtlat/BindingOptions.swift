// How people say where threads are to run, and what makes no sense of it.

import Affinity
import ArgumentParser
import LinuxSystem

/// What `bind` and `record` have in common beside the policy, whose option each has under its own name.
struct BindingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Pin the vCPUs: each where it runs now (current), or in turn on these CPUs (2,3 or 4-7).",
            valueName: "current|list"))
    var vcpus: VCPUPlacement?

    @Option(
        help: ArgumentHelp(
            "The vhost workers' scheduling class: other, fifo:PRIORITY or rr:PRIORITY.", valueName: "class"))
    var sched: Scheduling?

    /// nil when nothing is asked for.
    func request(policy: BindingPolicy?) -> BindingRequest? {
        guard policy != nil || vcpus != nil || sched != nil else { return nil }
        return BindingRequest(policy: policy, vcpus: vcpus, scheduling: sched)
    }

    static let policyHelp = ArgumentHelp(
        "Where the vhost workers run: same-cpu, sibling, same-llc, other-cpu (than the vCPU's), cpus=LIST, or unbound.",
        valueName: "policy"
    )
}

extension BindingPolicy: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension VCPUPlacement: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension Scheduling: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
