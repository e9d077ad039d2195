// One thread as it is now.

package import LinuxSystem

package struct ThreadStatus: Equatable, Sendable {
    package var id: Int32
    /// Clock ticks since boot: with the id, it tells the thread from a later one of the same id.
    package var startTime: UInt64
    package var name: String
    /// CPUs it may run on; those that are offline now included.
    package var cpus: CPUSet
    package var scheduling: Scheduling
    /// The CPU it runs on or ran on last.
    package var lastCPU: Int?

    package init(id: Int32, startTime: UInt64, name: String, cpus: CPUSet, scheduling: Scheduling, lastCPU: Int?) {
        self.id = id
        self.startTime = startTime
        self.name = name
        self.cpus = cpus
        self.scheduling = scheduling
        self.lastCPU = lastCPU
    }

    /// A thread of this machine; nil when there is none of this id.
    package init?(of thread: Int32) {
        // sched_getaffinity(2) leaves out CPUs that are offline, which would be lost when the affinity is brought back.
        let key = "Cpus_allowed_list:"
        let line = TextFile.optional("/proc/\(thread)/status")?.split(separator: "\n").first { $0.hasPrefix(key) }
        guard thread > 0, let startTime = ProcessEntry.startTime(of: thread),
            let cpus = line.flatMap({ CPUSet(String($0.dropFirst(key.count).drop { $0.isWhitespace })) }),
            let scheduling = try? Scheduling(of: thread)
        else { return nil }
        self.init(
            id: thread, startTime: startTime, name: TextFile.optional("/proc/\(thread)/comm") ?? "", cpus: cpus,
            scheduling: scheduling, lastCPU: ProcessEntry.lastCPU(stat: "/proc/\(thread)/stat"))
    }
}
