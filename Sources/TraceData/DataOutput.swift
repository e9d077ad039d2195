// Bytes to places of a file: whole or an error, whatever the system interrupts or cuts short.

import Glibc
internal import LinuxSystem

/// A descriptor that is written to by position; it stays its owner's.
struct DataOutput {
    let descriptor: Int32
    /// Whether sendfile(2) can write here. It copies between any two file systems, memfd to disk for example, where
    /// copy_file_range(2) refuses with EXDEV. What it can't do once (EINVAL) it is not asked for again.
    private var isSendable = true

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Writes all of `bytes` at byte `offset`.
    /// - Parameter offset: advances with every byte that is written, so after an error it tells how many were.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) throws(SystemError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, offset)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "write")
            }
            offset += count
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
        var offset = offset
        try unsafe bytes.span.bytes.withUnsafeBytes { bytes throws(SystemError) in unsafe try write(bytes, at: &offset)
        }
    }

    func truncate(to size: Int) throws(SystemError) {
        while ftruncate(descriptor, size) != 0 {
            guard errno == EINTR else { throw SystemError(call: "ftruncate") }
        }
    }

    /// Copies `count` bytes from where `source` stands to byte `offset`; they pass through this process only where
    /// there is no other way.
    /// - Throws: `ENODATA` when `source` ends before.
    mutating func copy(from source: Int32, count: Int, to offset: inout Int) throws(SystemError) {
        let end = offset + count
        while offset < end {
            let start = offset
            if isSendable { try send(from: source, count: end - offset, to: &offset) }
            // 0 bytes are the end, or a file that is made up as it is read: read(2) knows which.
            if offset == start { try copyThroughBuffer(from: source, count: end - offset, to: &offset) }
            guard offset > start else { throw SystemError(call: "read", errno: ENODATA) }
        }
    }

    private mutating func send(from source: Int32, count: Int, to offset: inout Int) throws(SystemError) {
        guard lseek(descriptor, offset, SEEK_SET) >= 0 else { throw SystemError(call: "lseek") }
        let sent = sendfile(descriptor, source, nil, count)
        if sent >= 0 {
            offset += sent
        } else if errno == EINVAL || errno == ENOSYS {
            isSendable = false
        } else if errno != EINTR {
            throw SystemError(call: "sendfile")
        }
    }

    private func copyThroughBuffer(from source: Int32, count: Int, to offset: inout Int) throws(SystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(count, 1 << 18), alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var found = unsafe read(source, buffer.baseAddress, buffer.count)
        while found < 0 {
            guard errno == EINTR else { throw SystemError(call: "read") }
            found = unsafe read(source, buffer.baseAddress, buffer.count)
        }
        unsafe try write(UnsafeRawBufferPointer(rebasing: buffer[..<found]), at: &offset)
    }
}
