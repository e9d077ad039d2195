// A log that appears under its name when it is complete.

import Glibc
import LinuxSystem

/// Opened at the start, so that a path that can't be written is known before the first packet. Something else than a
/// regular file (a pipe, a terminal) is written to directly.
final class LogFile: Sendable {
    private let path: String
    private let descriptor: Int32
    /// Its name until it is complete; nil when it has only one.
    private let partial: String?

    init(path: String) throws(Failure) {
        self.path = path
        var status = stat()
        partial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG ? nil : path + ".partial"
        descriptor = open(partial ?? path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(partial ?? path, SystemError(call: "open")) }
    }

    /// Writes a header and rows, each without its line feed.
    func commit(header: String, rows: Int, row: (Int) -> String) throws(Failure) {
        do throws(SystemError) {
            var output = OutputStream(descriptor: descriptor)
            try output.write(header + "\n")
            for index in 0..<rows { try output.write(row(index) + "\n") }
            try output.flush()
            if let partial, rename(partial, path) != 0 { throw SystemError(call: "rename") }
        } catch {
            throw Failure(path, error)
        }
    }

    deinit {
        close(descriptor)
        // After `commit` there is nothing under this name any more.
        if let partial { unlink(partial) }
    }
}
