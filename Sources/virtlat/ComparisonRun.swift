// Sessions into a comparison: each is analyzed by itself, one after the other.

import LinuxSystem
import PacketPath
import Report
import Sessions

/// What `virtlat compare` does, for every verb that ends with a comparison.
struct ComparisonRun {
    typealias Arm = (name: String, folders: [String])

    var arms: [Arm]
    var clock = ClockSelection.automatic
    var guest: String?
    var device: String?
    var direction: Direction?
    /// Of the intervals' resampling: the same for everybody, so that one comparison is printed one way.
    var seed: UInt64 = Self.defaultSeed

    static let defaultSeed: UInt64 = 1

    enum Format: String, CaseIterable { case text, json, csv }

    /// Compares sessions and prints what they say, as text.
    /// - Parameter arms: the first is what the others are held against.
    static func print(arms: [Arm]) throws { try print(try ComparisonRun(arms: arms).comparison(), [], .text) }

    /// Writes a comparison, and what became of limits: in it where that is text, else beside it.
    static func print(_ comparison: Comparison, _ checks: [BudgetCheck], _ format: Format) throws {
        var output = OutputStream.standardOutput()
        switch format {
        case .text:
            let colour = Terminal.outputHasColour
            try output.write(ComparisonText.text(comparison, colour: colour))
            if !checks.isEmpty { try output.write(BudgetReport.text(checks, colour: colour)) }
        case .json: try output.write(bytes: ComparisonJSON.bytes(comparison))
        case .csv: try output.write(ComparisonCSV.text(comparison))
        }
        try output.flush()
        // Where what is printed has no place for it.
        if format == .csv { comparison.warnings.forEach { Failure.warn($0) } }
        if format != .text { BudgetReport.complaints(checks).forEach { Failure.warn($0) } }
    }

    func comparison() throws -> Comparison {
        var compared: [ComparedArm] = []
        for arm in arms {
            compared.append(ComparedArm(name: arm.name, sessions: try arm.folders.map { try session($0) }))
        }
        var progress = ProgressLine("comparing")
        defer { progress.clear() }
        return Comparison(compared, seed: seed) { progress.show($0) }
    }

    private func session(_ folder: String) throws -> ComparedSession {
        var session = try SessionAnalysis([folder])
        var result: ComparedSession?
        try session.run(clock, name: session.files.name) { session, clocks, isFinal in
            try checkName(session)
            let analysis = try Analysis(session.machines)
            let filter = JourneyFilter(guest: guest, device: device, direction: direction, measured: session.files.manifest?.measured)
            let breakdown = Breakdown(analysis, filter: filter)
            let collector = SampleCollector(analysis)
            let swings = SwingCount(clocks)
            breakdown.onJourney = { journey in
                collector.take(journey)
                swings.count(journey)
            }
            var progress = ProgressLine("analyzing \(session.files.name)")
            let account = try analysis.run(into: breakdown) { progress.show($0) }
            progress.clear()
            if !isFinal, analysis.doubtsClocks(account) { return false }
            let report = AnalysisReport(
                files: session.files, analysis: analysis, account: account, breakdown: breakdown, filter: filter, clocks: clocks,
                inSwings: swings.packets)
            result = ComparedSession(report, collector)
            return true
        }
        guard let result else { preconditionFailure("a session was analyzed without a result") }
        return result
    }

    private func checkName(_ session: SessionAnalysis) throws {
        let guests = session.machines.guests.map(\.name)
        if let guest, !guests.contains(guest) {
            throw Failure(
                "there is no guest \(guest) in \(session.files.name); it has " + (guests.isEmpty ? "none" : guests.joined(separator: ", ")))
        }
    }
}
