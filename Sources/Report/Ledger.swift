// What recording itself cost, in a line: a measurement that disturbs what it measures must say by how much.

import PacketPath
import Sessions

extension AnalysisReport {
    /// CPU time and wake-ups of each machine's recorder, then bytes and events of all; nil when nothing of it is known.
    var ledger: String? {
        let recorded = files.recordings.compactMap(\.recorded)
        let costs = recorded.compactMap { machine -> String? in
            let parts = [cpuTime(machine.disturbance), machine.disturbance.wakeUps.map { Decimal.counted($0, "wake-up") }].compactMap { $0 }
            return parts.isEmpty ? nil : "\(machine.role == .host ? "host" : machine.name) \(parts.joined(separator: ", "))"
        }
        let totals = recorded.map(\.disturbance)
        let moved = [
            Self.sum(totals, \.bytesDuring).map { "\(Decimal.bytes($0)) moved while measuring" },
            Self.sum(totals, \.bytesAfter).map { "\(Decimal.bytes($0)) after" },
        ].compactMap { $0 }
        var parts = costs
        if !moved.isEmpty { parts.append(moved.joined(separator: ", ")) }
        if let own = Self.sum(totals, \.ownEvents), let all = Self.sum(totals, \.allEvents) {
            parts.append("\(Decimal.grouped(own)) of \(Decimal.grouped(all)) events are the recorder's own")
        }
        let left = account.machines.reduce(0) { $0 + $1.recorderPackets }
        if left > 0 { parts.append("\(Decimal.counted(left, "packet")) between recorder and agent left out") }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    /// "0.120 s CPU (1.2 %)", of one CPU while the measurement ran.
    private func cpuTime(_ disturbance: Disturbance) -> String? {
        guard let time = disturbance.cpuTime else { return nil }
        let text = "\(Decimal.seconds(time)) s CPU"
        guard let measured = measuredDuration, measured > 0 else { return text }
        return "\(text) (\(Decimal.percent(Double(time) / Double(measured))) %)"
    }

    /// The sum over all machines; nil when one of them does not say, because a part is not the whole.
    private static func sum(_ disturbances: [Disturbance], _ count: KeyPath<Disturbance, Int?>) -> Int? {
        let counts = disturbances.compactMap { $0[keyPath: count] }
        guard !counts.isEmpty, counts.count == disturbances.count else { return nil }
        return counts.reduce(0) { $0 &+ $1 }
    }
}
