// Binding threads, so that whatever happens they can be brought back.

import LinuxSystem
package import Sessions

/// Binds and restores, with a store that remembers what was before.
package struct Binder: Sendable {
    package let store: BindingStore

    package init(_ store: BindingStore = BindingStore()) { self.store = store }

    /// How long a binding lasts.
    package enum Term: Sendable {
        /// Until it is restored.
        case lasting
        /// As long as this process does, at the most.
        case recording
    }

    /// What came of a call, beside what it returns.
    package struct Outcome: Sendable {
        package var plans: [BindingPlan] = []
        /// What others had left behind, and was brought back first.
        package var restored = RestoreReport()
    }

    // MARK: Planning

    /// What `bind` would do now.
    package func plan(_ request: BindingRequest, for vms: [VirtualMachine], of host: HostSystem) throws(BindingFault)
        -> [BindingPlan]
    {
        let processors = Processors(host)
        var plans: [BindingPlan] = []
        for vm in vms {
            var threads: [Int32: ThreadStatus] = [:]
            for thread in vm.boundThreads { threads[thread] = ThreadStatus(of: thread) }
            plans.append(try BindingPlan(request, for: vm, processors: processors, threads: threads))
        }
        return plans
    }

    // MARK: Binding

    /// Binds all threads that the request is about, or none.
    package func bind(
        _ request: BindingRequest, for vms: [VirtualMachine], of host: HostSystem, _ term: Term
    ) throws(BindingFault) -> Outcome {
        try store.locked { () throws(BindingFault) in
            var outcome = Outcome()
            // What a recorder that was killed has left would be taken for what was before.
            outcome.restored = try restore(try store.contents(), where: \.isAbandoned)
            let contents = try store.contents()
            // The account of a VM that is to be bound has to be readable: its first values are in it.
            for vm in vms { if let fault = contents.fault(ofProcess: vm.process) { throw fault } }
            for vm in vms {
                if let state = contents.states.first(where: { $0.process == vm.process && $0.isForRecording }),
                    let owner = state.owner
                {
                    // One whose recorder is gone is there because it could not be restored just now.
                    if !owner.lives, let fault = outcome.restored.faults.first { throw fault }
                    throw .held(vm: vm.label, recorder: owner.process)
                }
            }
            outcome.plans = try plan(request, for: vms, of: host)
            try apply(outcome.plans, term, contents.states)
            return outcome
        }
    }

    private func apply(_ plans: [BindingPlan], _ term: Term, _ before: [BindingState]) throws(BindingFault) {
        var states: [(new: BindingState, old: BindingState?)] = []
        var changed: [BindingPlan.ThreadChange] = []
        do throws(BindingFault) {
            for plan in plans {
                let pair = try account(of: plan, term, before)
                states.append(pair)
                try store.write(pair.new)
                for change in plan.changes where change.isChange {
                    changed.append(change)
                    try change.apply()
                }
            }
            guard case .lasting = term else { return }
            // It has an owner until it is whole, so that a half of it is brought back by the next virtlat.
            for index in states.indices {
                states[index].new.owner = nil
                try store.write(states[index].new)
            }
        } catch {
            for change in changed.reversed() { try? change.undo() }
            // Those that go first: /run may be full, and what was there before has to find room again.
            for (new, old) in states where old == nil { store.remove(new) }
            for case (_, let old?) in states { try? store.write(old) }
            throw error
        }
    }

    private func account(
        of plan: BindingPlan, _ term: Term, _ before: [BindingState]
    ) throws(BindingFault) -> (new: BindingState, old: BindingState?) {
        let isForRecording = if case .recording = term { true } else { false }
        guard let start = ProcessEntry.startTime(of: plan.vm.process) else { throw .gone(vm: plan.vm.label) }
        let old = before.first {
            $0.process == plan.vm.process && $0.processStart == start && $0.isForRecording == isForRecording
        }
        var new =
            old
            ?? BindingState(
                vm: plan.vm.name, process: plan.vm.process, processStart: start, owner: nil,
                isForRecording: isForRecording, threads: [])
        new.owner = .own
        new.add(plan.changes.filter(\.isChange).map { BindingState.SavedThread($0.thread) })
        return (new, old)
    }
}

extension BindingState {
    /// Whoever it was for is gone, or its VM is.
    var isAbandoned: Bool { isGone || owner?.lives == false }
}

extension BindingStore.Contents {
    /// Why what is known of a process can't be read.
    func fault(ofProcess process: Int32) -> BindingFault? {
        faults.first { fault in
            switch fault {
            case .malformed(let path, _), .unreadable(let path, _):
                path.split(separator: "/").last?.hasPrefix("\(process)-") == true
            default: false
            }
        }
    }
}
