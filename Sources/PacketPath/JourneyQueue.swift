// Hands journeys to a thread of their own, so that adding them up does not hold up following the next ones.

import LinuxSystem

/// Collects journeys into batches and takes them to another sink on another thread, in order, one batch ahead at the
/// most.
final class JourneyQueue: JourneySink {
    private let shared: Shared
    private var batch: [Journey] = []
    private var thread: JoinedThread?

    private static let batchSize = 256

    /// What both threads touch, guarded by the monitor.
    private final class Shared: @unchecked Sendable {
        let monitor = Monitor()
        let target: any JourneySink
        var waiting: [Journey]?
        /// A batch that is done with, to be filled again.
        var spare: [Journey] = []
        var isClosed = false

        init(_ target: any JourneySink) { self.target = target }

        func work() {
            while var journeys = next() {
                deliver(journeys.span)
                journeys.removeAll(keepingCapacity: true)
                monitor.locked { spare = journeys }
            }
        }

        /// They are read where they stand: a journey is large.
        private func deliver(_ journeys: Span<Journey>) {
            for index in journeys.indices { target.take(journeys[index]) }
        }

        private func next() -> [Journey]? {
            monitor.lock()
            defer { monitor.unlock() }
            while waiting == nil && !isClosed { monitor.wait() }
            defer {
                waiting = nil
                monitor.wakeAll()
            }
            return waiting
        }

        /// - Returns: room for the next ones.
        func hand(_ journeys: [Journey]) -> [Journey] {
            monitor.lock()
            defer { monitor.unlock() }
            while waiting != nil { monitor.wait() }
            waiting = journeys
            monitor.wakeAll()
            var room: [Journey] = []
            swap(&room, &spare)
            return room
        }

        func close() {
            monitor.lock()
            defer { monitor.unlock() }
            while waiting != nil { monitor.wait() }
            isClosed = true
            monitor.wakeAll()
        }
    }

    /// - Parameter target: is called on another thread until `finish` has returned.
    init(to target: any JourneySink) throws(SystemError) {
        let shared = Shared(target)
        self.shared = shared
        batch.reserveCapacity(Self.batchSize)
        thread = try JoinedThread { shared.work() }
    }

    func take(_ journey: borrowing Journey) {
        batch.append(copy journey)
        if batch.count == Self.batchSize {
            batch = shared.hand(batch)
            batch.reserveCapacity(Self.batchSize)
        }
    }

    /// Waits until the target has everything.
    func finish() {
        if !batch.isEmpty { batch = shared.hand(batch) }
        shared.close()
        thread = nil
    }
}
