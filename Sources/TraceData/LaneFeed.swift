// Scanning ahead: each CPU of each buffer has two blocks of marks, one being read and one being filled.

internal import LinuxSystem

/// The scanner of one CPU of one buffer, and its two blocks. Between threads it is guarded by the stream's monitor; a
/// block that is being filled or read belongs to one thread alone.
@safe final class LaneFeed: @unchecked Sendable {
    private var scanner: MarkScanner
    private let blocks: [UnsafeMutableBufferPointer<Mark>]
    /// Which block is read; the other one is filled.
    private var reading = 0
    private var filled = 0
    private var state = State.wanting
    /// The reader waits for this lane.
    private var isAwaited = false
    private(set) var counts = LaneCounts()

    private enum State { case wanting, filling, ready, drained }

    init(_ scanner: consuming MarkScanner, blockSize: Int) {
        self.scanner = scanner
        unsafe blocks = [.allocate(capacity: blockSize), .allocate(capacity: blockSize)]
    }

    deinit {
        unsafe blocks[0].deallocate()
        unsafe blocks[1].deallocate()
    }

    /// Reader: gives the last block back and goes on to the next one, waiting for it if need be.
    /// - Returns: its marks, at least one; nil at the end of the lane.
    func advance(_ monitor: Monitor) -> UnsafeBufferPointer<Mark>? {
        monitor.lock()
        defer { monitor.unlock() }
        while state == .wanting || state == .filling {
            isAwaited = true
            monitor.wait()
        }
        isAwaited = false
        guard state == .ready else { return nil }
        reading = 1 - reading
        let count = filled
        state = .wanting
        monitor.wakeAll()
        return unsafe UnsafeBufferPointer(rebasing: blocks[reading][..<count])
    }

    /// Worker, with the lock held: how urgently a block is wanted, nil when none is.
    var urgency: Int? { state == .wanting ? (isAwaited ? 1 : 0) : nil }

    /// Worker, with the lock held.
    func begin() { state = .filling }

    /// Worker, without the lock.
    func fill() -> Int { unsafe scanner.fill(blocks[1 - reading]) }

    /// Worker, with the lock held.
    func finish(_ count: Int) {
        filled = count
        state = count > 0 ? .ready : .drained
        counts = scanner.counts
        counts.defects = scanner.defects
    }
}

/// Threads that fill whichever lane needs it most.
final class ScannerPool {
    private let shared: Shared
    private var threads: [ThreadBox] = []

    private final class ThreadBox {
        let thread: JoinedThread
        init(_ thread: consuming JoinedThread) { self.thread = thread }
    }

    private final class Shared: @unchecked Sendable {
        let feeds: [LaneFeed]
        let monitor: Monitor
        var isStopping = false

        init(_ feeds: [LaneFeed], _ monitor: Monitor) {
            self.feeds = feeds
            self.monitor = monitor
        }

        func work() {
            monitor.lock()
            while !isStopping {
                guard let feed = mostUrgent() else {
                    monitor.wait()
                    continue
                }
                feed.begin()
                monitor.unlock()
                let count = feed.fill()
                monitor.lock()
                feed.finish(count)
                monitor.wakeAll()
            }
            monitor.unlock()
        }

        private func mostUrgent() -> LaneFeed? {
            var best: LaneFeed?
            for feed in feeds {
                guard let urgency = feed.urgency else { continue }
                if urgency > 0 { return feed }
                if best == nil { best = feed }
            }
            return best
        }
    }

    init(feeds: [LaneFeed], monitor: Monitor, workers: Int) throws(SystemError) {
        let shared = Shared(feeds, monitor)
        self.shared = shared
        do throws(SystemError) {
            for _ in 0..<workers { threads.append(ThreadBox(try JoinedThread { shared.work() })) }
        } catch {
            stop()
            throw error
        }
    }

    /// Ends the threads and waits for them.
    func stop() {
        shared.monitor.locked { shared.isStopping = true }
        shared.monitor.wakeAll()
        threads.removeAll()
    }
}
