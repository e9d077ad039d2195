// lab-tools ping: sends packets to an echo server and logs when they left and when their answers came.

import ArgumentParser
import Glibc
import LinuxSystem

struct Ping: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send packets to lab-tools echo, and log when they left and came back.",
        discussion: """
            UDP: one burst every interval, while a second thread receives; after the last packet it waits until all answers are \
            there or none has come for the timeout. TCP: one message, its answer, then the next one, an interval after the one before \
            at the earliest.

            A message begins with its sequence number (8 bytes), a magic word (4) and the length of the message (4), all big-endian; \
            zeros follow. SIGINT and SIGTERM write the log of what was sent until then.

            COLUMNS
              seq         sequence number, from 0; a row for each packet sent
              t_send_ns   right before the call that sent
              t_sent_ns   right after it returned, which may be later than the answer
              t_recv_ns   right after the answer was received; 0 when there was none
              rtt_ns      t_recv_ns - t_send_ns; -1 when there was no answer
              tsc_send, tsc_sent, tsc_recv
                          the same in ticks

            EXIT STATUS
              0    every packet was answered
              1    the system, the connection or the log failed
              3    some packets were not answered
              64   wrong usage
              130  SIGINT
              143  SIGTERM
            """)

    @Option(name: .customLong("protocol"), help: "What to send: udp or tcp.")
    var transport: Transport

    @Option(help: ArgumentHelp("Where the log goes.", valueName: "file"), completion: .file())
    var log: String

    @Option(help: "How many packets to send, 1000000 at the most.")
    var count = 300

    @Option(help: "From one burst to the next (10ms, 500us, 2s).")
    var interval = Duration(argument: "10ms")!

    @Option(help: "Packets sent back to back; 1 for TCP.")
    var burst = 1

    @Option(help: "Bytes of each packet's payload, 16 to 65507.")
    var size = 64

    @Option(help: "How long to wait for an answer, and for a TCP connection.")
    var timeout = Duration(argument: "2s")!

    @Argument(help: "The server's IPv4 address.")
    var address: String

    @Argument(help: "The server's port.")
    var port: UInt16

    func validate() throws {
        guard (1...1_000_000).contains(count) else {
            throw ValidationError("--count \(count) is not from 1 to 1000000.")
        }
        guard (1...1_000_000).contains(burst) else {
            throw ValidationError("--burst \(burst) is not from 1 to 1000000.")
        }
        guard transport == .udp || burst == 1 else {
            throw ValidationError("--burst is for UDP: TCP sends one message at a time.")
        }
        guard Message.lengths.contains(size) else { throw ValidationError("--size \(size) is not from 16 to 65507.") }
        guard timeout.nanoseconds > 0 else {
            throw ValidationError("--timeout \(timeout) leaves no time for an answer.")
        }
        guard port > 0, Endpoint(address, port: port) != nil else {
            throw ValidationError("\(address) \(port) is no IPv4 address with a port.")
        }
    }

    func run() throws {
        StopSignals.block()
        let log = PingLog(file: try LogFile(path: log), count: count)
        try StopSignals.onArrival { signal throws(Failure) in
            print(try log.close())
            return 128 + signal
        }
        var failure: Failure?
        do {
            try transport == .udp ? exchangeDatagrams(log) : exchangeMessages(log)
        } catch {
            failure = describe(error)
        }
        let trips = try log.close()
        print(trips)
        if let failure { throw failure }
        if trips.unanswered > 0 { throw ExitCode(3) }
    }

    private func describe(_ error: any Error) -> Failure {
        switch error {
        case MessageReader.Fault.system(let error), let error as SystemError:
            [EAGAIN, EINPROGRESS].contains(error.errno)
                ? Failure("\(address) \(port): \(error.call): nothing happened for \(timeout)")
                : Failure("\(address) \(port)", error)
        case MessageReader.Fault.closed: Failure("\(address) \(port): the server closed the connection")
        case MessageReader.Fault.stranger: Failure("\(address) \(port): what came is not the answer of lab-tools echo")
        default: Failure("\(error)")
        }
    }
}
