// What the names of threads say of packets, where a thread has not done anything yet.

import GuestClocks
import TraceData

extension TraceFile {
    /// Threads of work queues: they do the kernel's own work, and are nobody's readers.
    var queueWorkers: Set<Int32> { Set(commandLines.lazy.filter { $0.value.hasPrefix("kworker/") }.map(\.key)) }
    /// Threads that have a name and are no vhost workers.
    var otherThreads: Set<Int32> { Set(commandLines.keys).subtracting(vhostThreads) }
}
