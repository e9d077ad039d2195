// virtlat bind: vhost workers and vCPUs where they are wanted, and back.

import Affinity
import ArgumentParser
import LinuxSystem
import Recording
import Sessions

struct Bind: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bind vhost workers, and vCPUs if asked, to CPUs; and bring them back.",
        usage: """
            virtlat bind --vm NAME ... [--policy POLICY] [--vcpus current|LIST] [--sched CLASS] [--dry-run]
            virtlat bind --restore [--vm NAME] ...
            """,
        discussion: """
            Binds the vhost workers of a virtual machine relative to where its vCPUs run: the first worker goes with the first vCPU, the second \
            with the second, and so on. A vCPU that may run on one CPU only is there; another one is where it ran last, until it moves: pin it \
            with --vcpus. Without vhost it is QEMU's main thread that is bound. What was before is kept in /run/virtlat until --restore brings \
            it back; of several bindings on top of one another, what was before the first.

            POLICIES
              same-cpu     on the vCPU's CPU
              sibling      on the other threads of its core (SMT)
              same-llc     on another core with the same last-level cache
              other-cpu    on another CPU, of another core if there is one
              cpus=LIST    on these (cpus=2-3,8)
              unbound      on any
            Where there is a choice, CPUs of other vCPUs of the same machine are left out.

            EXAMPLES
              virtlat bind --vm web --policy sibling --vcpus current --dry-run
                  which thread would go where

              virtlat bind --vm web --policy same-cpu --vcpus 2,3
                  vCPUs on CPU 2 and 3 in turn, and the vhost workers with them

              virtlat bind --vm web --policy cpus=4-7 --sched fifo:10
                  the workers on CPUs 4 to 7, before all threads of the usual class

              virtlat bind --restore
                  everything as it was before the first of these

            EXIT STATUS
              0  done; with --restore also when nothing was bound
              1  nothing was changed, or something could not be brought back; the message says which thread and why
              64 wrong usage
            """)

    @Option(
        help: ArgumentHelp(
            "A virtual machine, by its name or its process id (virtlat vms prints both).", valueName: "name"))
    var vm: [String] = []

    @Option(help: BindingOptions.policyHelp)
    var policy: BindingPolicy?

    @OptionGroup var options: BindingOptions

    @Flag(help: "Change nothing; print what would be changed.")
    var dryRun = false

    @Flag(help: "Bring back what was before, of these virtual machines or of all.")
    var restore = false

    func validate() throws {
        if restore {
            guard options.request(policy: policy) == nil, !dryRun else {
                throw ValidationError("--restore brings back, and binds nothing.")
            }
            return
        }
        guard !vm.isEmpty else {
            throw ValidationError("Which virtual machine? Give --vm NAME; virtlat vms prints them.")
        }
        guard options.request(policy: policy) != nil else {
            throw ValidationError("Nothing to do: give --policy, --vcpus or --sched.")
        }
    }

    func run() throws {
        var isWhole = true
        try Failure.reported { isWhole = try restore ? bringBack() : bind() }
        if !isWhole { throw ExitCode(1) }
    }

    private func bind() throws -> Bool {
        guard let request = options.request(policy: policy) else { return true }
        let (topology, gaps) = Topology.discover()
        let vms = try vms(topology, gaps)
        let plans: [BindingPlan]
        if dryRun {
            plans = try Binder().plan(request, for: vms, of: topology.host)
        } else {
            let outcome = try Binder().bind(request, for: vms, of: topology.host, .lasting)
            BindingText.tellLeftovers(outcome.restored)
            plans = outcome.plans
        }
        var output = OutputStream.standardOutput()
        try output.write(
            BindingText.text(plans, online: Processors(topology.host).online, colour: Terminal.outputHasColour))
        try output.flush()
        for plan in plans { plan.notes.forEach { Failure.warn($0.text(vm: plan.vm)) } }
        if !dryRun { Failure.warn("virtlat bind --restore brings back what was before") }
        return true
    }

    private func bringBack() throws -> Bool {
        var processes: [Int32]?
        if !vm.isEmpty {
            let (topology, gaps) = Topology.discover()
            processes = try vms(topology, gaps).map(\.process)
        }
        let report = try Binder().restore(processes: processes)
        var output = OutputStream.standardOutput()
        try output.write(BindingText.text(report))
        try output.flush()
        for fault in report.faults { Terminal.printError("virtlat: \(fault.text)\n") }
        return report.faults.isEmpty
    }

    private func vms(_ topology: Topology, _ gaps: [Topology.Gap]) throws -> [VirtualMachine] {
        var found: [VirtualMachine] = []
        for name in vm {
            let matches = topology.vms.filter { $0.name == name || String($0.process) == name }
            guard let match = matches.first else {
                let known = topology.vms.map { "\($0.name ?? "(no name)"), process \($0.process)" }
                throw Failure(
                    "no virtual machine here is called \(name) or has this process id; "
                        + (known.isEmpty ? "there is none at all" : "there are: " + known.joined(separator: "; "))
                        + gaps.map { ". \($0.text)" }.joined())
            }
            guard matches.count == 1 else {
                let processes = matches.map { String($0.process) }.joined(separator: ", ")
                throw Failure(
                    "\(matches.count) virtual machines are called \(name): give the process id of one (\(processes))")
            }
            if !found.contains(match) { found.append(match) }
        }
        return found
    }
}
