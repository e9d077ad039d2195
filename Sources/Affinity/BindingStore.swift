// The folder that remembers what threads were before they were bound. It survives this program, and no reboot, as
// bindings do.

import Glibc
import LinuxSystem

/// /run/virtlat/affinity: one file for each VM that is bound, and a lock.
package struct BindingStore: Sendable {
    package let folder: String

    /// - Parameter folder: another one for tests.
    package init(folder: String = BindingStore.ownFolder) { self.folder = folder }

    /// Process ids mean other processes in another pid namespace, so each has an account of its own. A container may
    /// share the host's /run.
    package static var ownFolder: String {
        // PROC_PID_INIT_INO of include/linux/proc_ns.h: the machine's own namespace.
        guard let namespace = Link.target(of: "/proc/self/ns/pid"), namespace != "pid:[4026531836]" else {
            return "/run/virtlat/affinity"
        }
        return "/run/virtlat/affinity-" + namespace.filter(\.isNumber)
    }

    /// All states that can be read, and a fault for each that can't.
    struct Contents {
        var states: [BindingState] = []
        var faults: [BindingFault] = []
    }

    /// Runs `body` while no other virtlat binds or restores.
    func locked<Result>(_ body: () throws(BindingFault) -> Result) throws(BindingFault) -> Result {
        try make()
        let lock: FileLock
        do throws(SystemError) { lock = try FileLock(folder + "/lock") } catch {
            throw .unusableFolder(path: folder, error)
        }
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }

    package var exists: Bool { Folder.exists(folder) }

    private func make() throws(BindingFault) {
        let parent = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? ""
        for path in [parent, folder] where !path.isEmpty {
            do throws(SystemError) { try Folder.make(path, mode: 0o700) } catch {
                guard error.errno == EEXIST else { throw .unusableFolder(path: path, error) }
            }
        }
        // What stands in it is done as root.
        var status = stat()
        guard unsafe lstat(folder, &status) == 0 else {
            throw .unusableFolder(path: folder, SystemError(call: "lstat"))
        }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
            throw .foreignFolder(path: folder)
        }
    }

    func contents() throws(BindingFault) -> Contents {
        var contents = Contents()
        let names: [String]
        do throws(SystemError) { names = try Folder.names(in: folder) } catch {
            throw .unusableFolder(path: folder, error)
        }
        for name in names where name.hasSuffix(".json") {
            do throws(BindingFault) {
                contents.states.append(try BindingState(reading: folder + "/" + name))
            } catch {
                contents.faults.append(error)
            }
        }
        return contents
    }

    func write(_ state: BindingState) throws(BindingFault) { try state.write(to: path(state)) }
    func remove(_ state: BindingState) { TextFile.remove(path(state)) }

    private func path(_ state: BindingState) -> String { folder + "/" + state.fileName }
}
