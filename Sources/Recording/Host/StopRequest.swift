// "Stop now", from a signal handler's thread or a child's end to whoever waits for it.

import LinuxSystem
import Synchronization

/// Can be made once or more often; never taken back.
package final class StopRequest: Sendable {
    private let state = Mutex(State())
    /// A child's exit status, when its end is what is waited for.
    let status = Mutex<Int32?>(nil)

    private struct State {
        var count = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextID: UInt64 = 0
        var signal: Int32?
    }

    package init() {}

    package var isMade: Bool { state.withLock { $0.count > 0 } }
    /// It was asked for more than once.
    package var isInsistent: Bool { state.withLock { $0.count > 1 } }

    /// The signal that asked for it first.
    package var signal: Int32? { state.withLock { $0.signal } }

    /// - Parameter signal: what asks for it, where it is one.
    package func make(by signal: Int32? = nil) {
        let waiting = state.withLock { state in
            state.count += 1
            if state.signal == nil { state.signal = signal }
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when it is made, or the task is cancelled.
    package func wait() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.count > 0 || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    /// Returns when it is made, or after so many ns.
    package func wait(atMost nanoseconds: Int64) async { await Self.any([self], within: nanoseconds) }

    /// Returns when one of them is made, or after some time.
    static func any(_ requests: [StopRequest?], within nanoseconds: Int64) async {
        await withTaskGroup(of: Void.self) { tasks in
            for case let request? in requests { tasks.addTask { await request.wait() } }
            tasks.addTask { try? await Task.sleep(for: .nanoseconds(nanoseconds)) }
            await tasks.next()
            tasks.cancelAll()
        }
    }
}
