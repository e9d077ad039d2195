// All packets that are on their way, what their addresses are, and how their lives go.
//
//     add ──> name (an address in one kernel) ──> unname ──> name (in the other) ──> … ──> end ──> release
//                                                                                     └─> discard: nobody's packet
//
// A packet that has ended is kept while anything about its identity is open, and handed on when that is settled:
// whoever owns the table asks `isSettled` then. What it means that an address is given to another packet is for the
// owner to say too.

import ClockSync
import TraceData

struct FlightTable: ~Copyable {
    /// In one piece of memory that is used again and again.
    private var flights = StableArray<Flight>()
    private var free: Int32 = -1
    /// By machine: which flight has an skb's address.
    private var addresses = Table<MachineID, AddressTable>()
    /// By slot, where it is wanted: what shows that a flight passed its points.
    private var evidence = StableArray<JourneyEvidence>()
    private let keepsEvidence: Bool

    /// - Parameter keepsEvidence: points keep the mark that shows them, for which every flight takes more memory.
    init(machines: Int, keepingEvidence keepsEvidence: Bool = false) {
        self.keepsEvidence = keepsEvidence
        for _ in 0..<machines { addresses.append(AddressTable()) }
    }

    // MARK: Slots

    mutating func add(_ direction: Direction, on machine: MachineID) -> FlightID {
        var index = free
        var generation: UInt32 = 0
        if index >= 0 {
            free = flights[Int(index)].nextFree
            generation = flights[Int(index)].generation
            flights[Int(index)] = Flight()
            if keepsEvidence { evidence[Int(index)] = JourneyEvidence() }
        } else {
            index = Int32(flights.count)
            flights.append(Flight())
            if keepsEvidence { evidence.append(JourneyEvidence()) }
        }
        flights[Int(index)].generation = generation &+ 1
        flights[Int(index)].direction = direction
        flights[Int(index)].machine = machine
        return FlightID(index: index, generation: generation &+ 1)
    }

    /// Its address may be another flight's by now: `unname` comes first.
    mutating func release(_ id: FlightID) {
        guard contains(id) else { return }
        flights[Int(id.index)].generation &+= 1
        flights[Int(id.index)].nextFree = free
        free = id.index
    }

    @inline(__always)
    func contains(_ id: FlightID) -> Bool {
        id.index >= 0 && flights[Int(id.index)].generation == id.generation
    }

    /// The flight itself; only for ids that `contains` vouches for.
    @inline(__always)
    subscript(id: FlightID) -> Flight {
        unsafeAddress { unsafe flights.address(Int(id.index)) }
        nonmutating unsafeMutableAddress { unsafe flights.mutableAddress(Int(id.index)) }
    }

    /// Every flight on its way, oldest slot first.
    func forEachLive(_ body: (FlightID) -> Void) {
        // A live flight's generation is odd: it is raised by one when added and by one when released.
        for index in flights.indices where flights[index].generation & 1 == 1 {
            body(FlightID(index: Int32(index), generation: flights[index].generation))
        }
    }

    // MARK: Addresses

    /// The live flight that has this address.
    @inline(__always)
    func holder(of skb: UInt64, on machine: MachineID) -> FlightID {
        let id = addresses[machine][skb]
        return contains(id) ? id : .none
    }

    /// Gives `id` the skb address. Who had it before has been taken care of.
    mutating func name(_ id: FlightID, _ skb: UInt64, on machine: MachineID) {
        // The address it had in the other kernel may be anybody's by now.
        unname(id)
        self[id].skb = skb
        self[id].machine = machine
        addresses[machine].set(skb, id)
    }

    /// Takes the flight's address away: from here on the same address is another packet.
    mutating func unname(_ id: FlightID) {
        let skb = self[id].skb
        guard skb != 0 else { return }
        let machine = self[id].machine
        if addresses[machine][skb] == id { addresses[machine].remove(skb) }
        self[id].skb = 0
    }

    // MARK: Points

    /// It passes a point with this mark.
    @inline(__always)
    mutating func stamp(_ id: FlightID, _ point: Point, _ mark: Mark) {
        self[id].times[point] = mark.time
        if keepsEvidence { evidence[Int(id.index)][point] = Evidence(mark) }
    }

    /// It passed a point at this time, as the past tells; or did not, where the time is absent.
    /// - Parameters:
    ///   - thread: the thread whose doing it was, none where that is not known.
    ///   - lane: the CPU it happened on, none where that is not known.
    @inline(__always)
    mutating func stamp(
        _ id: FlightID, _ point: Point, at time: Nanoseconds, by thread: ThreadID = .none, on lane: LaneID = .none
    ) {
        self[id].times[point] = time
        if keepsEvidence {
            evidence[Int(id.index)][point] = time == PointTimes.absent ? .none : Evidence(lane: lane, thread: thread)
        }
    }

    /// It did not pass this point after all.
    @inline(__always)
    mutating func clear(_ id: FlightID, _ point: Point) {
        self[id].times[point] = PointTimes.absent
        if keepsEvidence { evidence[Int(id.index)][point] = .none }
    }

    /// Takes over one point of another flight.
    mutating func copy(_ point: Point, of other: FlightID, to id: FlightID) {
        self[id].times[point] = self[other].times[point]
        if keepsEvidence { evidence[Int(id.index)][point] = evidence[Int(other.index)][point] }
    }

    /// Takes over all points of another flight that it does not have.
    mutating func merge(_ other: FlightID, into id: FlightID) {
        if keepsEvidence {
            for point in Point.allCases where !self[id].times.has(point) {
                evidence[Int(id.index)][point] = evidence[Int(other.index)][point]
            }
        }
        self[id].times.merge(self[other].times)
    }

    /// What shows that it passed its points; nil unless the table keeps that.
    func evidence(of id: FlightID) -> JourneyEvidence? { keepsEvidence ? evidence[Int(id.index)] : nil }

    // MARK: Ends

    /// Its way is over.
    mutating func end(_ id: FlightID, _ outcome: Outcome) {
        self[id].outcome = outcome
        self[id].flags.insert(.ended)
    }

    /// It has ended, and nothing about its identity is open.
    func isSettled(_ id: FlightID) -> Bool {
        let flags = self[id].flags
        return flags.contains(.ended) && flags.isDisjoint(with: .open)
    }

    /// It was nobody's packet: the host's own, or a half whose other half is counted.
    mutating func discard(_ id: FlightID) {
        unname(id)
        release(id)
    }
}

extension Flight.Flags {
    /// While one of these stands, the journey is not handed on.
    static let open: Flight.Flags = [.half, .unconfirmed, .unproven, .callUnknown, .givenBack]
}
