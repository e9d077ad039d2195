// Where one kind runs: its network, its log, and the threads that read while it sends.

import CNativeTraffic
import Glibc
import LinuxSystem
import Synchronization

/// How datagrams are sent: how many, how large, how fast, and what becomes of them on the wire.
struct Pattern: Sendable {
    enum Frames: Sendable {
        /// Each datagram is one.
        case each
        /// All datagrams of a call are one (UDP_SEGMENT).
        case shared
        /// Each datagram is so many.
        case fragments(Int)
    }

    var count = 100
    /// Bytes of a datagram's payload.
    var size = 256
    /// Datagrams that one call sends.
    var perCall = 1
    /// Calls without a pause between them.
    var burst = 1
    var pauseNS: Int64 = 300_000
    var frames = Frames.each
    var carrier = Carrier.ipv4
    /// Bytes before the payload on the wire, where they are not the carrier's; 0 where nobody knows.
    var headers: Int?
    /// Where the sequence number lies in what the reader gets.
    var offset = 0
    /// How many of them are read at all; nil for all.
    var read: Int?
    /// Sender and reader have their CPUs for themselves.
    var isAlone = false
    var senderCPU: Int32 = 1
    var readerCPU: Int32 = 0

    /// The length of a frame; 0 where they are not all of one length.
    var wire: Int {
        let headers = headers ?? carrier.headers
        if headers == 0 { return 0 }
        switch frames {
        case .each: return headers + size
        case .shared: return headers + size * perCall
        case .fragments: return 0
        }
    }
}

final class Bench: @unchecked Sendable {
    let kind: String
    let network: Network
    /// One that nobody has used yet in this run.
    let port: UInt16
    private(set) var rows: [CallRow] = []
    private var descriptors: [Int32] = []

    init(_ kind: String, _ network: Network, port: UInt16) {
        self.kind = kind
        self.network = network
        self.port = port
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// Closed when the kind is over.
    func keep(_ descriptor: Int32) -> Int32 {
        descriptors.append(descriptor)
        return descriptor
    }

    /// A socket of side b that reads, and one of side a that is connected to it.
    func pair(_ carrier: Carrier = .ipv4) throws -> (sender: Int32, reader: Int32) {
        if let refusal = network.refused[carrier] { throw Refusal(refusal) }
        let reader = keep(try network.bound(.b, carrier, port: port))
        return (try sender(carrier), reader)
    }

    func sender(_ carrier: Carrier = .ipv4, port: UInt16? = nil) throws -> Int32 {
        let sender = keep(try network.bound(.a, carrier, port: port ?? self.port))
        try network.connect(sender, .b, carrier, port: port ?? self.port)
        return sender
    }

    func note(_ more: [CallRow]) { rows += more }

    // MARK: Datagrams

    /// Sends by one thread, this one, and reads by others, until all is read or nothing has come for 300 ms.
    /// - Parameters:
    ///   - send: sends the bytes of one call; the number is the call's.
    ///   - readers: each looks once for datagrams, a thread of its own for each.
    func exchange(
        _ pattern: Pattern = Pattern(), send: (Int, UnsafeMutableRawBufferPointer) throws -> Void,
        readers: [@Sendable (Reader) -> Void]
    ) throws {
        let state = ExchangeState(expected: pattern.read ?? pattern.count)
        do {
            // Joined when they go out of scope.
            let threads = try readers.map { body in
                let reader = Reader(self.kind, pattern.offset, state)
                return Joined(
                    reader, try ReaderThread { reader.run(on: pattern.readerCPU, alone: pattern.isAlone, body) })
            }
            nt_run_on(pattern.senderCPU)
            defer {
                state.isSent.store(true, ordering: .releasing)
                nt_run_on(-1)
                nt_run_first(false)
                for thread in threads { note(thread.join()) }
            }
            // All readers sleep.
            sleep(5_000_000)
            try network.awaitStart()
            state.begin()
            if pattern.isAlone { nt_run_first(true) }
            note(try sendAll(pattern, from: 0, send))
        }
    }

    /// - Parameter start: the number of the first datagram; it is a call's as well, where each call sends one.
    /// - Returns: what each call did.
    func sendAll(
        _ pattern: Pattern, from start: Int, _ send: (Int, UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> [CallRow] {
        var rows: [CallRow] = []
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: pattern.size * pattern.perCall, alignment: 16)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        defer { bytes.deallocate() }
        var frame = start
        for call in 0..<pattern.count / pattern.perCall {
            if call % pattern.burst == 0 { sleep(pattern.pauseNS) }
            let first = start + call * pattern.perCall
            for index in 0..<pattern.perCall {
                bytes.storeBytes(of: UInt64(first + index), toByteOffset: index * pattern.size, as: UInt64.self)
            }
            let begin = monotonicNanoseconds()
            try send(call, bytes)
            let end = monotonicNanoseconds()
            for index in 0..<pattern.perCall {
                var frames = 1
                if case .fragments(let count) = pattern.frames { frames = count }
                rows.append(
                    CallRow(
                        kind: kind, .send, .ab, sequence: first + index, bytes: pattern.size, frame: frame,
                        frames: frames,
                        wire: pattern.wire, begin: begin, end: end))
                if case .shared = pattern.frames, index + 1 < pattern.perCall { continue }
                frame += frames
            }
        }
        return rows
    }

    func sleep(_ nanoseconds: Int64) {
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        nanosleep(&time, nil)
    }
}

/// A reader and its thread.
final class Joined {
    private let reader: Reader
    private var thread: ReaderThread?

    init(_ reader: Reader, _ thread: ReaderThread) {
        self.reader = reader
        self.thread = thread
    }

    func join() -> [CallRow] {
        thread = nil
        return reader.rows
    }
}

/// Joined with its last reference.
final class ReaderThread {
    private let thread: JoinedThread

    init(_ body: @escaping @Sendable () -> Void) throws { thread = try JoinedThread(body) }
}
