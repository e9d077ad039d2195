// lab-tools echo: answers packets with themselves and logs when it saw them.

import ArgumentParser
import Glibc
import LinuxSystem

struct Echo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer each packet with the same bytes, and log when.",
        discussion: """
            Listens on all IPv4 addresses. One thread, the first of the process, sleeps in recvfrom (TCP: recv), answers and sleeps \
            again; TCP connections are served one after another. Bytes that lab-tools ping did not send are not answered and not \
            logged. SIGTERM or SIGINT writes the log, as FILE.partial until it is complete, and ends with status 0.

            COLUMNS
              seq         sequence number
              t_await_ns  right before the call that received (TCP: the first one for this message)
              t_recv_ns   right after it returned (TCP: after the one that completed the message)
              t_send_ns   right before the call that sent the answer
              t_sent_ns   right after it returned; 0 when the system did not send the answer
              tsc_await, tsc_recv, tsc_send, tsc_sent
                          the same in ticks
            """)

    @Option(name: .customLong("protocol"), help: "What to answer: udp or tcp.")
    var transport: Transport

    @Option(help: "The port to listen on.")
    var port: UInt16

    @Option(help: ArgumentHelp("Where the log goes.", valueName: "file"), completion: .file())
    var log: String

    @Option(help: ArgumentHelp("A file to create when packets can come.", valueName: "file"), completion: .file())
    var ready: String?

    func validate() throws {
        guard port > 0 else { throw ValidationError("--port 0 is no port.") }
    }

    func run() throws {
        StopSignals.block()
        if let ready { unlink(ready) }
        let log = EchoLog(file: try LogFile(path: log))
        do {
            let socket = try Socket(transport)
            let everywhere = Endpoint("0.0.0.0", port: port)!
            try transport == .udp ? socket.bind(to: everywhere) : socket.listen(on: everywhere)
            try StopSignals.onArrival { _ throws(Failure) in
                try log.close()
                return 0
            }
            if let ready { try create(ready) }
            do {
                try transport == .udp ? answerDatagrams(socket, log) : answerConnections(socket, log)
            } catch {
                try log.close()
                throw error
            }
        } catch let error as SystemError {
            throw Failure("port \(port)", error)
        }
    }

    private func create(_ path: String) throws(SystemError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SystemError(call: "open \(path)") }
        close(descriptor)
    }

    /// A full queue below must not keep the signal's thread from the log.
    private static let longestSendNS: Int64 = 1_000_000_000

    private func answerDatagrams(_ socket: borrowing Socket, _ log: EchoLog) throws(SystemError) {
        let descriptor = socket.descriptor
        let buffer = MessageBuffer()
        let start = buffer.bytes.baseAddress!
        try socket.limit(SO_SNDTIMEO, nanoseconds: Self.longestSendNS)
        while true {
            var peer = sockaddr()
            var peerBytes = Endpoint.bytes
            let awaited = Instant.now()
            let count = recvfrom(descriptor, start, buffer.bytes.count, 0, &peer, &peerBytes)
            let received = Instant.now()
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "recvfrom")
            }
            guard let message = Message(UnsafeRawBufferPointer(start: start, count: count)), message.length == count
            else { continue }
            _ = log.answer(message, awaited: awaited, received: received) {
                sendto(descriptor, start, count, 0, &peer, peerBytes) == count
            }
        }
    }

    private func answerConnections(_ listener: borrowing Socket, _ log: EchoLog) throws(SystemError) {
        while true {
            let connection = try listener.accept()
            try connection.limit(SO_SNDTIMEO, nanoseconds: Self.longestSendNS)
            var reader = MessageReader()
            // Whatever ends a connection, the next one is served.
            while let arrival = try? reader.next(from: connection) {
                let answered = log.answer(arrival.message, awaited: arrival.awaited, received: arrival.received) {
                    (try? connection.send(arrival.bytes)) != nil
                }
                guard answered else { break }
            }
        }
    }
}
