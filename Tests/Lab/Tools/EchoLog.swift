// The rows of the echo server.

import LinuxSystem

/// One answered packet.
struct EchoRow {
    var sequence: UInt64
    /// Right before and right after the call that receives.
    var awaited, received: Instant
    /// Right before and right after the call that sends; `sent` is `never` when the system would not send the answer.
    var sends, sent: Instant

    static let header = "seq,t_await_ns,t_recv_ns,t_send_ns,t_sent_ns,tsc_await,tsc_recv,tsc_send,tsc_sent"

    var text: String {
        "\(sequence),\(awaited.nanoseconds),\(received.nanoseconds),\(sends.nanoseconds),\(sent.nanoseconds),"
            + "\(awaited.ticks),\(received.ticks),\(sends.ticks),\(sent.ticks)"
    }
}

/// What two threads share: one answers packets, the other writes the log when a signal says so.
final class EchoLog: @unchecked Sendable {
    private let file: LogFile
    private let monitor = Monitor()
    private var rows: [EchoRow]

    init(file: LogFile) {
        self.file = file
        // Written to once, so that no packet waits for the kernel to find a page.
        let none = EchoRow(sequence: 0, awaited: .never, received: .never, sends: .never, sent: .never)
        rows = Array(repeating: none, count: 1 << 16)
        rows.removeAll(keepingCapacity: true)
    }

    /// Answers a packet and keeps its row. Both happen or neither: no answer leaves that the log does not tell of.
    func answer(_ message: Message, awaited: Instant, received: Instant, send: () -> Bool) -> Bool {
        monitor.locked {
            let sends = Instant.now()
            let succeeded = send()
            let sent = Instant.now()
            rows.append(
                EchoRow(
                    sequence: message.sequence, awaited: awaited, received: received, sends: sends,
                    sent: succeeded ? sent : .never))
            return succeeded
        }
    }

    /// Writes the log. The lock is never given back: nothing is answered any more.
    func close() throws(Failure) {
        monitor.lock()
        try file.commit(header: EchoRow.header, rows: rows.count) { rows[$0].text }
    }
}
