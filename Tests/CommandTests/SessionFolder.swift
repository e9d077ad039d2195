// A session folder as virtlat record leaves it, made of a recording in traces/ and a manifest to try things with.

import Foundation
import Sessions
import Testing

/// host.dat, guest-g3.dat and session.json, there until `remove`.
struct SessionFolder {
    let folder: TemporaryFolder
    var manifest: Manifest

    /// - Parameter recording: whose files are linked to.
    init(_ recording: Recording = .steady) throws {
        folder = try TemporaryFolder(named: recording.name)
        let files = FileManager.default
        try files.createSymbolicLink(atPath: folder.path("host.dat"), withDestinationPath: recording.host)
        try files.createSymbolicLink(atPath: folder.path("guest-g3.dat"), withDestinationPath: recording.guest)
        manifest = Manifest(
            recorder: "virtlat 0.1.0", started: "2026-11-22T18:18:09Z", outcome: .complete, traceClock: "x86-tsc",
            transfer: .after,
            machines: [
                RecordedMachine(
                    name: "l1", role: .host, file: "host.dat", release: "6.1.0-56-amd64", cpus: 2,
                    traceID: try Self.traceID(recording.host),
                    events: [], absentEvents: [], bufferKiB: 8192),
                RecordedMachine(
                    name: "g3", role: .guest, file: "guest-g3.dat", release: "6.1.0-56-amd64", cpus: 1,
                    traceID: try Self.traceID(recording.guest), events: [], absentEvents: [], bufferKiB: 8192),
            ],
            topology: Topology(
                host: HostSystem(
                    name: "l1", release: "6.1.0-56-amd64", cpus: 2, haltPoll: nil, postedInterrupts: nil, nics: []),
                vms: []))
    }

    func remove() { folder.remove() }

    /// Option TRACEID, 11.
    static func traceID(_ file: String) throws -> UInt64 {
        let file = try RecordedFile(file)
        let option = try #require(file.options.first { $0.id == 11 })
        return UInt64(bitPattern: Int64(file.number(at: option.data.lowerBound, bytes: 8)))
    }

    /// Writes the manifest as it is now and analyzes the folder.
    func analyze(_ options: String...) async throws -> Run {
        try manifest.write(folder: folder.path)
        return try await Command.virtlat(["analyze", folder.path] + options)
    }

    /// Rows of --packets with the manifest as it is now.
    func rows(_ options: String...) async throws -> [JourneyRow] {
        try manifest.write(folder: folder.path)
        let run = try await Command.virtlat(
            ["analyze", folder.path, "--packets", folder.path("packets.csv")] + options)
        try #require(run.status == 0, "\(run.errors)")
        return try JourneyRow.rows(folder.text("packets.csv"))
    }
}
