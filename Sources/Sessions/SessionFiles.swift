// Which files a session is made of, from what a person typed.

package import LinuxSystem

/// The recordings of one session, before any of them is opened.
package struct SessionFiles: Sendable, Equatable {
    /// The folder's name.
    package var name: String
    package var recordings: [Recording]

    package struct Recording: Sendable, Equatable {
        package var path: String
        /// The machine's name, as far as the file's name tells it.
        package var machine: String
    }

    package enum Fault: Error, Equatable, Sendable {
        case nothingGiven
        case unreadableFolder(path: String, SystemError)
        case noRecordings(folder: String)
    }

    /// - Parameter arguments: one folder that holds .dat files, or the .dat files themselves.
    package init(_ arguments: [String]) throws(Fault) {
        guard let first = arguments.first else { throw .nothingGiven }
        var paths: [String] = []
        for argument in arguments {
            guard Folder.exists(argument) else {
                paths.append(argument)
                continue
            }
            let names: [String]
            do throws(SystemError) {
                names = try Folder.names(in: argument)
            } catch {
                throw .unreadableFolder(path: argument, error)
            }
            let recordings = names.filter { $0.hasSuffix(".dat") }
            guard !recordings.isEmpty else { throw .noRecordings(folder: argument) }
            paths += recordings.map { argument.hasSuffix("/") ? argument + $0 : argument + "/" + $0 }
        }
        name = Folder.enclosingName(of: first)
        recordings = paths.map { Recording(path: $0, machine: Self.machineName($0)) }
    }

    /// guest-g3.dat (virtlat), trace-g3.dat and host-g3.dat (trace-cmd, which puts its own file's name in front) are g3's.
    static func machineName(_ path: String) -> String {
        var name = path.split(separator: "/").last.map { String($0) } ?? path
        if name.hasSuffix(".dat") { name.removeLast(4) }
        for prefix in ["guest-", "trace-", "host-"] where name.hasPrefix(prefix) && name.count > prefix.count {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }
}
