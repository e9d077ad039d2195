// A file system with so little space that a test can fill it.

import Glibc
import LinuxSystem
import TestSupport

/// A tmpfs on a folder of its own; both are gone with the last reference.
final class SmallDisk {
    let path = temporaryPath("disk")

    init(bytes: Int) throws {
        guard mkdir(path, 0o700) == 0 else { throw SystemError(call: "mkdir") }
        guard mount("virtlat-test", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            let error = SystemError(call: "mount")
            rmdir(path)
            throw error
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }

    /// Whether this process may mount anything.
    static var isPossible: Bool { (try? SmallDisk(bytes: 4096)) != nil }
}
