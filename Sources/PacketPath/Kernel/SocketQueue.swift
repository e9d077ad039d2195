// A socket's queue of datagrams: what the stack puts on it is what its readers take from it, in order.
//
// Two events see the queue from both ends, and neither at the instant it changes:
//
//     stack, CPU 1    netif_receive_skb ──── put ──── sk_data_ready          an arrival:  begin … ready
//     reader, CPU 0          its last mark ──── take ──── sock_recv_length   a reading:   earliest … time
//
// A reader that polls by itself may take a packet, and return with it, before sk_data_ready is traced: its reading is
// then *early* and waits for that event. The order is known once the queue is known to be empty: a read that finds
// nothing (EAGAIN), a reader that sleeps until this socket wakes it, or the newest packet's release while every reader
// sleeps. Until then both ends are collected, and joined from such an instant backwards. What was joined is handed on
// when the next such instant agrees; what an instant contradicts is ambiguous.

import ClockSync

/// One socket's queue. It knows no flights but by their numbers: it says what belongs together, and the tracker acts on
/// that.
struct SocketQueue {
    /// A packet that was put on the queue.
    struct Arrival {
        /// None for a packet that came from elsewhere, over lo for example.
        var id: FlightID
        /// When the stack began to receive it; absent where that is not known.
        var begin: Nanoseconds
        /// When the socket said that it has something.
        var ready: Nanoseconds
        var lane: LaneID
        /// Bytes of data that it can hold at the most, without any header.
        var capacity: Int32
        /// Another CPU put a packet on the queue at the same time: which was first is not known.
        var isConcurrent = false
    }

    /// A call that took a packet.
    struct Reading {
        /// When it returned.
        var time: Nanoseconds
        /// The thread's last mark before: the packet was taken later than that.
        var earliest: Nanoseconds
        var thread: ThreadIndex
        var lane: LaneID
        /// Bytes it returned.
        var received: Int32
    }

    /// What a further arrival means.
    enum Ready {
        /// It waits for its reader.
        case waits
        /// A reading that was traced before has taken it.
        case taken(Reading)
        /// A reading was traced before the stack had the packet: the order was wrong.
        case contradiction
    }

    /// What a reading has taken.
    enum Taken {
        case joined(Arrival, isCertain: Bool)
        /// Its packet is told later.
        case waits
        case contradiction
    }

    /// What it means that the queue is empty.
    enum Emptiness {
        /// Nothing: it can't be told which packets came before that.
        case unknown
        /// The order holds.
        case agrees
        /// Known from now on. Of what was collected the last ones belong together; the first arrivals have no reading.
        case found(pairs: [(Arrival, Reading)], rest: [Arrival], isCertain: Bool)
        /// These should have been read by then: the order was wrong, and is known anew.
        case contradicted([Arrival])
    }

    /// So many are kept at the most while the order is unknown.
    static let most = 4096
    /// So many threads may read a socket, before it is nobody's.
    private static let mostReaders = 8
    /// So many reads may come before their packets: one for each CPU that may be putting one on the queue.
    private static let mostEarly = 8

    private(set) var arrivals: [Arrival] = []
    /// While the order is unknown, all that was read; else what was read before it was ready.
    private(set) var readings: [Reading] = []
    /// The order is known: the next one read is the first one that arrived.
    private(set) var isSynced = false
    /// Joined since the queue was last known to be empty, oldest first.
    var unconfirmed = FlightQueue()
    /// Threads that have read from it.
    private(set) var readers: [ThreadIndex] = []
    private var lastReading: (reading: Reading, id: FlightID)?
    /// Not UDP: a raw socket's or a packet socket's readers get a copy.
    var isOfCopies = false
    /// A reader of it sleeps although there is something to read, as one with edge-triggered epoll may: its sleep
    /// proves nothing.
    private(set) var sleepsOnData = false

    var isEmpty: Bool { arrivals.isEmpty && readings.isEmpty }

    /// The last reading's packet, if the reading at hand, by another thread, may have been first.
    func contested(by reading: Reading) -> FlightID? {
        guard let last = lastReading, last.reading.thread != reading.thread, reading.earliest <= last.reading.time
        else { return nil }
        return last.id
    }

    /// A packet was put on the queue.
    mutating func ready(_ arrival: Arrival) -> Ready {
        if isSynced, let early = readings.first {
            guard arrival.begin < early.time else { return .contradiction }
            readings.removeFirst()
            lastReading = (early, arrival.id)
            return .taken(early)
        }
        var arrival = arrival
        if let last = arrivals.last, last.lane != arrival.lane, !last.id.isNone, arrival.begin != PointTimes.absent,
            arrival.begin < last.ready
        {
            arrivals[arrivals.count - 1].isConcurrent = true
            arrival.isConcurrent = true
        }
        arrivals.append(arrival)
        return .waits
    }

    /// A thread has taken a packet.
    /// - Parameter mayBeEarly: a packet may be on its way to the queue at this moment.
    mutating func read(_ reading: Reading, mayBeEarly: Bool) -> Taken {
        note(reader: reading.thread)
        guard isSynced else {
            readings.append(reading)
            if readings.count > Self.most { readings.removeFirst(Self.most / 2) }
            return .waits
        }
        guard let first = arrivals.first else {
            guard mayBeEarly, readings.count < Self.mostEarly else { return .contradiction }
            readings.append(reading)
            return .waits
        }
        guard first.id.isNone || reading.received <= first.capacity else { return .contradiction }
        let isContested = contested(by: reading) != nil
        arrivals.removeFirst()
        lastReading = (reading, first.id)
        return .joined(first, isCertain: !first.isConcurrent && !isContested)
    }

    private mutating func note(reader: ThreadIndex) {
        if readers.contains(reader) { return }
        if readers.count == Self.mostReaders { readers.removeFirst() }
        readers.append(reader)
    }

    /// The queue was empty at some instant after `since`, and all that was read before that has been seen.
    /// - Parameter newest: an arrival that came after that instant, if the last one did.
    mutating func empty(since: Nanoseconds, but newest: Arrival? = nil) -> Emptiness {
        let kept = newest == nil ? 0 : 1
        if isSynced {
            let stale = arrivals.dropLast(kept).prefix { $0.ready < since }
            if stale.isEmpty { return .agrees }
            arrivals.removeFirst(stale.count)
            readings.removeAll()
            lastReading = nil
            return .contradicted(Array(stale))
        }
        let candidates = arrivals.dropLast(kept)
        guard candidates.allSatisfy({ $0.ready < since }) else { return .unknown }
        let count = min(candidates.count, readings.count)
        let pairs = Array(zip(candidates.suffix(count), readings.suffix(count)))
        let isCertain = pairs.allSatisfy { arrival, reading in
            arrival.begin < reading.time && (arrival.id.isNone || reading.received <= arrival.capacity)
                && !arrival.isConcurrent
        }
        let rest = Array(candidates.dropLast(count))
        arrivals.removeFirst(candidates.count)
        readings.removeAll()
        lastReading = pairs.last.map { ($0.1, $0.0.id) }
        isSynced = true
        return .found(pairs: pairs, rest: rest, isCertain: isCertain)
    }

    /// The order is not known any more; what is on the queue is collected until it is empty again.
    /// - Parameter reading: the one that did not fit.
    mutating func lose(at reading: Reading? = nil) {
        isSynced = false
        lastReading = nil
        if let reading { readings.append(reading) }
    }

    mutating func noteSleepOnData() { sleepsOnData = true }

    /// The packet has another reader: what waits here in its place is a copy.
    mutating func forget(_ id: FlightID) {
        for index in arrivals.indices where arrivals[index].id == id { arrivals[index].id = .none }
    }

    /// Takes a packet that was dropped off the queue.
    mutating func remove(_ id: FlightID) { arrivals.removeAll { $0.id == id } }

    mutating func removeAllArrivals() -> [Arrival] {
        defer {
            arrivals.removeAll()
            readings.removeAll()
        }
        return arrivals
    }
}
