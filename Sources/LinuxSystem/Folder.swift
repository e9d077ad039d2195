// Folders and paths, see opendir(3) and realpath(3).

import Glibc

package enum Folder {
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names in a folder, sorted.
    package static func names(in path: String) throws(SystemError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw SystemError(call: "opendir") }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes a folder, see mkdir(2).
    package static func make(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
        guard unsafe mkdir(path, mode) == 0 else { throw SystemError(call: "mkdir") }
    }

    /// Where a path lies, by its text; slashes at its end don't count.
    package static func parent(of path: String) -> String {
        let path = withoutEndingSlashes(path)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The same path without slashes at its end: with one there a link is followed.
    package static func withoutEndingSlashes(_ path: String) -> String {
        var path = Substring(path)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }

    /// Gives a folder or file another name, see rename(2).
    package static func rename(_ path: String, to other: String) throws(SystemError) {
        guard unsafe Glibc.rename(path, other) == 0 else { throw SystemError(call: "rename") }
    }

    /// Removes an empty folder (or an ftrace instance, whose files don't count); false when it stays.
    package static func remove(_ path: String) -> Bool { unsafe rmdir(path) == 0 }

    /// The path from the root on, without any link; nil for one that leads nowhere.
    package static func resolved(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Name of the folder a path lies in (or is, for a folder).
    package static func enclosingName(of path: String) -> String {
        guard var parts = resolved(path)?.split(separator: "/") else { return "session" }
        if !exists(path) { parts = parts.dropLast() }
        return parts.last.map { String($0) } ?? "session"
    }
}

extension Folder {
    /// Whether there is a file of this name, of any kind.
    package static func hasFile(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
}
