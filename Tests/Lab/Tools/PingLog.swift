// The rows of the client: what was sent, what was answered.

import LinuxSystem

/// Shared by the thread that sends, the one that receives and the one that waits for signals.
final class PingLog: @unchecked Sendable {
    private let file: LogFile
    // Two locks: a burst must not keep answers from being taken.
    private let sending = Monitor()
    private let receiving = Monitor()
    private var sends: [(before: Instant, after: Instant)]
    /// By sequence number.
    private var answers: [Instant]
    private var answered = 0
    private var duplicates = 0
    /// When nothing more will be sent, how much was sent and since when nothing has come.
    private var end: (sent: Int, quietSinceNS: Int64)?

    init(file: LogFile, count: Int) {
        self.file = file
        // Written to once, so that no packet waits for the kernel to find a page.
        sends = Array(repeating: (.never, .never), count: count)
        sends.removeAll(keepingCapacity: true)
        answers = Array(repeating: .never, count: count)
    }

    /// Sends a packet and keeps its row: both happen or neither.
    func send(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        sending.lock()
        defer { sending.unlock() }
        let before = Instant.now()
        try body()
        sends.append((before, .now()))
    }

    func take(answer sequence: UInt64, at instant: Instant) {
        receiving.locked {
            guard sequence < answers.count else { return }
            guard answers[Int(sequence)].nanoseconds == 0 else {
                duplicates += 1
                return
            }
            answers[Int(sequence)] = instant
            answered += 1
            end?.quietSinceNS = instant.nanoseconds
        }
    }

    func endSending() {
        let sent = sending.locked { sends.count }
        receiving.locked { end = (sent, monotonicNanoseconds()) }
    }

    /// Whether nothing more is worth waiting for.
    func isOver(timeoutNS: Int64) -> Bool {
        receiving.locked {
            guard let end else { return false }
            return answered >= end.sent || monotonicNanoseconds() - end.quietSinceNS > timeoutNS
        }
    }

    private static let header = "seq,t_send_ns,t_sent_ns,t_recv_ns,rtt_ns,tsc_send,tsc_sent,tsc_recv"

    /// Writes the log. The locks are never given back: nothing is sent or received any more.
    func close() throws(Failure) -> RoundTrips {
        sending.lock()
        receiving.lock()
        var trips = RoundTrips(sent: sends.count, duplicates: duplicates)
        try file.commit(header: Self.header, rows: sends.count) { sequence in
            let (before, after) = sends[sequence]
            let answer = answers[sequence]
            let roundTripNS = answer.nanoseconds == 0 ? -1 : answer.nanoseconds - before.nanoseconds
            if roundTripNS >= 0 { trips.nanoseconds.append(roundTripNS) }
            return "\(sequence),\(before.nanoseconds),\(after.nanoseconds),\(answer.nanoseconds),\(roundTripNS),"
                + "\(before.ticks),\(after.ticks),\(answer.ticks)"
        }
        return trips
    }
}
