// Where a session's folder may lie: where nobody else can put another file in the place of one that is written there as
// root.

import Glibc
import LinuxSystem

package enum SessionPlace {
    package enum Obstacle: Error, Equatable, Sendable {
        /// Others than its owner can write in the folder, or in one that it lies in.
        case open(path: String, mode: UInt32)
        /// It lies where anybody can make folders, and somebody did.
        case foreign(path: String)
        case link(path: String)
    }

    /// Makes the folder, for its owner only; one that is there is taken if it is safe.
    package static func make(_ folder: String) throws(RecordingFault) {
        if let obstacle = obstacle(to: folder) { throw .unsafePlace(obstacle) }
        do throws(SystemError) {
            try Folder.make(folder, mode: 0o700)
        } catch {
            guard error.errno == EEXIST, Folder.exists(folder) else { throw .folder(path: folder, error.text) }
            // It may have come between the look and the making.
            if let obstacle = obstacle(to: folder) { throw .unsafePlace(obstacle) }
        }
    }

    /// Why nothing is recorded there; nil when it is safe, or can't be told.
    static func obstacle(to folder: String) -> Obstacle? {
        let parent = Folder.parent(of: folder)
        guard let above = PathStatus(of: parent, follows: true) else { return nil }
        // In a sticky one others can make folders too, and do nothing to ours.
        if above.isOpenToOthers, !above.isSticky { return .open(path: parent, mode: above.mode) }
        // Who can rename a folder further up can put another one in its place.
        var ancestor = Folder.resolved(parent) ?? "/"
        while ancestor != "/" {
            ancestor = Folder.parent(of: ancestor)
            guard let status = PathStatus(of: ancestor, follows: false) else { break }
            if status.isOpenToOthers, !status.isSticky { return .open(path: ancestor, mode: status.mode) }
        }
        guard let own = PathStatus(of: Folder.withoutEndingSlashes(folder), follows: false) else { return nil }
        if own.isLink { return .link(path: folder) }
        if own.isFolder, own.isOpenToOthers { return .open(path: folder, mode: own.mode) }
        return above.isOpenToOthers && !own.isOurs ? .foreign(path: folder) : nil
    }
}

extension SessionPlace.Obstacle {
    /// What is wrong, with the folder's name in front.
    package var statement: String {
        switch self {
        case .open(let path, let mode):
            "\(path): others than its owner can write there (mode \(String(mode, radix: 8))), and put something else in the place of what is recorded"
        case .foreign(let path): "\(path): is somebody else's folder, in one where anybody can make folders"
        case .link(let path): "\(path): is a link"
        }
    }

    package var remedy: String {
        switch self {
        case .open(let path, _): "chmod go-w \(path), or give another folder with -o"
        case .foreign: "Give a folder with -o that is not there yet"
        case .link: "Give the folder that it leads to, or another one, with -o"
        }
    }
}
