// Sessions into a comparison: each is analyzed by itself, one after the other.

import Findings
import GuestClocks
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
        if format == .csv { comparison.warnings.forEach { Failure.warn($0.text) } }
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
        let session = try Session([folder])
        try session.check(guest: guest, named: session.files.name)
        let pass = SessionPass(
            session, clock: clock, filter: JourneyFilter(guest: guest, device: device, direction: direction))
        let collector = SampleCollector()
        var progress = PassProgress(of: session.files.name)
        let findings = try SessionFindings(pass, beside: [collector]) { progress.show($0, $1) }
        return ComparedSession(findings, collector)
    }
}
