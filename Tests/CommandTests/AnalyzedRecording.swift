// Each recording is analyzed once; the tests that look at the results share them.

import Testing

/// What virtlat says of a whole recording.
struct AnalyzedRecording: Sendable {
    var json: JSON
    var jsonText: String
    /// The packet table as it was written.
    var table: String
    var journeys: [JourneyRow]

    static func of(_ recording: Recording) async throws -> AnalyzedRecording {
        try await Shelf.shared.result(recording)
    }

    fileprivate static func analyze(_ recording: Recording) async throws -> AnalyzedRecording {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let run = try await Command.virtlat(
            "analyze", recording.folder, "--format", "json", "--packets", folder.path("packets.csv"))
        try #require(run.status == 0, "analyzing \(recording) fails: \(run.errors)")
        let table = try folder.text("packets.csv")
        return AnalyzedRecording(
            json: try JSON(run.output), jsonText: run.output, table: table, journeys: try JourneyRow.rows(table))
    }

    /// The flow of a direction; the recordings have one guest with one device.
    func flow(_ direction: String) throws -> JSON {
        try #require(json["flows"].list.first { $0["direction"] == .text(direction) }, "there is no flow \(direction)")
    }

    /// Complete journeys of the application's packets.
    func complete(_ direction: String) -> [JourneyRow] {
        journeys.filter { $0.direction == direction && $0.isComplete && $0.length == Recording.packetLength }
    }

    private actor Shelf {
        static let shared = Shelf()
        private var tasks: [Recording: Task<AnalyzedRecording, any Error>] = [:]

        func result(_ recording: Recording) async throws -> AnalyzedRecording {
            let task = tasks[recording] ?? Task { try await AnalyzedRecording.analyze(recording) }
            tasks[recording] = task
            return try await task.value
        }
    }
}
