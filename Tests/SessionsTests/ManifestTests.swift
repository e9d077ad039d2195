// session.json: what is written is what is read, and the form is the one that was agreed.

import Foundation
import Sessions
import Testing

@Suite struct ManifestTests {
    @Test func `a manifest is read as it was written`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let manifest = Manifest.full
        try manifest.write(folder: folder.path)
        #expect(try Manifest.read(folder: folder.path) == manifest)
        // What is unknown stays unknown.
        let bare = Manifest.bare
        try bare.write(folder: folder.path)
        #expect(try Manifest.read(folder: folder.path) == bare)
        #expect(folder.names == [Manifest.fileName], "something else was left behind")
    }

    @Test func `keys are words in lower case with underscores`() throws {
        for manifest in [Manifest.full, .bare] {
            let keys = keys(try JSONSerialization.jsonObject(with: Data(manifest.encoded())))
            #expect(keys.count > 20)
            #expect(keys.filter { $0.wholeMatch(of: #/[a-z0-9]+(_[a-z0-9]+)*/#) == nil } == [])
        }
    }

    @Test func `the keys that others read by name are there`() throws {
        let top = try #require(try JSONSerialization.jsonObject(with: Data(Manifest.full.encoded())) as? [String: Any])
        let known: Set = [
            "schema", "recorder", "started", "outcome", "faults", "command", "command_status", "trace_clock",
            "transfer", "measured",
            "machines", "topology", "binding", "clocks",
        ]
        #expect(Set(top.keys) == known)
        #expect(top["outcome"] as? String == "cut-off")
        #expect((top["measured"] as? [String: Int]) == ["begin_ns": 1_000, "end_ns": 2_000])
    }

    @Test func `a trace id keeps all of its 64 bits`() throws {
        let text = String(decoding: Manifest.full.encoded(), as: UTF8.self)
        #expect(text.contains("\"trace_id\" : 18446744073709551615"))
    }

    @Test func `a folder without a manifest has none, which is no error`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(try Manifest.read(folder: folder.path) == nil)
    }

    @Test func `another schema is told before its contents are looked at`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write("{ \"schema\": 2, \"machines\": \"elsewhere\" }")
        #expect(throws: Manifest.Fault.unsupportedSchema(path: file, found: 2)) {
            try Manifest.read(folder: folder.path)
        }
    }

    private static let notJSON = "it is not JSON, or holds a number that is out of range"

    @Test(arguments: [
        ("", notJSON), ("{ \"schema\": 1, ", notJSON), ("{ \"schema\": 1e40 }", notJSON),
        ("[]", "is of the wrong kind"),
        ("{}", "schema is missing"),
        ("{ \"schema\": \"1\" }", "schema is of the wrong kind"), ("{ \"schema\": 1 }", "recorder is missing"),
    ])
    func `a manifest that can't be read is a fault that names the place`(text: String, reason: String) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = try folder.write(text)
        #expect(throws: Manifest.Fault.malformed(path: file, reason: reason)) { try Manifest.read(folder: folder.path) }
    }

    @Test(arguments: [
        ("\"role\" : \"guest\"", "\"role\" : \"router\"", "machines[1].role can't be read"),
        ("\"begin_ns\" : 1000", "\"begin_ns\" : null", "measured.begin_ns is null"),
        ("\"host_sent\" : 1", "\"host_sent\" : true", "clocks[0].exchanges[0].host_sent is of the wrong kind"),
        ("\"vcpus\" :", "\"cpus\" :", "topology.vms[0].vcpus is missing"),
    ])
    func `a value that can't be meant is a fault that names its key`(old: String, new: String, reason: String) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let text = String(decoding: Manifest.full.encoded(), as: UTF8.self)
        try #require(text.contains(old), "\(text)")
        let file = try folder.write(text.replacingOccurrences(of: old, with: new))
        #expect(throws: Manifest.Fault.malformed(path: file, reason: reason)) { try Manifest.read(folder: folder.path) }
    }

    /// Every key in a JSON document, at any depth.
    private func keys(_ value: Any) -> [String] {
        if let list = value as? [Any] { return list.flatMap { keys($0) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.keys + object.values.flatMap { keys($0) }
    }
}
