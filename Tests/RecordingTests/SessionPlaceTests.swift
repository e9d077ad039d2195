// Where a session may be written, and what stands in the place of its files.

import Foundation
import LinuxSystem
import Recording
import Testing

@Suite struct SessionPlaceTests {
    /// A folder with these rights, in one that only its owner can write.
    private final class Place {
        let outer = FileManager.default.temporaryDirectory.appendingPathComponent("virtlat-\(UUID().uuidString)").path
        var path: String { outer + "/place" }
        var session: String { path + "/session" }

        init(_ mode: mode_t = 0o755) throws {
            try Folder.make(outer, mode: 0o700)
            try make("", mode)
        }

        deinit { try? FileManager.default.removeItem(atPath: outer) }

        /// Whatever the umask says.
        func make(_ name: String, _ mode: mode_t) throws {
            try Folder.make(path + name)
            try #require(chmod(path + name, mode) == 0)
        }

        func write(_ text: String, to name: String) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
        }
        func text(_ name: String) -> String? { TextFile.optional(path + "/" + name) }
        func link(_ name: String, to target: String) throws {
            try #require(symlink(path + "/" + target, path + "/" + name) == 0)
        }

        /// Why a session can't be made there.
        func obstacle(to path: String? = nil) throws -> SessionPlace.Obstacle? {
            do throws(RecordingFault) {
                try SessionPlace.make(path ?? session)
                return nil
            } catch {
                guard case .unsafePlace(let obstacle) = error else { throw error }
                return obstacle
            }
        }

        var mode: UInt32? { PathStatus(of: session, follows: false)?.mode }
    }

    // MARK: The folder

    @Test(arguments: [0o755, 0o700, 0o1777, 0o1775] as [mode_t])
    func `a new session is for its owner only`(mode: mode_t) throws {
        let place = try Place(mode)
        #expect(try place.obstacle() == nil)
        #expect(place.mode == 0o700)
    }

    @Test(arguments: [0o777, 0o757, 0o722] as [mode_t])
    func `a folder in which others could rename the session is refused`(mode: mode_t) throws {
        let place = try Place(mode)
        #expect(try place.obstacle() == .open(path: place.path, mode: UInt32(mode)))
        #expect(place.mode == nil, "it was made")
    }

    @Test func `a folder further up in which others could rename what the session lies in is refused`() throws {
        let place = try Place(0o777)
        try place.make("/inner", 0o700)
        try place.make("/inner/innermost", 0o700)
        let session = place.path + "/inner/innermost/session"
        #expect(try place.obstacle(to: session) == .open(path: Folder.resolved(place.path) ?? "", mode: 0o777))
        #expect(!Folder.exists(session))
        // In a sticky one they can rename nothing of ours.
        try #require(chmod(place.path, 0o1777) == 0)
        #expect(try place.obstacle(to: session) == nil)
    }

    @Test func `an existing folder is taken unless others can write in it`() throws {
        let place = try Place()
        try place.make("/session", 0o755)
        #expect(try place.obstacle() == nil)
        for mode in [0o777, 0o1777, 0o757] as [mode_t] {
            try #require(chmod(place.session, mode) == 0)
            #expect(try place.obstacle() == .open(path: place.session, mode: UInt32(mode)))
        }
    }

    @Test func `a link is refused, with a slash behind it too`() throws {
        let place = try Place()
        try place.make("/other", 0o700)
        try place.link("session", to: "other")
        for end in ["", "/", "//"] {
            #expect(try place.obstacle(to: place.session + end) == .link(path: place.session + end))
        }
    }

    @Test(.enabled(if: geteuid() == 0)) func `where anybody can make folders only our own are taken`() throws {
        let place = try Place(0o1777)
        try place.make("/session", 0o700)
        #expect(try place.obstacle() == nil)
        try #require(chown(place.session, 1, 1) == 0)
        #expect(try place.obstacle() == .foreign(path: place.session))
        // Who owns the folder around it may be trusted with what lies in it.
        try #require(chmod(place.path, 0o755) == 0)
        #expect(try place.obstacle() == nil)
    }

    @Test(.enabled(if: geteuid() == 0)) func `a group counts as others, but the owner's own`() throws {
        let place = try Place(0o775)
        try #require(chown(place.path, 1000, 1000) == 0)
        #expect(try place.obstacle() == nil)
        try #require(chown(place.path, 1000, 100) == 0 && chmod(place.path, 0o775) == 0)
        #expect(try place.obstacle() == .open(path: place.path, mode: 0o775))
    }

    // MARK: Its files

    @Test func `a new file takes the place of a link, and what that leads to stays as it is`() throws {
        let place = try Place()
        try place.write("mine", to: "target")
        try place.link("host.dat.partial", to: "target")
        close(try NewFile.make(place.path + "/host.dat.partial"))
        #expect(place.text("target") == "mine" && place.text("host.dat.partial")?.isEmpty == true)
        #expect(PathStatus(of: place.path + "/host.dat.partial", follows: false)?.mode == 0o600)
    }

    @Test func `a file that is gone on with is no link and no pipe`() throws {
        let place = try Place()
        try place.write("mine", to: "target")
        try place.link("link", to: "target")
        try #require(mkfifo(place.path + "/pipe", 0o600) == 0)
        #expect(throws: SystemError(call: "open", errno: ELOOP)) { try NewFile.continued(place.path + "/link") }
        #expect(throws: SystemError(call: "open", errno: ENXIO)) { try NewFile.continued(place.path + "/pipe") }
        close(try NewFile.continued(place.path + "/target"))
        #expect(place.text("target") == "mine")
    }

    @Test func `a manifest is not written through a link`() throws {
        let place = try Place()
        try place.write("mine", to: "target")
        try place.link("session.json", to: "target")
        #expect(throws: SystemError(call: "open", errno: EEXIST)) {
            _ = try OutputFile(path: place.path + "/session.json", mode: 0o600, other: .refused)
        }
        #expect(place.text("target") == "mine")
    }
}
