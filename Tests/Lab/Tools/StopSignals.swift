// SIGINT and SIGTERM as a plain call on a thread of its own, so that no handler runs between a packet and its row.

import Glibc
import LinuxSystem

enum StopSignals {
    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        return set
    }

    /// Kept for good: a thread in sigwait can't be joined.
    private nonisolated(unsafe) static var waiting: JoinedThread?

    /// Keeps both signals pending, in this thread and those it starts.
    static func block() {
        var set = set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Runs `body` when one of them arrives or has already, and ends the process with the status it returns.
    static func onArrival(_ body: @escaping @Sendable (_ signal: Int32) throws(Failure) -> Int32) throws(SystemError) {
        waiting = try JoinedThread {
            var set = set
            var signal: Int32 = 0
            while sigwait(&set, &signal) != 0 {}
            do throws(Failure) {
                exit(try body(signal))
            } catch {
                Terminal.printError("Error: \(error)\n")
                exit(1)
            }
        }
    }
}
