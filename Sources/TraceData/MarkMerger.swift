// Merging ahead: batches of marks in time order are put together on a thread of their own while those before are read.

internal import LinuxSystem

/// Merges a stream a few batches ahead of its one reader.
@safe final class MarkMerger {
    /// What both threads touch. A batch that is being filled or read belongs to one of them alone; the rest is guarded
    /// by the monitor.
    @safe private final class Shared: @unchecked Sendable {
        let stream: MarkStream
        let monitor = Monitor()
        private let batches: [UnsafeMutableBufferPointer<Mark>]
        /// How many there are.
        private let ring: Int
        private var counts: [Int]
        /// Batches merged and read so far; those in between are ready.
        private var merged = 0
        private var read = 0
        private var isEnded = false

        init(_ stream: MarkStream, batches: Int, of size: Int) {
            self.stream = stream
            ring = batches
            unsafe self.batches = (0..<batches).map { _ in .allocate(capacity: size) }
            counts = [Int](repeating: 0, count: batches)
        }

        deinit { unsafe batches.forEach { unsafe $0.deallocate() } }

        func work() {
            while true {
                let count = unsafe stream.next(into: batches[merged % ring])
                monitor.lock()
                defer { monitor.unlock() }
                monitor.wakeAll()
                guard count > 0 else {
                    isEnded = true
                    return
                }
                counts[merged % ring] = count
                merged += 1
                // Half of them at a time, so that waking this thread costs the reader little.
                if merged - read == ring {
                    while merged - read > ring / 2 { monitor.wait() }
                }
            }
        }

        /// - Parameter isFirst: no batch has been read yet, which would be given back here.
        func next(isFirst: Bool) -> UnsafeBufferPointer<Mark>? {
            monitor.lock()
            defer { monitor.unlock() }
            if !isFirst {
                read += 1
                if merged - read == ring / 2 { monitor.wakeAll() }
            }
            while merged == read && !isEnded { monitor.wait() }
            guard merged > read else { return nil }
            let place = read % ring
            return unsafe UnsafeBufferPointer(rebasing: batches[place][..<counts[place]])
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
        return unsafe shared.next(isFirst: !hasBegun)
    }
}
