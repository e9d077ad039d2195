// Bindings in words: which thread goes where, what came back, and why not.

import Affinity
import LinuxSystem
import Sessions

enum BindingText {
    /// One block for each VM.
    static func text(_ plans: [BindingPlan], online: CPUSet, colour: Bool) -> String {
        plans.map { plan in
            var block = TextBlock(title: plan.vm.name ?? "(no name)", facts: ["pid \(plan.vm.process)"])
            for change in plan.changes {
                let thread = change.thread
                let before = cpus(thread.cpus, online)
                let after = change.cpus.map { cpus($0, online) } ?? before
                let scheduling =
                    change.scheduling.map { $0 == thread.scheduling ? "" : "\(thread.scheduling) -> \($0)" } ?? ""
                block.rows.append([
                    change.role.text, "thread \(thread.id)",
                    before == after ? "\(before) as before" : "\(before) -> \(after)", scheduling,
                    "",
                ])
            }
            return block.text(colour: colour)
        }.joined(separator: "\n")
    }

    private static func cpus(_ cpus: CPUSet, _ online: CPUSet) -> String {
        online.isSubset(of: cpus) ? "any CPU" : TopologyText.cpus(cpus.intersection(online).description)
    }

    static func text(_ report: RestoreReport) -> String {
        guard !report.vms.isEmpty else { return report.faults.isEmpty ? "nothing is bound\n" : "" }
        let ended = report.ended == 0 ? "" : "; \(counted(report.ended)) ended since"
        return "restored \(report.vms.joined(separator: ", ")): \(counted(report.threads))\(ended)\n"
    }

    /// What somebody who was killed had left.
    static func tellLeftovers(_ report: RestoreReport) {
        if !report.vms.isEmpty {
            Failure.warn(
                "restored \(report.vms.joined(separator: ", ")) first: a virtlat that was killed had left it bound")
        }
        for fault in report.faults { Failure.warn(fault.text) }
    }

    private static func counted(_ count: Int) -> String { "\(count) thread\(count == 1 ? "" : "s")" }
}

extension BindingPlan.ThreadChange.Role {
    fileprivate var text: String {
        switch self {
        case .vcpu(let number): "vCPU \(number)"
        case .worker: "vhost"
        case .mainThread: "QEMU"
        }
    }
}

extension BindingPlan.Note {
    func text(vm: VirtualMachine) -> String {
        switch self {
        case .movingVCPU(let vcpu, let cpu):
            "\(vm.label): vCPU \(vcpu) ran on CPU \(cpu) last and may leave it at any time; --vcpus current pins it there"
        case .mixedWorkers(_, 0):
            "\(vm.label): has no network queue that vhost serves; its vhost workers are of other devices (vsock)"
        case .mixedWorkers(let workers, let queues):
            "\(vm.label): has \(workers) vhost workers for \(queues) network queue\(queues == 1 ? "" : "s"); the others are of other devices (vsock). "
                + "They can't be told apart, so that all are bound; the network's are the first as a rule"
        case .mainThread:
            "\(vm.label): vhost is off, so QEMU's main thread carries the packets and is the one that is bound; threads that it starts from now on "
                + "begin where it is"
        case .crowdedCPU(let cpu, let vcpus):
            "\(vm.label): vCPUs \(vcpus.map { String($0) }.joined(separator: ", ")) share CPU \(cpu); --vcpus LIST spreads them"
        case .sharedCPUs(let cpus):
            "\(vm.label): no other CPU is free of vCPUs, so a vhost worker shares \(TopologyText.cpus(cpus.description)) with one"
        }
    }
}

extension BindingFault {
    var text: String {
        switch self {
        case .offline(let cpus, let online):
            "\(TopologyText.cpus(cpus.description)): not there, or offline; online are \(online)"
        case .unknownCPU: "where a vCPU runs can't be told; pin it with --vcpus LIST"
        case .noSibling(let cpu):
            "CPU \(cpu) has no SMT sibling (SMT is off, or the CPU has none), so nothing can be bound there"
        case .unknownCache(let cpu):
            "the kernel does not tell which CPUs share a cache with CPU \(cpu); name them with cpus=LIST"
        case .noCacheNeighbour(let cpu, let cache):
            "no other core shares a last-level cache with CPU \(cpu): \(TopologyText.cpus(cache.description)) do"
        case .noOtherCPU(let cpu): "CPU \(cpu) is the only one that is online"
        case .noVCPU(let vm): "\(vm): none of its threads was recognised as a vCPU (virtlat vms says what is seen)"
        case .noWorker(let vm):
            "\(vm): has no vhost worker, nor a tap or macvtap device that QEMU itself serves, so there is nothing to bind"
        case .gone(let vm): "\(vm): has ended"
        case .held(let vm, let recorder):
            "\(vm): is bound for a recording that goes on (process \(recorder)), which restores it at its end"
        case .refused(let thread, let name, let error):
            "thread \(thread) (\(name)): \(error.call): \(error.text)\(Self.remedy(error))"
        case .notTaken(let thread, let name, let wanted, let found):
            "thread \(thread) (\(name)): \(wanted) was asked for and \(found) came of it: somebody else binds threads here (libvirt, irqbalance, a cpuset)"
        case .unusableFolder(let path, let error):
            "\(path): \(error.call): \(error.text)"
                + ([1, 13].contains(error.errno)
                    ? "; run as root: binding other users' threads takes CAP_SYS_NICE, and its account is kept there"
                    : "")
        case .foreignFolder(let path):
            "\(path): belongs to somebody else, or others may write to it, so what stands in it is not trusted; remove it"
        case .unwritable(let path, let error):
            "\(path): \(error.textOfOutput); nothing is bound without an account of what was before"
        case .unreadable(let path, let error):
            "\(path): \(error.textOfInput). It tells what threads were before they were bound, and is kept"
        case .malformed(let path, let reason):
            "\(path): can't be read: \(reason). It tells what threads were before they were bound, and is kept; bring them back by hand "
                + "(taskset, chrt), then remove it"
        }
    }

    private static func remedy(_ error: SystemError) -> String {
        switch (error.call, error.errno) {
        case ("sched_setaffinity", 22):
            ": the kernel keeps this thread where it is (PF_NO_SETAFFINITY), or its cpuset has none of these CPUs"
        case ("sched_setscheduler", 1):
            ": it takes CAP_SYS_NICE (run as root), and a cgroup with a share of real time (cpu.rt_runtime_us)"
        case (_, 1): ": it takes CAP_SYS_NICE (run as root)"
        case ("sched_setaffinity", 16): ": a thread of the deadline class may run anywhere or nowhere"
        case (_, 3): ": it has just ended"
        default: ""
        }
    }
}
