// One VM: which of its process's threads are vCPUs, and which threads serve its virtqueues.

import Sessions

extension VirtualMachine {
    /// - Parameters:
    ///   - folders: what debugfs has of this process; none without debugfs.
    ///   - kernelWorkers: vhost's kernel threads by the thread that opened vhost, which is in their name.
    /// - Returns: nil when the process has ended.
    init?(_ process: ProcessFolder, folders: [KVMFolder], kernelWorkers: [Int32: [VhostWorker]], in system: SystemRoot)
    {
        let threads = process.threads
        guard !threads.isEmpty else { return nil }
        let words = QEMUCommandLine(process.words)
        let own = threads.compactMap { thread in
            thread.name.vhostOwner.map { _ in
                VhostWorker(
                    thread: thread.id, kind: .process, cpus: process.cpus(of: thread.id),
                    lastCPU: process.lastCPU(of: thread.id))
            }
        }
        self.init(
            name: words.name, process: process.id, cid: words.cid,
            vcpus: Self.vcpus(threads, folders).map {
                VCPU(
                    id: $0.id, thread: $0.thread, cpus: process.cpus(of: $0.thread),
                    lastCPU: process.lastCPU(of: $0.thread))
            },
            vhostWorkers: (own + threads.flatMap { kernelWorkers[$0.id] ?? [] }).sorted { $0.thread < $1.thread },
            devices: GuestDevice.all(of: process, words, in: system))
        // One for each queue pair of a device, whoever opened it: drivers/vhost/net.c, vhost_net_misc.
        if process.isOpenToUs { vhostQueues = process.descriptors.count { $0.link == "/dev/vhost-net" } }
    }

    private static func vcpus(_ threads: [(id: Int32, name: String)], _ folders: [KVMFolder]) -> [(
        id: Int, thread: Int32
    )] {
        var found: [Int: Int32] = [:]
        for thread in threads {
            if let vcpu = thread.name.vcpu { found[vcpu] = thread.id }
        }
        let alive = Set(threads.map(\.id))
        for folder in folders {
            for vcpu in folder.vcpus {
                // A vCPU that was unplugged keeps its folder, and the id of a thread that is gone.
                if let thread = folder.thread(of: vcpu), alive.contains(thread) { found[vcpu] = thread }
            }
        }
        return found.sorted { $0.key < $1.key }.map { (id: $0.key, thread: $0.value) }
    }
}

extension String {
    /// QEMU's name for a vCPU's thread (debug-threads=on): system/cpus.c, "CPU %d/KVM".
    var vcpu: Int? { number(after: "CPU ", before: "/KVM") }

    /// The thread that opened vhost, from its worker's name: drivers/vhost/vhost.c, "vhost-%d".
    var vhostOwner: Int32? { number(after: "vhost-") }
}
