// What the application in the guest and the client outside wrote down of the same packets: the truth, known without any
// trace.

import Foundation
import Testing

/// One packet as the echo server saw it, in host time (ns).
struct EchoedPacket: Sendable {
    var sequence: Int
    /// Right after recvfrom returned.
    var received: Int64
    /// Right before sendto.
    var sends: Int64
    /// Right after sendto returned.
    var sent: Int64
}

/// Logs of both ends of one recording.
struct ApplicationLog: Sendable {
    /// In the order of the application, which is one thread.
    let echoed: [EchoedPacket]
    /// Sequence number to the client's clock when it sent (earliest) and when it heard the answer (latest), in host
    /// time.
    let client: [Int: (earliestSend: Int64, latestReceive: Int64)]

    init(_ recording: Recording) throws {
        let echo = try Table(file: recording.folder + "/echo-3.csv")
        echoed = try echo.rows.map { row in
            let instant = { (column: String) in recording.hostTime(tsc: try echo.number(row, column)) }
            return EchoedPacket(
                sequence: Int(try echo.number(row, "seq")), received: try instant("tsc_recv"),
                sends: try instant("tsc_send"),
                sent: try instant("tsc_sent"))
        }
        let ping = try Table(file: recording.folder + "/ping.csv")
        var times: [Int: (send: Int64, receive: Int64)] = [:]
        for row in ping.rows where try ping.number(row, "rtt_ns") > 0 {
            times[Int(try ping.number(row, "seq"))] = (
                try ping.number(row, "t_send_ns"), try ping.number(row, "t_recv_ns")
            )
        }
        // The client's clock is another one. Causality bounds their difference: the guest receives after the client
        // sent, and the client hears the answer after the guest sent it.
        var lowest = Int64.min
        var highest = Int64.max
        for packet in echoed {
            guard let times = times[packet.sequence] else { continue }
            lowest = max(lowest, packet.sends - times.receive)
            highest = min(highest, packet.received - times.send)
        }
        try #require(lowest <= highest, "the logs of \(recording) contradict each other")
        client = times.mapValues { [lowest, highest] in ($0.send + lowest, $0.receive + highest) }
    }
}

/// A CSV file of numbers and plain words.
struct Table: Sendable {
    var columns: [String: Int] = [:]
    var rows: [[Substring]]

    init(file: String) throws {
        self.init(String(decoding: try Data(contentsOf: URL(fileURLWithPath: file)), as: UTF8.self))
    }

    init(_ text: String) {
        rows = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        guard !rows.isEmpty else { return }
        for (index, name) in rows.removeFirst().enumerated() { columns[String(name)] = index }
    }

    func word(_ row: [Substring], _ column: String) throws -> String {
        let index = try #require(columns[column], "there is no column \(column)")
        try #require(index < row.count, "a row is too short for \(column): \(row.joined(separator: ","))")
        return String(row[index])
    }

    func number(_ row: [Substring], _ column: String) throws -> Int64 {
        let word = try word(row, column)
        return try #require(Int64(word), "\(column) is \(word), not a whole number")
    }
}
