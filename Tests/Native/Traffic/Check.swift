// native-traffic check: the table of kinds, and what virtlat says wrongly.

import ArgumentParser
import Foundation
import LinuxSystem

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold what virtlat says against the log of run.",
        discussion: """
            Each packet that was sent or read must be in the table once, in the direction it went; app.send must lie \
            within the call that sent it, app.read within the call that returned it. A packet that was read may be \
            ambiguous or not-recorded, which is counted; any other reason is false.

            EXIT STATUS
              0   all of it holds
              1   a file can't be read, or tells of another time
              3   something is wrong
            """)

    @Option(help: ArgumentHelp("The log of native-traffic run.", valueName: "folder"), completion: .directory)
    var log: String

    @Option(help: ArgumentHelp("What virtlat analyze --packets wrote.", valueName: "file"), completion: .file())
    var packets: String

    @Option(help: ArgumentHelp("What virtlat analyze --format json printed.", valueName: "file"), completion: .file())
    var report: String?

    @Option(help: "How many findings of each kind are printed.")
    var findings = 4

    @Flag(help: "Only kinds that don't hold.")
    var faults = false

    func run() throws {
        let spans = try lines("kinds.csv").compactMap(KindRow.init)
        let calls = Dictionary(grouping: try lines("calls.csv").compactMap(CallRow.init), by: \.kind)
        var devices: [Side: String] = [:]
        for line in try lines("network.csv") {
            let cells = line.split(separator: ",")
            if let side = Side(rawValue: String(cells[0])) { devices[side] = String(cells[1]) }
        }
        let journeys = try Journey.table(packets).filter { devices.values.contains($0.device) }
        var holds = true
        if let report { holds = try expectSums(report, journeys, devices) }

        print(Verdict.header)
        var details: [String] = []
        for (index, span) in spans.enumerated() {
            var verdict = Verdict(kind: span.kind)
            if span.refusal.isEmpty, let kind = Kind.named(span.kind) {
                let end = spans[(index + 1)...].first { $0.refusal.isEmpty }?.begin ?? .max
                let mine = journeys.filter { span.begin <= $0.onDevice && $0.onDevice < end }
                verdict = Truth.hold(kind, calls[span.kind] ?? [], mine, devices)
            } else {
                verdict.refusal = span.refusal
            }
            if !verdict.holds || !faults { print(verdict.line) }
            if verdict.holds { continue }
            holds = false
            details += ["", verdict.kind] + verdict.findings.prefix(findings).map { "  " + $0 }
            if verdict.findings.count > findings { details.append("  and \(verdict.findings.count - findings) more") }
        }
        for line in details { print(line) }
        if !holds { throw ExitCode(3) }
    }

    private func lines(_ name: String) throws -> ArraySlice<Substring> {
        do {
            let bytes = try TextFile.bytes(of: "\(log)/\(name)", limit: 1 << 28)
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst()
        } catch {
            throw Failure("\(log)/\(name): \(error.call): \(error.text)")
        }
    }

    /// Seen is complete and incomplete, and as many as the table has rows; nothing was lost while recording.
    private func expectSums(_ path: String, _ journeys: [Journey], _ devices: [Side: String]) throws -> Bool {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard let report = try JSONSerialization.jsonObject(with: data) as? [String: Any],
            let flows = report["flows"] as? [[String: Any]]
        else { throw Failure("\(path): no report of virtlat") }
        let machines = (report["session"] as? [String: Any])?["machines"] as? [[String: Any]] ?? []
        let lost = machines.compactMap { $0["lost_events"] as? Int }.reduce(0, +)
        var holds = true
        if lost > 0 { print("\(lost) EVENTS WERE LOST: record again") }
        for flow in flows {
            guard let device = flow["device"] as? String, devices.values.contains(device),
                let direction = flow["direction"] as? String,
                let packets = flow["packets"] as? [String: Any], let seen = packets["seen"] as? Int,
                let complete = packets["complete"] as? Int, let incomplete = packets["incomplete"] as? [String: Int]
            else { continue }
            let rows = journeys.filter { $0.device == device && $0.direction.rawValue == direction }.count
            let sum = complete + incomplete.values.reduce(0, +)
            if seen != sum || seen != rows {
                print("\(device) \(direction): seen \(seen), complete and incomplete \(sum), rows \(rows)")
                holds = false
            }
        }
        return holds && lost == 0
    }
}
