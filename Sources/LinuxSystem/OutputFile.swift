// Buffered output to a descriptor, and files that appear only when they are complete.

import Glibc

/// Collects bytes and hands them to a file descriptor in large pieces.
package struct OutputStream: ~Copyable {
    private let descriptor: Int32
    private var pending: [UInt8] = []

    /// Writes to an open descriptor that stays the caller's.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
        pending.reserveCapacity(1 << 16)
    }

    package mutating func write(_ text: String) throws(SystemError) {
        try write(bytes: text.utf8)
    }

    package mutating func write(bytes: some Collection<UInt8>) throws(SystemError) {
        pending.append(contentsOf: bytes)
        if pending.count >= 1 << 16 { try flush() }
    }

    package mutating func flush() throws(SystemError) {
        var done = 0
        while done < pending.count {
            let count = unsafe pending.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "write")
            }
            done += count
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Standard output.
    package static func standardOutput() -> OutputStream { OutputStream(descriptor: STDOUT_FILENO) }
}

/// A file written under `PATH.partial` that takes its name when it is complete; otherwise nothing is left behind.
package struct OutputFile: ~Copyable {
    private let path: String
    private let descriptor: Int32
    package var stream: OutputStream

    /// Opens `PATH.partial` for writing.
    /// A path that is something else than a regular file (`/dev/stdout`, a pipe) is written to directly.
    package init(path: String) throws(SystemError) {
        var status = stat()
        isDirect = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        self.path = path
        let name = isDirect ? path : path + ".partial"
        descriptor = unsafe open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        stream = OutputStream(descriptor: descriptor)
    }

    private let isDirect: Bool

    /// Writes what is pending and gives the file its name.
    package consuming func commit() throws(SystemError) {
        try stream.flush()
        if !isDirect, unsafe rename(path + ".partial", path) != 0 { throw SystemError(call: "rename") }
    }

    deinit {
        close(descriptor)
        // After `commit` there is nothing under this name any more.
        if !isDirect { unsafe unlink(path + ".partial") }
    }
}
