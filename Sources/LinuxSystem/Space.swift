// Whether a folder can be written to, and how much: see access(2) and statvfs(3).

internal import CLinux
import Glibc

extension Folder {
    package static func isWritable(_ path: String) -> Bool { unsafe access(path, W_OK | X_OK) == 0 }

    /// What can still be written there, in KiB.
    package static func freeKiB(in path: String) throws(SystemError) -> Int {
        let free = unsafe clinux_free_space(path)
        guard free >= 0 else { throw SystemError(call: "statvfs") }
        return Int(free)
    }
}
