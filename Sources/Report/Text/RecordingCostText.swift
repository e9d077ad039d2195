// What recording itself cost, in a line.

import Findings
import Sessions

extension RecordingCost {
    /// CPU time and wake-ups of each machine's recorder, then bytes and events of all; nil when nothing of it is known.
    var text: String? {
        var parts = shares.map { share in
            let costs = [share.cpuTime.map { cpuTime($0) }, share.wakeUps.map { Decimal.counted($0, "wake-up") }]
            return "\(share.role == .host ? "host" : share.machine) \(costs.compactMap { $0 }.joined(separator: ", "))"
        }
        let moved = [
            bytesDuring.map { "\(Decimal.bytes($0)) moved while measuring" },
            bytesAfter.map { "\(Decimal.bytes($0)) after" },
        ].compactMap { $0 }
        if !moved.isEmpty { parts.append(moved.joined(separator: ", ")) }
        if let ownEvents, let allEvents {
            parts.append("\(Decimal.grouped(ownEvents)) of \(Decimal.grouped(allEvents)) events are the recorder's own")
        }
        if packetsLeftOut > 0 {
            parts.append("\(Decimal.counted(packetsLeftOut, "packet")) between recorder and agent left out")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    /// "0.120 s CPU (1.2 %)", of one CPU while the measurement ran.
    private func cpuTime(_ time: Int64) -> String {
        let text = "\(Decimal.seconds(time)) s CPU"
        guard let measured, measured > 0 else { return text }
        return "\(text) (\(Decimal.percent(Double(time) / Double(measured))) %)"
    }
}
