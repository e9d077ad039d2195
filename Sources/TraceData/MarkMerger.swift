// Merging ahead: batches of marks in time order are put together on a thread of their own while those before are read.

internal import LinuxSystem

/// Merges a stream a few batches ahead of its one reader.
@safe final class MarkMerger {
    /// What both threads touch. A batch that is being filled or read belongs to one of them alone; the rest is guarded
    /// by the monitor.
    @safe private final class Shared: @unchecked Sendable {
        let stream: MarkStream
        let monitor = Monitor()
        let batches: [UnsafeMutableBufferPointer<Mark>]
        var counts: [Int]
        /// Batches merged and read so far; those in between are ready.
        var merged = 0
        var read = 0
        var isEnded = false

        init(_ stream: MarkStream, batches: Int, of size: Int) {
            self.stream = stream
            unsafe self.batches = (0..<batches).map { _ in unsafe .allocate(capacity: size) }
            counts = [Int](repeating: 0, count: batches)
        }

        deinit { for batch in unsafe batches { unsafe batch.deallocate() } }

        func work() {
            while true {
                let count = unsafe stream.next(into: batches[merged % batches.count])
                monitor.lock()
                defer { monitor.unlock() }
                monitor.wakeAll()
                guard count > 0 else {
                    isEnded = true
                    return
                }
                counts[merged % batches.count] = count
                merged += 1
                // Half of them at a time, so that waking this thread costs the reader little.
                if merged - read == batches.count {
                    while merged - read > batches.count / 2 { monitor.wait() }
                }
            }
        }

        /// - Parameter isFirst: no batch has been read yet, which would be given back here.
        func next(isFirst: Bool) -> UnsafeMutableBufferPointer<Mark>? {
            monitor.lock()
            defer { monitor.unlock() }
            if !isFirst {
                read += 1
                if merged - read == batches.count / 2 { monitor.wakeAll() }
            }
            while merged == read && !isEnded { monitor.wait() }
            guard merged > read else { return nil }
            let place = read % batches.count
            return unsafe UnsafeMutableBufferPointer(rebasing: batches[place][..<counts[place]])
        }
    }

    private let shared: Shared
    private let thread: JoinedThread
    private var hasBegun = false

    /// - Parameter size: marks of a batch at the most.
    /// - Throws: `SystemError` when the system gives no thread.
    init(_ stream: MarkStream, batches: Int, of size: Int) throws(SystemError) {
        let shared = Shared(stream, batches: batches, of: size)
        self.shared = shared
        thread = try JoinedThread { shared.work() }
    }

    /// The next marks in time order, until the next call; nil at the end, which has to be reached.
    func next() -> UnsafeBufferPointer<Mark>? {
        defer { hasBegun = true }
        return unsafe shared.next(isFirst: !hasBegun).map { unsafe UnsafeBufferPointer($0) }
    }
}
