// Files that are read: regular ones, whatever stands in their place.

import Glibc

package enum InputFile {
    /// Opens a regular file; files of /proc, /sys and tracefs are regular too. Nothing else is waited for, and no
    /// device hears of it for long.
    /// - Throws: `SystemError`; `EISDIR` for a folder, `ENXIO` for anything else that is not a regular file.
    package static func open(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        do throws(SystemError) { try PathStatus(descriptor: descriptor).expectRegular() } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }
}

/// Files that are made, in a folder where others may have put something else in their place.
package enum NewFile {
    /// Makes a file of our own, in place of one that was left there, for reading and writing. Only its owner can read
    /// it: it holds addresses of the kernel.
    package static func make(_ path: String) throws(SystemError) -> Int32 {
        _ = unsafe unlink(path)
        // With O_EXCL a link is not followed either, wherever it leads.
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        return descriptor
    }

    /// Opens one that was made before, or makes it.
    package static func continued(_ path: String) throws(SystemError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SystemError(call: "open") }
        do throws(SystemError) { try PathStatus(descriptor: descriptor).expectRegular() } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }
}

/// What a file or folder is, whose, and who may do what with it; see inode(7).
package struct PathStatus: Sendable {
    private let type: UInt32
    package let owner: UInt32
    package let group: UInt32
    /// Rights, with the sticky bit.
    package let mode: UInt32

    private init(_ status: stat) {
        type = status.st_mode & S_IFMT
        owner = status.st_uid
        group = status.st_gid
        mode = status.st_mode & 0o7777
    }

    /// Of an open file, see fstat(2).
    package init(descriptor: Int32) throws(SystemError) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw SystemError(call: "fstat") }
        self.init(status)
    }

    /// Of what stands there; nil for nothing, and for what can't be looked at.
    /// - Parameter follows: of what a link leads to, not of the link.
    package init?(of path: String, follows: Bool) {
        var status = stat()
        guard unsafe follows ? stat(path, &status) == 0 : lstat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    package var isFolder: Bool { type == S_IFDIR }
    package var isLink: Bool { type == S_IFLNK }
    package var isRegular: Bool { type == S_IFREG }
    package var isOurs: Bool { owner == geteuid() }
    /// In a folder like /tmp, one can't rename or remove what is another's.
    package var isSticky: Bool { mode & 0o1000 != 0 }

    /// Others than its owner can write. A group of the owner's own, which many systems give each user with the right to
    /// write, has nobody else in it; it has the owner's number (pam_umask(8), usergroups).
    package var isOpenToOthers: Bool { mode & 0o002 != 0 || mode & 0o020 != 0 && group != owner }

    fileprivate func expectRegular() throws(SystemError) {
        if isFolder { throw SystemError(call: "open", errno: EISDIR) }
        if !isRegular { throw SystemError(call: "open", errno: ENXIO) }
    }
}

extension SystemError {
    /// Why a file that was given can't be read, and what to do where it is not obvious.
    package var textOfInput: String {
        switch errno {
        case EISDIR: "is a folder, where a file was expected"
        // open(2) itself says so of a socket.
        case ENXIO:
            "is not a regular file, but a pipe, a socket or a device, which is not waited for; copy what it gives to a file"
        default: "\(call): \(text)"
        }
    }

    /// Why a file can't be written.
    package var textOfOutput: String {
        switch errno {
        case EEXIST:
            "is a link or something else that is no regular file, and what it leads to is not written to; remove it"
        default: "\(call): \(text)"
        }
    }
}
