// One thread that reads, and what each of its calls returned.

import CNativeTraffic
import Glibc
import LinuxSystem
import Synchronization

/// What the threads of one exchange know of each other.
final class ExchangeState: Sendable {
    let expected: Int
    let isSent = Atomic(false)
    let read = Atomic(0)
    let lastRead = Atomic(monotonicNanoseconds())
    private static let quietNS: Int64 = 300_000_000
    /// Whatever happens, it is over then.
    private let deadline = Atomic(Int64.max)

    init(expected: Int) { self.expected = expected }

    /// Sending begins.
    func begin() { deadline.store(monotonicNanoseconds() + 10_000_000_000, ordering: .releasing) }

    var hasBegun: Bool { deadline.load(ordering: .acquiring) < .max }

    var isOver: Bool {
        if read.load(ordering: .acquiring) >= expected { return true }
        let now = monotonicNanoseconds()
        if now > deadline.load(ordering: .acquiring) { return true }
        return isSent.load(ordering: .acquiring) && now - lastRead.load(ordering: .acquiring) > Self.quietNS
    }

    func note(_ count: Int, at time: Int64) {
        read.add(count, ordering: .acquiringAndReleasing)
        lastRead.store(time, ordering: .releasing)
    }
}

/// Only its own thread touches it, until that has ended.
final class Reader: @unchecked Sendable {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    private(set) var rows: [CallRow] = []
    let state: ExchangeState
    private let kind: String
    /// Where the sequence number lies.
    private let offset: Int
    /// Calls so far, for readers that do something now and then.
    private(set) var rounds = 0

    init(_ kind: String, _ offset: Int, _ state: ExchangeState) {
        self.kind = kind
        self.offset = offset
        self.state = state
        rows.reserveCapacity(1 << 12)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { buffer.deallocate() }

    /// - Parameter alone: it does not share its CPU, once packets are sent.
    func run(on cpu: Int32, alone: Bool, _ body: (Reader) -> Void) {
        nt_run_on(cpu)
        var isFirst = false
        while !state.isOver {
            if alone, !isFirst, state.hasBegun {
                nt_run_first(true)
                isFirst = true
            }
            body(self)
            rounds += 1
        }
    }

    /// One call that returns one datagram, or none.
    /// - Returns: what the call returned.
    @discardableResult
    func call(_ read: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        let begin = monotonicNanoseconds()
        let count = read(buffer)
        let end = monotonicNanoseconds()
        if count > 0 { note([(0, count)], begin, end) }
        return count
    }

    /// The same without a pause, on a socket that may have nothing.
    func spin(_ socket: Int32) {
        var (begin, end): (Int64, Int64) = (0, 0)
        let count = nt_spin(socket, buffer.baseAddress!, buffer.count, &begin, &end)
        if count > 0 { note([(0, count)], begin, end) }
    }

    /// Datagrams that a call returned: where each lies in the buffer, and its length.
    func note(_ datagrams: [(at: Int, bytes: Int)], _ begin: Int64, _ end: Int64) {
        for datagram in datagrams {
            let sequence = buffer.loadUnaligned(fromByteOffset: datagram.at + offset, as: UInt64.self)
            rows.append(
                CallRow(
                    kind: kind, .read, .ab, sequence: Int(truncatingIfNeeded: sequence), bytes: datagram.bytes,
                    begin: begin, end: end))
        }
        state.note(datagrams.count, at: end)
    }

    /// Waits for one of these sockets, see poll(2).
    func poll(_ sockets: [Int32]) -> [Int32] {
        var entries = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard Glibc.poll(&entries, nfds_t(entries.count), 200) > 0 else { return [] }
        return entries.filter { $0.revents != 0 }.map(\.fd)
    }
}
