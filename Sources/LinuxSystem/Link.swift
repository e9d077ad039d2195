// Symbolic links and device nodes as they stand, see readlink(2) and stat(2).

import Glibc

package enum Link {
    /// What a symbolic link says; nil when there is none or it can't be read.
    package static func target(of path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// The last component of what it says, which in sysfs is the name of the thing it leads to.
    package static func name(of path: String) -> String? {
        target(of: path)?.split(separator: "/").last.map { String($0) }
    }
}

/// The kernel's number of a device.
package struct DeviceNumber: Hashable, Sendable {
    package var major: UInt32
    package var minor: UInt32

    package init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// As the files named `dev` in sysfs have it: "244:1".
    package init?(_ text: String) {
        let parts = text.split(separator: ":").map { UInt32($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major: major, minor: minor)
    }

    /// Of the character device at `path` or at the end of the link there.
    package init?(characterDevice path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return nil }
        // gnu_dev_major and gnu_dev_minor of sys/sysmacros.h, which Glibc's module lacks.
        let number = UInt64(status.st_rdev)
        major = UInt32(truncatingIfNeeded: (number >> 8 & 0xFFF) | (number >> 32 & 0xFFFF_F000))
        minor = UInt32(truncatingIfNeeded: (number & 0xFF) | (number >> 12 & 0xFFFF_FF00))
    }
}
