// Folders for the files of one test.

import Foundation

/// A new folder below the system's temporary one, there until `remove`.
struct TemporaryFolder: Sendable {
    let path: String

    /// - Parameter name: the folder's own name, where it matters: reports call a session by it.
    init(named name: String = "session") throws {
        path =
            FileManager.default.temporaryDirectory.appendingPathComponent("virtlat-\(UUID().uuidString)/\(name)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: (path as NSString).deletingLastPathComponent) }

    func path(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    @discardableResult
    func copy(_ file: String, to name: String) throws -> String {
        try FileManager.default.copyItem(atPath: file, toPath: path(name))
        return path(name)
    }

    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
    }

    /// What lies in it, sorted.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}
