// Plain threads, for work that fills a core and waits on a `Monitor`.

import CLinux
import Glibc

/// A thread that is joined before its handle goes.
package struct JoinedThread: ~Copyable {
    private let handle: pthread_t

    /// Starts `body` on a new thread.
    /// - Throws: `SystemError` when the system gives no thread.
    package init(_ body: @escaping @Sendable () -> Void) throws(SystemError) { handle = try startThread(body) }

    deinit { pthread_join(handle, nil) }
}

/// Starts `body` on a thread that nobody waits for.
/// - Throws: `SystemError` when the system gives no thread.
package func detachThread(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
    pthread_detach(try startThread(body))
}

private func startThread(_ body: @escaping @Sendable () -> Void) throws(SystemError) -> pthread_t {
    let box = unsafe Unmanaged.passRetained(ThreadBody(run: body))
    var handle = pthread_t()
    let code = unsafe pthread_create(
        &handle, nil,
        { argument in
            unsafe Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().run()
            return nil
        }, unsafe box.toOpaque())
    guard code == 0 else {
        unsafe box.release()
        throw SystemError(call: "pthread_create", errno: code)
    }
    return handle
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Processors that are online, see sysconf(3).
package func onlineProcessors() -> Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

/// Whether the system gives what event loops wait with. Swift's own threads and NIO's end the process where it does
/// not, so it is asked before.
/// - Throws: `SystemError`, mostly of too many open files.
package func checkWaiting() throws(SystemError) {
    guard clinux_can_wait() == 0 else { throw SystemError(call: "epoll_create1") }
}
