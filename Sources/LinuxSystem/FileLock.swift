// One process at a time, see flock(2).

import Glibc

/// A lock, held until nobody refers to it or the process ends. The kernel knows of it, so it holds for processes of all
/// pid namespaces.
package final class FileLock: Sendable {
    private let descriptor: Int32

    /// Waits for whoever has it.
    /// - Parameter path: an empty file, which is made.
    package init(_ path: String) throws(SystemError) {
        let opened = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard opened >= 0 else { throw SystemError(call: "open") }
        while flock(opened, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let error = SystemError(call: "flock")
                close(opened)
                throw error
            }
        }
        descriptor = opened
    }

    /// Of a folder that is there.
    /// - Parameter patience: how long to wait for whoever has it, in ns; not at all by default.
    /// - Throws: `SystemError`; `EWOULDBLOCK` when somebody else has it.
    package convenience init(folder: String, patience: Int64 = 0) throws(SystemError) {
        try self.init(existing: folder, O_DIRECTORY, LOCK_EX, patience)
    }

    /// Of a file that is there, and that stays as it is; without a wait.
    /// - Parameter isShared: others may have it too who say so.
    /// - Throws: `SystemError`; `EWOULDBLOCK` when somebody else has it.
    package convenience init(file: String, isShared: Bool = false) throws(SystemError) {
        try self.init(existing: file, 0, isShared ? LOCK_SH : LOCK_EX, 0)
    }

    private init(existing path: String, _ flags: Int32, _ kind: Int32, _ patience: Int64) throws(SystemError) {
        let opened = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags)
        guard opened >= 0 else { throw SystemError(call: "open") }
        let end = monotonicNanoseconds() + patience
        // flock(2) has no time limit of its own.
        while flock(opened, kind | LOCK_NB) != 0 {
            let error = SystemError(call: "flock")
            guard error.errno == EINTR || error.errno == EWOULDBLOCK && monotonicNanoseconds() < end else {
                close(opened)
                throw error
            }
            usleep(5000)
        }
        descriptor = opened
    }

    deinit {
        // A child that is just being started has it open too until it is another program.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
