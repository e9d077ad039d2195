// Small files of /proc, /sys and tracefs, whose size no stat(2) tells.

import Glibc

package enum TextFile {
    /// All bytes of a file, read until its end.
    /// - Parameters:
    ///   - limit: more than that is an error, `EFBIG`.
    ///   - check: whether to read it, by what it is.
    /// - Throws: `EISDIR` for a folder, `ENXIO` for anything else that is not a regular file.
    package static func bytes(
        of path: String, limit: Int = 1 << 24, check: (PathStatus) throws(SystemError) -> Void = { _ in }
    ) throws(SystemError) -> [UInt8] {
        let descriptor = try InputFile.open(path)
        defer { close(descriptor) }
        try check(PathStatus(descriptor: descriptor))
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "read")
            }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else { throw SystemError(call: "read", errno: EFBIG) }
        }
    }

    /// The file as text, without blanks and newlines at its end.
    package static func text(of path: String) throws(SystemError) -> String { text(try bytes(of: path)) }

    /// The same for what was read already.
    package static func text(_ bytes: [UInt8]) -> String {
        var bytes = bytes
        while let last = bytes.last, last == 10 || last == 32 || last == 0 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The same for a file that may be absent or unreadable.
    package static func optional(_ path: String) -> String? { try? text(of: path) }

    /// Overwrites an existing file with one write(2), as settings want it.
    package static func write(_ text: String, to path: String) throws(SystemError) {
        let descriptor = unsafe open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        while true {
            let count = unsafe Glibc.write(descriptor, bytes, bytes.count)
            if count == bytes.count { return }
            if count < 0, errno == EINTR { continue }
            throw SystemError(call: "write", errno: count < 0 ? errno : EIO)
        }
    }

    /// Removes a file; that there is none is as good.
    package static func remove(_ path: String) { _ = unsafe unlink(path) }
}
