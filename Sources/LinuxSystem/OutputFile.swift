// Buffered output to a descriptor, and files that appear only when they are complete.

import Glibc

/// Collects bytes and hands them to a file descriptor in large pieces.
package struct OutputStream: ~Copyable {
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// Codes that pass in texts; nil where nobody looks at them as they are.
    private let codes: Printable.Codes?

    /// Writes to an open descriptor that stays the caller's.
    package init(descriptor: Int32) { self.init(descriptor: descriptor, codes: nil) }

    private init(descriptor: Int32, codes: Printable.Codes?) {
        self.descriptor = descriptor
        self.codes = codes
        pending.reserveCapacity(1 << 16)
    }

    package mutating func write(_ text: String) throws(SystemError) {
        try write(bytes: (codes.map { Printable.text(text, $0) } ?? text).utf8)
    }

    package mutating func write(bytes: some Collection<UInt8>) throws(SystemError) {
        pending.append(contentsOf: bytes)
        if pending.count >= 1 << 16 { try flush() }
    }

    package mutating func flush() throws(SystemError) {
        var done = 0
        while done < pending.count {
            let count = unsafe pending.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "write")
            }
            done += count
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Standard output.
    package static func standardOutput() -> OutputStream {
        OutputStream(descriptor: STDOUT_FILENO, codes: Terminal.outputHasColour ? [.lines, .colours] : .lines)
    }
}

/// A file that appears when it is complete, in place of what had its name before; otherwise nothing is left behind.
///
/// It is written without a name where the file system can do that (O_TMPFILE), so that not even a kill leaves anything;
/// elsewhere as `PATH.partial`. Something else than a regular file (a pipe, a terminal, a link) is written to directly.
package struct OutputFile: ~Copyable {
    private enum Form { case unnamed, partial, direct }

    private let path: String
    private let descriptor: Int32
    private let form: Form
    package var stream: OutputStream

    /// What is there already, and is no regular file.
    package enum Other { case written, refused }

    /// Opens the file for writing.
    /// - Parameters:
    ///   - mode: its rights, less what the caller's umask takes.
    ///   - other: `refused` where nobody meant to write to a pipe, or through a link; that is `EEXIST`.
    package init(path: String, mode: UInt32 = 0o644, other: Other = .written) throws(SystemError) {
        let flags = O_WRONLY | O_CLOEXEC
        var form = PathStatus(of: path, follows: false)?.isRegular == false ? Form.direct : .unnamed
        if form == .direct, other == .refused { throw SystemError(call: "open", errno: EEXIST) }
        var descriptor: Int32 = -1
        if form == .unnamed {
            // O_TMPFILE is __O_TMPFILE | O_DIRECTORY, which the module map can't express.
            descriptor = unsafe open(Folder.parent(of: path), flags | 0o20_000_000 | O_DIRECTORY, mode)
            if descriptor < 0 { form = .partial }
        }
        if form == .partial {
            unsafe unlink(path + ".partial")
            descriptor = unsafe open(path + ".partial", flags | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
        } else if form == .direct {
            descriptor = unsafe open(path, flags | O_CREAT | O_TRUNC, mode)
        }
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        self.path = path
        self.descriptor = descriptor
        self.form = form
        stream = OutputStream(descriptor: descriptor)
    }

    /// Gives the file the owner and the rights of another one, and puts all that was written on the disk.
    package mutating func settle(like original: Int32) throws(SystemError) {
        try stream.flush()
        var status = stat()
        guard unsafe fstat(original, &status) == 0 else { throw SystemError(call: "fstat") }
        // Only root gives files away; one's own copy of somebody's file is better than none.
        _ = fchown(descriptor, status.st_uid, status.st_gid)
        guard fchmod(descriptor, status.st_mode & 0o7777) == 0 else { throw SystemError(call: "fchmod") }
        guard fsync(descriptor) == 0 else { throw SystemError(call: "fsync") }
    }

    /// Gives the file these rights, and puts all that was written on the disk.
    package mutating func settle(mode: UInt32) throws(SystemError) {
        try stream.flush()
        guard fchmod(descriptor, mode) == 0 else { throw SystemError(call: "fchmod") }
        guard fsync(descriptor) == 0 else { throw SystemError(call: "fsync") }
    }

    /// Writes what is pending and gives the file its name.
    package consuming func commit() throws(SystemError) {
        try stream.flush()
        guard form != .direct else { return }
        let partial = path + ".partial"
        if form == .unnamed {
            // Only a name can take another's place, so it gets one beside it for a moment; see open(2), O_TMPFILE.
            unsafe unlink(partial)
            guard unsafe linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, partial, AT_SYMLINK_FOLLOW) == 0
            else {
                throw SystemError(call: "linkat")
            }
        }
        guard unsafe rename(partial, path) == 0 else {
            let error = SystemError(call: "rename")
            unsafe unlink(partial)
            throw error
        }
    }

    deinit {
        close(descriptor)
        // After `commit` there is nothing under this name any more.
        if form == .partial { unsafe unlink(path + ".partial") }
    }
}
