// A pipe, see pipe(7).

internal import CLinux
import Glibc

/// Both ends of a pipe; they are closed when it goes, and never inherited.
package struct Pipe: ~Copyable, Sendable {
    package let readEnd: Int32
    package let writeEnd: Int32

    package init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe clinux_pipe(&ends) == 0 else { throw SystemError(call: "pipe2") }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Wakes whoever polls the reading end.
    package func writeByte() {
        var byte: UInt8 = 0
        _ = unsafe write(writeEnd, &byte, 1)
    }
}
