// One process at a time, see flock(2).

import Glibc

/// An exclusive lock, held until nobody refers to it or the process ends.
package final class FileLock: Sendable {
    private let descriptor: Int32

    /// Waits for whoever has it.
    /// - Parameter path: an empty file, which is made.
    package init(_ path: String) throws(SystemError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let error = SystemError(call: "flock")
                close(descriptor)
                throw error
            }
        }
    }

    /// Of a folder that is there, without a wait.
    /// - Throws: `SystemError`; `EWOULDBLOCK` when somebody else has it.
    package init(folder: String) throws(SystemError) {
        descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = SystemError(call: "flock")
            close(descriptor)
            throw error
        }
    }

    deinit {
        // A child that is just being started has it open too until it is another program.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
