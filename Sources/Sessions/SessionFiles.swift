// Which files a session is made of, from what a person typed.

package import LinuxSystem

/// The recordings of one session, before any of them is opened.
package struct SessionFiles: Sendable, Equatable {
    /// The folder's name.
    package var name: String
    package var recordings: [Recording]
    /// What the folder says of itself; nil for a folder without session.json, and for files that are given one by one.
    package var manifest: Manifest?
    /// .dat files of the folder that its manifest does not name: they are no part of the session.
    package var strangers: [String] = []

    package struct Recording: Sendable, Equatable {
        package var path: String
        /// The machine's name: the manifest's, else as far as the file's name tells it.
        package var machine: String
        /// What the manifest says of the machine; nil without one.
        package var recorded: RecordedMachine?
    }

    package enum Fault: Error, Equatable, Sendable {
        case nothingGiven
        case unreadableFolder(path: String, SystemError)
        case noRecordings(folder: String)
        case unusableManifest(Manifest.Fault)
        /// The manifest names a file that the folder does not hold.
        case missingRecording(path: String, machine: String, Manifest.Outcome)
        /// By its manifest the session has no host's file; `reason` is the manifest's, where it gives one.
        case hostNotRecorded(manifest: String, reason: String?)
    }

    /// - Parameter arguments: one folder that holds .dat files, or the .dat files themselves.
    package init(_ arguments: [String]) throws(Fault) {
        guard let first = arguments.first else { throw .nothingGiven }
        name = Folder.enclosingName(of: first)
        recordings = []
        for argument in arguments {
            guard Folder.exists(argument) else {
                recordings.append(Recording(path: argument, machine: Self.machineName(argument)))
                continue
            }
            let folder = argument.hasSuffix("/") ? String(argument.dropLast()) : argument
            let names = try Self.names(in: argument)
            let files = names.filter { $0.hasSuffix(".dat") }
            // A manifest speaks of a whole session: what is given beside its folder, it can't know.
            if arguments.count == 1, let manifest = try Self.manifest(of: folder) {
                try take(manifest, folder: folder, names)
                return
            }
            guard !files.isEmpty else { throw .noRecordings(folder: argument) }
            recordings += files.map { Recording(path: folder + "/" + $0, machine: Self.machineName($0)) }
        }
    }

    private static func names(in folder: String) throws(Fault) -> [String] {
        do throws(SystemError) {
            return try Folder.names(in: folder)
        } catch {
            throw .unreadableFolder(path: folder, error)
        }
    }

    /// guest-g3.dat (virtlat), trace-g3.dat and host-g3.dat (trace-cmd, which puts its own file's name in front) are
    /// g3's.
    static func machineName(_ path: String) -> String {
        var name = path.split(separator: "/").last.map { String($0) } ?? path
        if name.hasSuffix(".dat") { name.removeLast(4) }
        for prefix in ["guest-", "trace-", "host-"] where name.hasPrefix(prefix) && name.count > prefix.count {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }
}
