// The topology of this host, and what of it could not be seen.

package import LinuxSystem
package import Sessions

extension Topology {
    /// Something that may be there and could not be looked at.
    package enum Gap: Equatable, Sendable {
        /// Nothing is mounted where debugfs belongs.
        case noDebugfs(path: String)
        /// debugfs is there, and its kvm folder can't be read.
        case unreadableDebugfs(path: String, SystemError)
        /// What these processes have open can't be read, and so none of their devices.
        case closedProcesses([Int32])
    }

    /// The host as it is now.
    package static func ofThisHost(in system: SystemRoot = SystemRoot()) -> Topology { discover(in: system).topology }

    /// The host as it is now, with what could not be seen.
    package static func discover(in system: SystemRoot = SystemRoot()) -> (topology: Topology, gaps: [Gap]) {
        let processes: [Int32] = Folder.numbers(in: system.proc)
        let kernelWorkers = kernelWorkers(processes, in: system)
        var gaps: [Gap] = []
        var folders: [Int32: [KVMFolder]] = [:]
        var users: [Int32]
        do throws(SystemError) {
            folders = Dictionary(grouping: try KVMFolder.all(in: system), by: \.process)
            users = folders.keys.sorted()
        } catch {
            // Second best: QEMU names its vCPUs' threads.
            users = processes.filter { id in ProcessFolder(id, in: system).threads.contains { $0.name.vcpu != nil } }
            if let gap = gap(debugfs: system, error) { gaps.append(gap) }
        }
        let vms = users.compactMap {
            VirtualMachine(
                ProcessFolder($0, in: system), folders: folders[$0] ?? [], kernelWorkers: kernelWorkers, in: system)
        }
        let closed = vms.map(\.process).filter { id in
            let process = ProcessFolder(id, in: system)
            return process.exists && !process.isOpenToUs
        }
        if !closed.isEmpty { gaps.append(.closedProcesses(closed)) }
        return (Topology(host: HostSystem(discoveredIn: system), vms: vms), gaps)
    }

    private static func gap(debugfs system: SystemRoot, _ error: SystemError) -> Gap? {
        // Without KVM there is nothing to miss.
        guard Folder.exists(system.sys + "/module/kvm") else { return nil }
        guard error.errno == 2 else { return .unreadableDebugfs(path: system.kvm, error) }  // ENOENT
        return Folder.optionalNames(in: system.debug).isEmpty ? .noDebugfs(path: system.debug) : nil
    }

    /// vhost's kernel threads by the thread that opened vhost.
    private static func kernelWorkers(_ processes: [Int32], in system: SystemRoot) -> [Int32: [VhostWorker]] {
        var workers: [Int32: [VhostWorker]] = [:]
        for id in processes {
            let process = ProcessFolder(id, in: system)
            // Anybody may call a process so; only kernel threads have no words.
            guard let owner = TextFile.optional(process.path + "/comm")?.vhostOwner, process.words.isEmpty else {
                continue
            }
            workers[owner, default: []].append(
                VhostWorker(thread: id, kind: .kernel, cpus: process.cpus(of: id), lastCPU: process.lastCPU(of: id)))
        }
        return workers
    }
}
