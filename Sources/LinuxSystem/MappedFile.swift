// A file mapped read-only: the bytes of a recording, without a copy of them.

import Glibc

/// What the system answered when a file was to be opened, read or mapped.
package struct SystemError: Error, Equatable, Sendable {
    /// The call that failed, as in its manual page: `open`, `fstat`, `mmap`.
    package var call: String
    package var errno: Int32

    package init(call: String, errno: Int32 = Glibc.errno) {
        self.call = call
        self.errno = errno
    }

    /// The system's own words for the error, see strerror(3).
    package var text: String { unsafe String(cString: strerror(errno)) }
}

/// An immutable mapping of a whole regular file, unmapped when the last reference goes.
///
/// The pages belong to the file: they are not anonymous memory, and the kernel may drop them at any time.
/// A file that is truncated by somebody else while it is mapped ends the process with SIGBUS; recordings are
/// not written to once they are complete, so no attempt is made to survive that.
@safe package final class MappedFile: @unchecked Sendable {
    package let path: String
    /// All bytes of the file; empty for an empty file.
    package let bytes: UnsafeRawBufferPointer

    /// Maps the file at `path`.
    /// - Throws: `SystemError`; `EISDIR` for a folder, `ENXIO` for anything else that is not a regular file.
    package convenience init(path: String) throws(SystemError) {
        let descriptor = try InputFile.open(path)
        defer { close(descriptor) }
        try self.init(descriptor: descriptor, path: path)
    }

    /// Maps an open file, which may be closed afterwards.
    /// - Parameter path: what the file is called, for messages.
    package init(descriptor: Int32, path: String) throws(SystemError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SystemError(call: "fstat") }
        self.path = path
        let size = Int(status.st_size)
        guard size > 0 else {
            unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let start = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), unsafe start != MAP_FAILED
        else {
            throw SystemError(call: "mmap")
        }
        unsafe bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    deinit {
        if let start = unsafe bytes.baseAddress { unsafe munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
    }

    /// Tells the kernel that `range` will be read from front to end soon, see madvise(2).
    package func willReadSequentially(_ range: Range<Int>) {
        guard let start = unsafe bytes.baseAddress, !range.isEmpty, unsafe range.upperBound <= bytes.count else {
            return
        }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = range.lowerBound / page * page
        unsafe madvise(UnsafeMutableRawPointer(mutating: start + first), range.upperBound - first, MADV_SEQUENTIAL)
    }
}
