// What a request means for one VM: which thread goes where. Pure.

package import LinuxSystem
package import Sessions

package struct BindingPlan: Equatable, Sendable {
    package var vm: VirtualMachine
    /// vCPUs first, then workers.
    package var changes: [ThreadChange]
    /// What a person should know of it.
    package var notes: [Note]

    package struct ThreadChange: Equatable, Sendable {
        package enum Role: Equatable, Sendable {
            case vcpu(Int)
            /// A vhost worker.
            case worker
            /// QEMU's main thread, which serves virtqueues when vhost does not.
            case mainThread
        }

        package var role: Role
        package var thread: ThreadStatus
        /// nil when it stays.
        package var cpus: CPUSet?
        package var scheduling: Scheduling?

        package var isChange: Bool { cpus != nil || scheduling != nil }
    }

    package enum Note: Equatable, Sendable {
        /// A worker goes with a vCPU that may leave this CPU at any time.
        case movingVCPU(vcpu: Int, cpu: Int)
        /// So many workers serve so many queues: some are of other devices (vsock), and can't be told from them.
        case mixedWorkers(workers: Int, queues: Int)
        case mainThread
        /// Workers share CPUs with vCPUs that they do not work for.
        case sharedCPUs(CPUSet)
        /// These vCPUs are pinned onto one CPU.
        case crowdedCPU(cpu: Int, vcpus: [Int])
    }

    /// - Parameter threads: as they are now, by id.
    package init(
        _ request: BindingRequest, for vm: VirtualMachine, processors: Processors, threads: [Int32: ThreadStatus]
    ) throws(BindingFault) {
        self.vm = vm
        notes = []
        changes = []
        guard threads[vm.process] != nil else { throw .gone(vm: vm.label) }
        let needsVCPUs = request.vcpus != nil || request.policy?.isRelative == true
        let vcpus = vm.vcpus.compactMap { vcpu in threads[vcpu.thread].map { (id: vcpu.id, thread: $0) } }
        guard !needsVCPUs || !vcpus.isEmpty else { throw .noVCPU(vm: vm.label) }
        var homes: [Int?] = []
        for (index, vcpu) in vcpus.enumerated() {
            let pinned = try Self.pinned(vcpu.thread, index, request.vcpus, processors)
            changes.append(
                ThreadChange(
                    role: .vcpu(vcpu.id), thread: vcpu.thread, cpus: pinned.map { CPUSet([$0]) }, scheduling: nil))
            homes.append(pinned ?? vcpu.thread.cpus.intersection(processors.online).single ?? vcpu.thread.lastCPU)
        }
        if request.vcpus != nil { noteCrowds(zip(vcpus.map(\.id), homes)) }
        guard request.policy != nil || request.scheduling != nil else { return }
        let workers = try workers(threads)
        let placement = Placement(processors: processors, vcpus: homes.compactMap { $0 })
        for (index, worker) in workers.enumerated() {
            var change = worker
            let place = homes.isEmpty ? nil : index % homes.count
            if let policy = request.policy {
                change.cpus = try placement.cpus(policy, home: place.flatMap { homes[$0] })
                if policy.isRelative, let place { note(place, homes, change.cpus, processors) }
            }
            change.scheduling = request.scheduling
            changes.append(change)
        }
    }

    private static func pinned(
        _ thread: ThreadStatus, _ index: Int, _ placement: VCPUPlacement?, _ processors: Processors
    ) throws(BindingFault) -> Int? {
        switch placement {
        case nil: return nil
        case .current:
            guard let cpu = thread.lastCPU else { throw .unknownCPU }
            return cpu
        case .cpus(let cpus):
            let offline = CPUSet(cpus).subtracting(processors.online)
            guard offline.isEmpty else { throw .offline(offline, online: processors.online) }
            return cpus[index % cpus.count]
        }
    }

    /// Who carries this VM's packets on the host.
    private mutating func workers(_ threads: [Int32: ThreadStatus]) throws(BindingFault) -> [ThreadChange] {
        let isServedByQEMU = vm.vhostQueues == 0 || vm.vhostQueues == nil && vm.vhostWorkers.isEmpty
        if isServedByQEMU, vm.devices.contains(where: { $0.kind != .vfio }), let main = threads[vm.process] {
            notes.append(.mainThread)
            return [ThreadChange(role: .mainThread, thread: main)]
        }
        let found = vm.vhostWorkers.compactMap { threads[$0.thread] }.map { ThreadChange(role: .worker, thread: $0) }
        guard !found.isEmpty else { throw .noWorker(vm: vm.label) }
        if let queues = vm.vhostQueues, queues < found.count {
            notes.append(.mixedWorkers(workers: found.count, queues: queues))
        }
        return found
    }

    private mutating func noteCrowds(_ vcpus: some Sequence<(Int, Int?)>) {
        for (cpu, pairs) in Dictionary(grouping: vcpus, by: \.1).sorted(by: { $0.key ?? 0 < $1.key ?? 0 }) {
            if let cpu, pairs.count > 1 { notes.append(.crowdedCPU(cpu: cpu, vcpus: pairs.map(\.0))) }
        }
    }

    private mutating func note(_ place: Int, _ homes: [Int?], _ cpus: CPUSet?, _ processors: Processors) {
        guard case .vcpu(let vcpu) = changes[place].role, let home = homes[place], let cpus else { return }
        let isPinned =
            changes[place].cpus != nil || changes[place].thread.cpus.intersection(processors.online).count == 1
        let moving = Note.movingVCPU(vcpu: vcpu, cpu: home)
        if !isPinned, !notes.contains(moving) { notes.append(moving) }
        let others = homes.enumerated().filter { $0.offset != place }.compactMap(\.element)
        let shared = Note.sharedCPUs(cpus.intersection(CPUSet(others)))
        if shared != .sharedCPUs(CPUSet([])), !cpus.contains(home), !notes.contains(shared) { notes.append(shared) }
    }
}

extension VirtualMachine {
    /// What people call it.
    package var label: String { name ?? "process \(process)" }

    /// Threads that a binding may concern.
    var boundThreads: [Int32] { vcpus.map(\.thread) + vhostWorkers.map(\.thread) + [process] }
}
