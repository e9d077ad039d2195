// debugfs kvm/PID-FD: the one place where the kernel says itself which thread is which vCPU, and how its TSC relates to
// the host's.

import LinuxSystem
package import Sessions

/// A VM's folder in debugfs.
struct KVMFolder {
    var process: Int32
    var path: String

    /// All VMs of this kernel.
    static func all(in system: SystemRoot) throws(SystemError) -> [KVMFolder] {
        try Folder.names(in: system.kvm).compactMap { name in
            // Statistics of all VMs together stand there as files.
            let parts = name.split(separator: "-")
            guard parts.count == 2, let process = Int32(parts[0]), Int32(parts[1]) != nil else { return nil }
            return KVMFolder(process: process, path: "\(system.kvm)/\(name)")
        }
    }

    /// vCPU ids, in order; there may be gaps.
    var vcpus: [Int] { Folder.optionalNames(in: path).compactMap { $0.number(after: "vcpu") }.sorted() }

    /// The thread that ran the vCPU last; absent before Linux 5.19, and as long as none has.
    func thread(of vcpu: Int) -> Int32? {
        TextFile.number(in: "\(path)/vcpu\(vcpu)/pid").flatMap { $0 > 0 ? $0 : nil }
    }

    /// arch/x86/kvm/debugfs.c; other architectures have none of these files.
    func reading(of vcpu: Int, thread: Int32, moment: KVMReading.Moment) -> KVMReading? {
        let folder = "\(path)/vcpu\(vcpu)"
        guard let offset: Int64 = TextFile.number(in: folder + "/tsc-offset") else { return nil }
        return KVMReading(
            moment: moment, vcpu: vcpu, thread: thread, offset: offset,
            ratio: TextFile.number(in: folder + "/tsc-scaling-ratio"),
            fractionBits: TextFile.number(in: folder + "/tsc-scaling-ratio-frac-bits"))
    }
}

extension VirtualMachine {
    /// What KVM says of the TSC of each vCPU now; none without debugfs, and on architectures without a TSC.
    package func kvmReadings(_ moment: KVMReading.Moment, in system: SystemRoot = SystemRoot()) -> [KVMReading] {
        let folders = ((try? KVMFolder.all(in: system)) ?? []).filter { $0.process == process }
        return vcpus.compactMap { vcpu in
            folders.lazy.compactMap { $0.reading(of: vcpu.id, thread: vcpu.thread, moment: moment) }.first
        }
    }
}
