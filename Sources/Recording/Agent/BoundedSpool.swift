// A spool in the guest must not take the memory or the disk space that its applications need.

import Glibc
import LinuxSystem
import Synchronization

/// Passes on to a spool what there is room for.
final class BoundedSpool: TraceSink {
    let spool: Spool
    private let left: Mutex<Int>
    private let isInMemory: Bool

    /// - Parameter bytes: the most that is kept.
    init(_ spool: Spool, bytes: Int, isInMemory: Bool) {
        self.spool = spool
        self.isInMemory = isInMemory
        left = Mutex(bytes)
    }

    func take(cpu: Int, pipe descriptor: Int32, count: Int) throws(SystemError) {
        try reserve(count)
        try spool.take(cpu: cpu, pipe: descriptor, count: count)
    }

    func take(cpu: Int, bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try reserve(bytes.count)
        try unsafe spool.take(cpu: cpu, bytes: bytes)
    }

    private func reserve(_ count: Int) throws(SystemError) {
        let fits = left.withLock { left in
            guard left >= count else { return false }
            left -= count
            return true
        }
        guard fits else { throw SystemError(call: "spool", errno: isInMemory ? ENOMEM : ENOSPC) }
    }
}
