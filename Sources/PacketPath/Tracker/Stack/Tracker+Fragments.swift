// Packets that reach their readers, and the datagrams that came in several IP fragments, which are read with the last
// of them.

import ClockSync

extension Tracker {
    /// The packet has reached its reader: when that was woken for it, and when it ran.
    /// - Parameter lane: where it reads; nil where that is long past.
    mutating func completeRead(
        _ id: FlightID, at time: Nanoseconds, by reader: ThreadIndex, _ machine: MachineID, lane: LaneID = .none
    ) {
        let points = StackPoints.of(machine: machine)
        flights.stamp(id, points.read, at: time, by: machines[machine].threads[reader].id, on: lane)
        let ingress = flights[id].times[points.ingress]
        var wake = PointTimes.absent
        for event in machines[machine].threads[reader].newestFirst {
            if event.time < ingress { break }
            if event.what == .waking, event.flight == id { wake = event.time }
        }
        flights.stamp(id, points.wake, at: wake, by: machines[machine].threads[reader].id)
        if let run = machines[machine].threads[reader].switchIn(
            after: max(wake, ingress), until: time, validFrom: machines[machine].validFrom)
        {
            flights.stamp(id, points.run, at: run, by: machines[machine].threads[reader].id)
        }
        if !machine.isHost, !lane.isNone { measureReading(id, lane) }
        flights.unname(id)
        if !machines[machine].reassembled.isEmpty, !flights[id].flags.contains(.unproven) {
            readFragments(of: id, at: time, by: reader, machine, lane: lane)
        }
        end(id, .complete)
    }

    /// A packet that the stack had been given before is freed while it receives another one: the first fragment of the
    /// datagram that this completes (inet_frag_reasm_prepare, net/ipv4/inet_fragment.c, which moves it to the last
    /// one's address).
    /// - Returns: whether it is.
    mutating func isReassembled(_ id: FlightID, _ lane: LaneID, _ machine: MachineID) -> Bool {
        guard mayBePutOnSocket(id), flights[id].flags.isDisjoint(with: .half), isFragment(flights[id].length) else {
            return false
        }
        func isOfOneDevice(_ other: FlightID) -> Bool {
            mayBePutOnSocket(other) && flights[other].nic == flights[id].nic && flights[other].port == flights[id].port
        }
        // The last fragment is shorter. Of several packets that the stack has it is the first such one after this one.
        let batch = lanes[lane].batched.drop { $0 != id }
        let last = batch.first { isOfOneDevice($0) && flights[$0].length < flights[id].length } ?? lanes[lane].receiving
        guard last != id, isOfOneDevice(last) else { return false }
        // Those in between came between, unless two datagrams' came at the same time: the sum tells.
        var others: [FlightID] = []
        let unread = machines[machine].unread
        for index in 0..<unread.count {
            let other = unread[index]
            if other == last { break }
            if other == id || !others.isEmpty, isOfOneDevice(other), flights[other].length == flights[id].length {
                others.append(other)
            }
        }
        guard !others.isEmpty else { return false }
        for other in others { flights[other].flags.insert(.fragment) }
        if machines[machine].reassembled.count == 64 { machines[machine].reassembled.removeFirst() }
        machines[machine].reassembled.append(Reassembled(last: last, others: others))
        return true
    }

    /// The other fragments of a datagram that ends now.
    mutating func takeFragments(of id: FlightID, _ machine: MachineID) -> [FlightID] {
        guard let index = machines[machine].reassembled.firstIndex(where: { $0.last == id }) else { return [] }
        return machines[machine].reassembled.remove(at: index).others
    }

    /// The datagram has been read: so have all of its fragments.
    mutating func readFragments(
        of id: FlightID, at time: Nanoseconds, by reader: ThreadIndex, _ machine: MachineID, lane: LaneID
    ) {
        for part in takeFragments(of: id, machine) where isLive(part) && !flights[part].flags.contains(.ended) {
            completeRead(part, at: time, by: reader, machine, lane: lane)
        }
    }

    /// The datagram has ended otherwise: so have all of its fragments.
    mutating func endFragments(of id: FlightID, _ outcome: Outcome, _ machine: MachineID) {
        for part in takeFragments(of: id, machine) where isLive(part) && !flights[part].flags.contains(.ended) {
            flights.unname(part)
            end(part, outcome)
        }
    }

    mutating func endWithFragments(_ id: FlightID, _ outcome: Outcome, _ machine: MachineID) {
        guard isLive(id), !flights[id].flags.contains(.ended) else { return }
        endFragments(of: id, outcome, machine)
        flights.unname(id)
        end(id, outcome)
    }
}
