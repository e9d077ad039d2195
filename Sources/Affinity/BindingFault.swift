// Why threads could not be bound, or not be brought back to where they were.

package import LinuxSystem

package enum BindingFault: Error, Equatable, Sendable {
    // MARK: Nothing was changed, because it can't be done here

    case offline(CPUSet, online: CPUSet)
    /// Where the vCPU runs can't be told.
    case unknownCPU
    case noSibling(cpu: Int)
    case unknownCache(cpu: Int)
    case noCacheNeighbour(cpu: Int, cache: CPUSet)
    case noOtherCPU(cpu: Int)
    case noVCPU(vm: String)
    /// No vhost worker, and no network device that QEMU serves itself.
    case noWorker(vm: String)
    /// The VM's process has ended.
    case gone(vm: String)
    /// Its threads are bound for a recording that goes on.
    case held(vm: String, recorder: Int32)

    // MARK: The system

    case refused(thread: Int32, name: String, SystemError)
    /// It said yes, and did something else: a cgroup's cpuset, or somebody else who binds threads.
    case notTaken(thread: Int32, name: String, wanted: String, found: String)

    // MARK: Keeping account

    case unusableFolder(path: String, SystemError)
    /// Others than root could write to it.
    case foreignFolder(path: String)
    case unwritable(path: String, SystemError)
    case unreadable(path: String, SystemError)
    case malformed(path: String, reason: String)
}
