// The thread that connections live on.

import LinuxSystem
import NIOPosix

enum NetworkThread {
    /// A thread for connections, to be shut down by whoever asked for it.
    ///
    /// NIO ends the process where the system gives it no thread, or no descriptors to wait with. So they are asked for
    /// here first, and given back.
    /// - Throws: `SystemError` when there are none.
    static func start() throws(SystemError) -> MultiThreadedEventLoopGroup {
        try checkWaiting()
        _ = try JoinedThread {}
        return MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }
}
