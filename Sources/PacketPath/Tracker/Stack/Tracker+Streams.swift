// TCP's byte streams: segments that wait in a socket are merged into the first one, which alone is copied from then on.
//
// tcp_try_coalesce (net/ipv4/tcp_input.c) appends a segment's data to the skb at the queue's end and frees the segment
// without an event; GRO has done the same before. What was merged is told by counting: the bytes copied from the one
// skb are exactly those of it and the segments after it. Where no such sum fits, or several do, nothing is told.

import ClockSync

extension Tracker {
    /// Packets of a machine that may still be merged into others, at the most.
    private static let mostUnread = 4096

    /// Readers whose last skb is remembered, by guest.
    private static let mostReaders = 64

    /// A packet has been given to the stack, or to GRO's head.
    mutating func awaitReader(_ id: FlightID, _ machine: MachineID) {
        guard flights.contains(id), flights[id].direction == .receive else { return }
        while let oldest = machines[machine].unread.first,
            !flights.contains(oldest) || flights[oldest].flags.contains(.ended)
        {
            _ = machines[machine].unread.popFirst()
        }
        machines[machine].unread.append(id)
        guard machines[machine].unread.count > Self.mostUnread, let oldest = machines[machine].unread.popFirst() else {
            return
        }
        if flights.contains(oldest), flights[oldest].flags.contains(.perhapsRead),
            flights[oldest].flags.isDisjoint(with: .ended)
        {
            end(oldest, .ambiguous)
        }
    }

    /// A thread copies from a packet for the first time: what it read before is over.
    mutating func beginStream(_ id: FlightID, _ time: Nanoseconds, bytes: Int32, thread: ThreadID, _ machine: MachineID)
    {
        let ingress = flights[id].times[StackPoints.of(machine: machine).ingress]
        if let index = machines[machine].reads.firstIndex(where: { $0.thread == thread }) {
            divideRead(machines[machine].reads.remove(at: index), before: ingress, machine)
        }
        if machines[machine].reads.count == Self.mostReaders { machines[machine].reads.removeFirst() }
        var read = StreamRead(
            thread: thread, skb: flights[id].skb, ingress: ingress, length: flights[id].length,
            isTCP: flights[id].flags.contains(.tcp), nic: flights[id].nic, port: flights[id].port,
            connection: flights[id].connection,
            copies: [])
        read.note(time, bytes)
        machines[machine].reads.append(read)
    }

    /// A thread copies more of what it is reading.
    mutating func continueStream(
        _ skb: UInt64, _ time: Nanoseconds, bytes: Int32, thread: ThreadID, _ machine: MachineID
    ) {
        guard let index = machines[machine].reads.firstIndex(where: { $0.thread == thread && $0.skb == skb }) else {
            return
        }
        machines[machine].reads[index].note(time, bytes)
    }

    /// The recording is over, and with it everything that was being read.
    mutating func divideReads() {
        for machine in machines.ids where !machines[machine].reads.isEmpty {
            for read in machines[machine].reads { divideRead(read, before: .max, machine) }
            machines[machine].reads = []
        }
    }

    /// Tells the packets that were merged into the one that was read.
    private mutating func divideRead(_ read: StreamRead, before end: Nanoseconds, _ machine: MachineID) {
        // More than a datagram of that length can hold (14 + 20 + 8 bytes of headers) is a stream.
        guard read.isTCP || read.bytes > Int(read.length) - 42 else { return }
        var later: [FlightID] = []
        for index in 0..<machines[machine].unread.count {
            let id = machines[machine].unread[index]
            guard flights.contains(id), !flights[id].flags.contains(.ended), flights[id].flags.isDisjoint(with: .half)
            else { continue }
            // Another device's, another connection's, or on a datagram's socket: no part of this stream.
            guard flights[id].nic == read.nic, flights[id].port == read.port, flights[id].socket == 0,
                flights[id].connection == read.connection || flights[id].connection == 0 || read.connection == 0
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
            for id in later { flights[id].flags.insert(.perhapsRead) }
            return
        }
        var offset = Int(read.length) - answer.header
        for id in later.prefix(answer.count) {
            let data = Int(flights[id].length) - answer.header
            if data == 0 {
                // Without data it was for TCP itself.
                flights.unname(id)
                self.end(id, .kernelConsumed)
            } else if let time = read.time(of: offset) {
                completeRead(id, at: time, by: machines[machine].threads.index(read.thread), machine)
            }
            offset += data
        }
    }
}
