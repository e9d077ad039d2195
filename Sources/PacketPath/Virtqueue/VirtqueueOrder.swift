// The order of one virtqueue: which packet that was put on one side is which that was taken from the other.
//
// A packet's skb address means nothing in the other kernel, and no event carries a number across. What does cross is
// order: a virtqueue is a ring of buffers, and vhost-net, QEMU and the guest's driver all use them in the order they
// were offered (Virtual I/O Device specification 1.2, section 2.7; drivers/vhost/net.c, drivers/net/virtio_net.c). So
// the n-th packet taken is the n-th packet put, if counting began at a moment when the ring was empty.
//
//      puts      A   B   C   D              E   F
//      time  ────┼───┼───┼───┼──────┬───────┼───┼──────┬────>
//      takens        a   b   c   d  │           e   f  │
//                                empty: A…D = a…d   empty: E, F = e, f
//
// What it promises. A pair that is handed on as complete was joined in an order that an empty ring has proven since: at
// such a moment nothing that was put may be left over, and nothing may have been taken that was not put. Until then it
// is unconfirmed. If the proof fails, everything joined since the last proof becomes ambiguous: none of it is printed
// with times.
//
// How it begins. At the start of a recording, and after a hole in it, how many packets are on the ring is unknown. Both
// sides are collected (not synced). The first proof that the ring is empty aligns them from their ends backwards: the
// last one put is the last one taken. What is left at the front was put or taken before the recording reached the other
// side.
//
//      collected, then empty:      puts        B   C   D
//                                  takens  a   b   c   d        a was put before the host's recording: trace edge
//
// Lengths check it. Most packets have one on both sides, and they must agree. A frame without an skb (native XDP) has
// none: 0.
//
// Filters. QEMU itself drops packets that its guest's device does not want, without an event (`isFiltered`). These have
// no taken partner, and are told from the others by their length, or not at all.
//
// Counting. Every packet is counted once. Where a hole cut its way in two, both halves turn up; `counted` says how many
// takens are the second halves of packets that were counted where they were put.
//
// Limits. A ring that never runs empty is never proven; after `mostWaiting` unconfirmed packets the oldest is believed.
// A queue that packets of several rings pass through has no one order, and is not asked for one
// (`GuestQueue.hasSeveralOrders`).
//
// This is a state machine without side effects: it reads flights, changes none, and hands out verdicts for its owner to
// carry out.

import ClockSync

/// Joins the puts and takes of one virtqueue in one direction.
struct VirtqueueOrder {
    /// What its owner has to do, in this order.
    enum Verdict: Equatable {
        /// A packet that was put ends, with this outcome.
        case ended(FlightID, Outcome)
        /// The put and the taken half are one packet.
        case joined(put: FlightID, taken: FlightID)
        /// What was joined is proven.
        case confirmed(FlightID)
        /// What was joined may have been joined wrongly.
        case doubted(FlightID)
        /// It was put, and somebody between the two sides kept it back: unconfirmed like what was joined.
        case sortedOut(FlightID)
        /// A packet was taken whose first half is not to be had: it ends by itself.
        case alone(FlightID, Outcome)
        /// It is a half of a packet that is counted elsewhere.
        case forgotten(FlightID)
        /// Nothing is owed any more: what was counted and has not been put counts where it is put.
        case forgiven
    }

    /// What was taken.
    enum Taken: Equatable {
        /// This packet, which was put first.
        case put(FlightID)
        /// Its put lies beyond the other machine's recording; counted there or not.
        case beyond(isCounted: Bool)
        /// Nobody knows yet: it waits for a proof.
        case unknown
    }

    /// Put on the ring and not yet taken.
    private(set) var puts = FlightQueue()
    /// Taken from the ring while it was not known which put they are.
    private(set) var takens = FlightQueue()
    /// Joined since the ring was last known to be empty.
    private(set) var unconfirmed = FlightQueue()
    /// The order is known: the next one taken is the first one put.
    private(set) var isSynced = false
    /// What becomes of packets that have no partner when the order is found.
    private(set) var leftover = Outcome.traceEdge
    /// Packets that were taken but, as far as recorded, never put count as packets of their own. Not so after a hole
    /// on the taking side only: then every packet has been counted where it was put.
    private(set) var countsTakens = true
    /// Packets that were counted as put when the order broke, and whose other halves are still to come.
    private(set) var counted = 0
    /// When the last one was taken.
    var lastTaken = PointTimes.absent
    private var verdicts: [Verdict] = []
    private var carriedOut = 0

    /// So many flights wait for a proof at the most; a ring that never runs empty is believed without.
    static let mostWaiting = 4096

    /// What is to be done next; to be asked until there is nothing after every change.
    mutating func nextVerdict() -> Verdict? {
        guard carriedOut < verdicts.count else {
            if carriedOut > 0 {
                verdicts.removeAll(keepingCapacity: true)
                carriedOut = 0
            }
            return nil
        }
        carriedOut += 1
        return verdicts[carriedOut - 1]
    }

    // MARK: What happens to the ring

    /// A packet is put on the ring.
    /// - Parameter isJoined: both sides of the queue are known.
    mutating func put(_ id: FlightID, isJoined: Bool, _ flights: borrowing FlightTable) {
        puts.append(id)
        guard puts.count > Self.mostWaiting, let oldest = puts.popFirst(), flights.contains(oldest) else { return }
        verdicts.append(isJoined ? .ended(oldest, .ambiguous) : .forgotten(oldest))
    }

    /// What was put was not put after all.
    mutating func remove(_ id: FlightID) { puts.removeLast(id) }

    /// A packet is taken from the ring, whose two sides are known.
    /// - Parameters:
    ///   - length: with the Ethernet header, bytes; 0 where it is unknown.
    ///   - isFiltered: what is put need not come out.
    ///   - putsAreRecorded: the machine that puts is being recorded at this moment.
    mutating func take(
        length: Int32, isFiltered: Bool, putsAreRecorded: Bool, _ flights: borrowing FlightTable
    ) -> Taken {
        guard isSynced else { return .unknown }
        if isFiltered { sortOut(until: length, flights) }
        if let put = puts.popFirst(), flights.contains(put) {
            if Self.isSameLength(flights[put].length, length) {
                unconfirmed.append(put)
                if unconfirmed.count > Self.mostWaiting, let oldest = unconfirmed.popFirst() {
                    verdicts.append(.confirmed(oldest))
                }
                return .put(put)
            }
            verdicts.append(.ended(put, .ambiguous))
            // What was taken may be this one or another: it is counted once.
            counted += 1
        } else if !putsAreRecorded {
            guard counted > 0 else { return .beyond(isCounted: false) }
            counted -= 1
            return .beyond(isCounted: true)
        }
        contradict(flights)
        return .unknown
    }

    /// A half that was taken waits for its put to be known.
    /// - Parameter isJoined: both sides of the queue are known.
    mutating func wait(_ id: FlightID, isJoined: Bool, _ flights: borrowing FlightTable) {
        takens.append(id)
        guard takens.count > Self.mostWaiting, let oldest = takens.popFirst(), flights.contains(oldest) else { return }
        if isJoined { end(taken: oldest, .ambiguous, flights) } else { verdicts.append(.forgotten(oldest)) }
    }

    /// The ring is empty: everything that was put has been taken.
    /// - Parameters:
    ///   - isFiltered: what is put need not come out.
    ///   - mayMissPuts: packets may have been put of which it is not known that they were put here.
    ///   - takerStart: when the recording of the side that takes began.
    mutating func proveEmpty(
        isFiltered: Bool, mayMissPuts: Bool, takerStart: Nanoseconds, _ flights: borrowing FlightTable
    ) {
        if isSynced {
            if puts.isEmpty || isFiltered && sortOutAll(flights) {
                confirmAll()
                return
            }
            contradict(flights)
        }
        let match = Alignment(puts, takens, isFiltered: isFiltered, leftover, takerStart: takerStart, flights)
        let isCertain =
            match.isCertain && !(mayMissPuts && takens.count > puts.count)
            && match.puts.allSatisfy { Self.isExcusable($0, leftover, takerStart: takerStart, flights) }
        puts.removeAll()
        takens.removeAll()
        isSynced = true
        for put in match.filtered { end(put: put, isCertain ? .notRecorded : .ambiguous, flights) }
        for put in match.puts { end(put: put, leftover, flights) }
        for taken in match.takens { end(taken: taken, leftover, flights) }
        forgive()
        for (put, taken) in match.pairs {
            if isCertain {
                verdicts.append(.joined(put: put, taken: taken))
            } else {
                end(put: put, .ambiguous, flights)
                if flights.contains(taken) { verdicts.append(.forgotten(taken)) }
            }
        }
    }

    /// The order is lost; what waits on either side can't be joined any more.
    /// - Parameters:
    ///   - outcome: what becomes of it: in a hole the events are lost, else the order was wrong.
    ///   - countsTakens: takens without a put are packets of their own.
    mutating func lose(_ outcome: Outcome, countsTakens: Bool, _ flights: borrowing FlightTable) {
        let (lostPuts, lostTakens) = (puts, takens)
        puts.removeAll()
        takens.removeAll()
        isSynced = false
        leftover = outcome
        self.countsTakens = countsTakens
        for index in 0..<lostPuts.count { end(put: lostPuts[index], outcome, flights) }
        // A packet that was put and taken is one packet: count those that exceed the ones put.
        counted += lostPuts.count
        for index in 0..<lostTakens.count { end(taken: lostTakens[index], outcome, flights) }
        // Joined in a proven order before the hole, and in it only if they were marked; where there was no hole, the
        // order was wrong.
        if outcome == .ambiguous { doubtAll(flights) }
        confirmAll()
    }

    /// The recording is over.
    /// - Parameters:
    ///   - isJoined: both sides of the queue are known.
    ///   - unproven: what becomes of both sides where nothing ever proved which is which.
    mutating func finish(isJoined: Bool, unproven: Outcome, _ flights: borrowing FlightTable) {
        confirmAll()
        guard isJoined else { return }
        var outcome = leftover
        if !puts.isEmpty, !takens.isEmpty {
            outcome = unproven
            for index in 0..<puts.count { end(put: puts[index], outcome, flights) }
            counted += puts.count
        }
        for index in 0..<takens.count { end(taken: takens[index], outcome, flights) }
    }

    // MARK: Two sides that find each other

    mutating func adopt(puts: FlightQueue) { self.puts = puts }
    mutating func adopt(takens: FlightQueue) { self.takens = takens }

    /// The puts belong to another ring.
    mutating func givePutsAway() -> FlightQueue {
        defer { puts.removeAll() }
        return puts
    }

    // MARK: Counting each packet once

    /// A packet has been counted, and its other half is still to come.
    mutating func owe() { counted += 1 }

    /// What became of such a packet has been seen after all.
    mutating func payOwed() { counted = max(0, counted - 1) }

    private mutating func forgive() {
        guard counted > 0 else { return }
        counted = 0
        verdicts.append(.forgiven)
    }

    // MARK: Within

    /// Something came out of the ring that does not fit: nothing since the last proof is certain.
    private mutating func contradict(_ flights: borrowing FlightTable) {
        isSynced = false
        leftover = .ambiguous
        countsTakens = true
        doubtAll(flights)
        confirmAll()
    }

    private mutating func doubtAll(_ flights: borrowing FlightTable) {
        for index in 0..<unconfirmed.count where flights.contains(unconfirmed[index]) {
            verdicts.append(.doubted(unconfirmed[index]))
        }
    }

    private mutating func confirmAll() {
        while let id = unconfirmed.popFirst() { verdicts.append(.confirmed(id)) }
    }

    private mutating func end(put id: FlightID, _ outcome: Outcome, _ flights: borrowing FlightTable) {
        if flights.contains(id) { verdicts.append(.ended(id, outcome)) }
    }

    /// A packet was taken and its first half is not to be had: it ends here, unless it has been counted where it was
    /// put.
    private mutating func end(taken id: FlightID, _ outcome: Outcome, _ flights: borrowing FlightTable) {
        guard flights.contains(id) else { return }
        if counted > 0 {
            counted -= 1
            verdicts.append(.forgotten(id))
        } else {
            verdicts.append(countsTakens ? .alone(id, outcome) : .forgotten(id))
        }
    }

    /// The length of a frame without an skb is not known: 0. Its order has to do.
    static func isSameLength(_ put: Int32, _ taken: Int32) -> Bool { put == taken || put == 0 || taken == 0 }

    /// Whether a packet that was put may have been taken unseen: only before the taking side's recording began.
    static func isExcusable(
        _ put: FlightID, _ leftover: Outcome, takerStart: Nanoseconds, _ flights: borrowing FlightTable
    ) -> Bool {
        if leftover == .ambiguous || !flights.contains(put) { return true }
        return leftover == .traceEdge && flights[put].putTime < takerStart
    }

    // MARK: Filters

    /// A packet of a length is taken: what was put before it and has another length was sorted out, if there is one of
    /// that length.
    private mutating func sortOut(until length: Int32, _ flights: borrowing FlightTable) {
        for next in 0..<puts.count
        where flights.contains(puts[next]) && Self.isSameLength(flights[puts[next]].length, length) {
            for _ in 0..<next { sortOutFirst(flights) }
            return
        }
    }

    /// The ring is empty: what was put and not taken was sorted out.
    /// - Returns: whether that is so: not where one of those could as well be a packet that was taken since the order
    ///   was last proven.
    private mutating func sortOutAll(_ flights: borrowing FlightTable) -> Bool {
        let taken = (0..<unconfirmed.count).map { unconfirmed[$0] }
        for index in 0..<puts.count where Alignment.isLike(puts[index], taken, flights) { return false }
        for _ in 0..<puts.count { sortOutFirst(flights) }
        return true
    }

    private mutating func sortOutFirst(_ flights: borrowing FlightTable) {
        guard let id = puts.popFirst(), flights.contains(id) else { return }
        // Whether that is so, the next proof of the order says.
        unconfirmed.append(id)
        verdicts.append(.sortedOut(id))
    }
}

extension Flight {
    /// When it was put on its virtqueue, as far as is known.
    var putTime: Nanoseconds {
        if direction == .transmit { return times[.guestEgress] }
        if flags.contains(.uncopied) { return times[.hostEgress] }
        return times.has(.vhostCopy) ? times[.vhostCopy] : times[.hostIngress]
    }
}
