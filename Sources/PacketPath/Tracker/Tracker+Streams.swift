// TCP's byte streams: segments that wait in a socket are merged into the first one, which alone is copied from then on.
//
// tcp_try_coalesce (net/ipv4/tcp_input.c) appends a segment's data to the skb at the queue's end and frees the segment without an event;
// GRO has done the same before. What was merged is told by counting: the bytes copied from the one skb are exactly those of it
// and the segments after it. Where no such sum fits, or several do, nothing is told.

import ClockSync

/// What a thread has copied from one skb so far.
struct StreamRead {
    struct Copy: BitwiseCopyable {
        var time: Nanoseconds
        /// Bytes copied up to its end.
        var end: Int
    }

    var thread: Int32
    var skb: UInt64
    /// When its packet came in, and that packet's length with all headers.
    var ingress: Nanoseconds
    var length: Int32
    /// tcp_probe has told that it is TCP's.
    var isTCP: Bool
    /// The device it came in by, and its connection's ports where those are known.
    var nic: UInt16
    var port: Int16
    var ports: UInt32
    var copies: [Copy]

    var bytes: Int { copies.last?.end ?? 0 }

    mutating func note(_ time: Nanoseconds, _ bytes: Int32) {
        copies.append(Copy(time: time, end: self.bytes + Int(max(bytes, 0))))
    }

    /// When the byte at `offset` was copied.
    func time(of offset: Int) -> Nanoseconds? { copies.first { $0.end > offset }?.time }
}

extension Tracker {
    /// Packets of a machine that may still be merged into others, at the most.
    private static let mostUnread = 4096
    /// Readers whose last skb is remembered, by guest.
    private static let mostReaders = 64
    /// Ethernet, IPv4 or IPv6, and TCP with time stamps or without.
    private static let headers = [14 + 20 + 32, 14 + 20 + 20, 14 + 40 + 32, 14 + 40 + 20]

    /// As long as one of TCP's without data: an acknowledgement, or a connection's first, which has 20 bytes of options.
    func isBareTCP(_ length: Int32) -> Bool { Self.headers.contains(Int(length)) || length == 14 + 20 + 40 || length == 14 + 40 + 40 }

    /// A packet has been given to the stack, or to GRO's head.
    mutating func awaitReader(_ id: FlightID, _ machine: Int) {
        guard flights.contains(id), flights[id].direction == .receive else { return }
        while let oldest = machines[machine].unread.first, !flights.contains(oldest) || flights[oldest].flags.contains(.ended) {
            _ = machines[machine].unread.popFirst()
        }
        machines[machine].unread.append(id)
        guard machines[machine].unread.count > Self.mostUnread, let oldest = machines[machine].unread.popFirst() else { return }
        if flights.contains(oldest), flights[oldest].flags.contains(.unsettled), flights[oldest].flags.isDisjoint(with: .ended) {
            end(oldest, .ambiguous)
        }
    }

    /// A packet that the stack had was freed without an event. One that has data was merged into another, others were for the kernel itself.
    func mayBeMerged(_ id: FlightID) -> Bool {
        let length = Int(flights[id].length)
        return length > Self.headers[1] && !Self.headers.contains(length) && machines[Int(flights[id].machine)].unread.contains(id)
    }

    /// More is copied from a packet than its datagram could hold, so it is TCP's, and it has no data of its own: a bare acknowledgement that waited
    /// for the reader to be done with the socket, into which what came after it was merged (tcp_add_backlog, net/ipv4/tcp_ipv4.c).
    func isBareHead(_ id: FlightID, copied bytes: Int32) -> Bool {
        Int(bytes) > Int(flights[id].length) - 42 && Self.headers.contains(Int(flights[id].length))
    }

    /// A thread copies from a packet for the first time: what it read before is over.
    mutating func beginStream(_ id: FlightID, _ time: Nanoseconds, bytes: Int32, thread: Int32, _ machine: Int) {
        let ingress = flights[id].times[StackPoints.of(machine: machine).ingress]
        if let index = machines[machine].reads.firstIndex(where: { $0.thread == thread }) {
            settleStream(machines[machine].reads.remove(at: index), before: ingress, machine)
        }
        if machines[machine].reads.count == Self.mostReaders { machines[machine].reads.removeFirst() }
        var read = StreamRead(
            thread: thread, skb: flights[id].skb, ingress: ingress, length: flights[id].length,
            isTCP: flights[id].flags.contains(.tcp), nic: flights[id].nic, port: flights[id].port, ports: flights[id].ports, copies: [])
        read.note(time, bytes)
        machines[machine].reads.append(read)
    }

    /// A thread copies more of what it is reading.
    mutating func continueStream(_ skb: UInt64, _ time: Nanoseconds, bytes: Int32, thread: Int32, _ machine: Int) {
        guard let index = machines[machine].reads.firstIndex(where: { $0.thread == thread && $0.skb == skb }) else { return }
        machines[machine].reads[index].note(time, bytes)
    }

    /// The recording is over, and with it everything that was being read.
    mutating func settleStreams() {
        for machine in 0..<machineCount where !machines[machine].reads.isEmpty {
            for read in machines[machine].reads { settleStream(read, before: .max, machine) }
            machines[machine].reads = []
        }
    }

    /// Tells the packets that were merged into the one that was read.
    private mutating func settleStream(_ read: StreamRead, before end: Nanoseconds, _ machine: Int) {
        // More than a datagram of that length can hold (14 + 20 + 8 bytes of headers) is a stream.
        guard read.isTCP || read.bytes > Int(read.length) - 42 else { return }
        var later: [FlightID] = []
        for index in 0..<machines[machine].unread.count {
            let id = machines[machine].unread[index]
            guard flights.contains(id), !flights[id].flags.contains(.ended), flights[id].flags.isDisjoint(with: .half) else { continue }
            // Another device's, another connection's, or on a datagram's socket: no part of this stream.
            guard flights[id].nic == read.nic, flights[id].port == read.port, flights[id].socket == 0,
                flights[id].ports == read.ports || flights[id].ports == 0 || read.ports == 0
            else { continue }
            let ingress = flights[id].times[StackPoints.of(machine: machine).ingress]
            if ingress > read.ingress, ingress < end { later.append(id) }
        }
        guard !later.isEmpty else { return }
        var answer: (header: Int, count: Int)?
        var answers = 0
        for header in Self.headers {
            var sum = Int(read.length) - header
            if sum == read.bytes { return }
            for (index, id) in later.enumerated() {
                let data = Int(flights[id].length) - header
                guard data >= 0, sum < read.bytes else { break }
                sum += data
                guard data > 0, sum == read.bytes else { continue }
                answer = (header, index + 1)
                answers += 1
            }
        }
        guard answers == 1, let answer else {
            for id in later { flights[id].flags.insert(.unsettled) }
            return
        }
        var offset = Int(read.length) - answer.header
        for id in later.prefix(answer.count) {
            let data = Int(flights[id].length) - answer.header
            if data == 0 {
                // Without data it was for TCP itself.
                unname(id)
                self.end(id, .kernelConsumed)
            } else if let time = read.time(of: offset) {
                completeRead(id, at: time, by: machines[machine].threads.index(read.thread), machine)
            }
            offset += data
        }
    }
}
