// Bringing back what was before.

import LinuxSystem

/// What came of bringing threads back.
package struct RestoreReport: Equatable, Sendable {
    /// VMs whose threads are as they were.
    package var vms: [String] = []
    package var threads = 0
    /// Threads that have ended since.
    package var ended = 0
    /// VMs that have ended since, by name.
    package var gone: [String] = []
    /// What could not be brought back or read; its files are kept.
    package var faults: [BindingFault] = []

    package init() {}
}

extension Binder {
    /// Brings back what is bound, for good and for recordings that are over.
    /// - Parameter processes: of these VMs; of all when nil.
    package func restore(processes: [Int32]? = nil) throws(BindingFault) -> RestoreReport {
        guard store.exists else { return RestoreReport() }
        return try store.locked { () throws(BindingFault) in
            let contents = try store.contents()
            let concerned = { (state: BindingState) in processes.map { $0.contains(state.process) } ?? true }
            // What a recording goes on with is its own to restore, and lies on top of what bind did.
            let running = contents.states.filter { concerned($0) && !$0.isAbandoned && $0.owner != nil }
            var report = try restore(contents) { state in
                concerned(state) && !running.contains { $0.process == state.process }
            }
            report.faults += contents.faults
            report.faults += running.map { .held(vm: $0.label, recorder: $0.owner?.process ?? 0) }
            return report
        }
    }

    /// Brings back what recorders and bindings that were killed have left.
    package func restoreAbandoned() throws(BindingFault) -> RestoreReport {
        guard store.exists else { return RestoreReport() }
        return try store.locked { () throws(BindingFault) in try restore(try store.contents(), where: \.isAbandoned) }
    }

    /// Brings back what a recording of a process has bound, whether that process still lives or not.
    package func restore(ownedBy process: Int32) throws(BindingFault) -> RestoreReport {
        guard store.exists else { return RestoreReport() }
        return try store.locked { () throws(BindingFault) in
            try restore(try store.contents()) { $0.owner?.process == process }
        }
    }

    func restore(_ contents: BindingStore.Contents, where isWanted: (BindingState) -> Bool) throws(BindingFault)
        -> RestoreReport
    {
        var report = RestoreReport()
        // A recording's lies on top of a lasting one.
        for state in contents.states.filter(isWanted).sorted(by: { $0.isForRecording && !$1.isForRecording }) {
            guard !state.isGone else {
                report.gone.append(state.label)
                store.remove(state)
                continue
            }
            var left: [BindingState.SavedThread] = []
            for thread in state.threads {
                do throws(BindingFault) {
                    if try thread.restore() { report.threads += 1 } else { report.ended += 1 }
                } catch {
                    report.faults.append(error)
                    left.append(thread)
                }
            }
            if left.isEmpty {
                store.remove(state)
                if !report.vms.contains(state.label) { report.vms.append(state.label) }
            } else {
                var rest = state
                rest.threads = left
                try store.write(rest)
            }
        }
        return report
    }
}

extension BindingPlan.ThreadChange {
    /// - Throws: when the thread is not as it was asked to be.
    func apply() throws(BindingFault) { try thread.change(cpus: cpus, scheduling: scheduling) }

    func undo() throws(BindingFault) {
        guard ThreadStatus(of: thread.id)?.startTime == thread.startTime else { return }
        try thread.change(cpus: thread.cpus, scheduling: thread.scheduling)
    }
}

extension BindingState.SavedThread {
    /// - Returns: whether there still is such a thread.
    func restore() throws(BindingFault) -> Bool {
        guard let now = ThreadStatus(of: thread), now.startTime == start, let saved = CPUSet(cpus) else { return false }
        let scheduling = Scheduling(policy: policy, priority: priority)
        do throws(BindingFault) {
            try now.change(
                cpus: now.cpus == saved ? nil : saved, scheduling: now.scheduling == scheduling ? nil : scheduling)
        } catch {
            // It may have ended meanwhile.
            guard ThreadStatus(of: thread)?.startTime == start else { return false }
            throw error
        }
        return true
    }
}

extension ThreadStatus {
    /// nil leaves things as they are. A cpuset may keep a thread from some of the CPUs; that it runs on others is an
    /// error.
    fileprivate func change(cpus: CPUSet?, scheduling: Scheduling?) throws(BindingFault) {
        do throws(SystemError) {
            try cpus?.set(on: id)
            try scheduling?.set(on: id)
        } catch {
            throw .refused(thread: id, name: name, error)
        }
        guard let now = ThreadStatus(of: id), now.startTime == startTime else {
            throw .refused(thread: id, name: name, SystemError(call: "sched_setaffinity", errno: 3))  // ESRCH
        }
        if let cpus, !now.cpus.isSubset(of: cpus) {
            throw .notTaken(thread: id, name: name, wanted: "CPUs \(cpus)", found: "CPUs \(now.cpus)")
        }
        if let scheduling, now.scheduling != scheduling {
            throw .notTaken(thread: id, name: name, wanted: "\(scheduling)", found: "\(now.scheduling)")
        }
    }
}
