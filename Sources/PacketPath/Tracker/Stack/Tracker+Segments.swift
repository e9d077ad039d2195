// Segmentation in software, where a device does none itself: the packet is freed and its segments go to the driver
// instead, one after the other, with nothing but hardware interrupts in between (validate_xmit_skb and
// dev_hard_start_xmit, net/core/dev.c; with a queueing discipline several packets may be cut before the first segment
// goes). In a guest every segment is a packet of the ring. On the host they are together the guest's one packet, if
// they hold exactly its bytes.

import TraceData

extension Tracker {
    /// A queueing discipline hands no more packets to a driver at a time (dev_tx_weight, net/core/dev.c).
    private static let mostCut = 64

    /// A packet of a guest's is freed before the host's driver had it: either it has been cut into segments, or the
    /// host itself was meant.
    mutating func cut(_ id: FlightID, _ lane: LaneID) {
        awaitSegments(lane)
        lanes[lane].segmented?.packets.append(id)
    }

    /// A further packet is cut: those whose segments have gone are over.
    private mutating func awaitSegments(_ lane: LaneID) {
        if let segmented = lanes[lane].segmented, segmented.count > 0 || segmented.packets.count == Self.mostCut {
            endSegments(lane)
        }
        if lanes[lane].segmented == nil { lanes[lane].segmented = Segmented() }
    }

    /// A packet that was queued on this machine is freed before a driver had it.
    mutating func cutQueued(_ id: FlightID, _ lane: LaneID, _ machine: MachineID) {
        awaitSegments(lane)
        lanes[lane].segmented?.calls += 1
        lanes[lane].segmented?.sendingSince = flights[id].times[StackPoints.of(machine: machine).send]
        lanes[lane].segmented?.sender = flights[id].sender
        lanes[lane].segmented?.flags.formUnion(flights[id].flags.intersection([.callUnknown, .recorders, .lost]))
    }

    /// Whether a mark is no more than a part of segments' being sent.
    func isOfSegments(_ kind: MarkKind, _ mark: Mark, _ lane: LaneID) -> Bool {
        if mark.inHardIRQ || kind.isOfInterrupt || kind == .startXmit { return true }
        // In a driver, which may free and wake; or several packets, of which no segment has gone yet.
        if lanes[lane].handoverCount > 0 { return kind != .taskSwitch }
        return kind == .consume && lanes[lane].segmented?.count == 0
    }

    /// A driver gets a packet that was not queued: a segment.
    mutating func inheritCall(_ id: FlightID, _ lane: LaneID, _ machine: MachineID) -> Bool {
        guard let segmented = lanes[lane].segmented, segmented.calls > 0 else { return false }
        lanes[lane].segmented?.count += 1
        flights[id].flags.formUnion(segmented.flags)
        if segmented.flags.contains(.callUnknown) {
            flights[id].sender = segmented.sender
            awaitCall(id, machine)
        }
        // Of several it is not known whose segment this is.
        if segmented.calls == 1 {
            flights.stamp(id, StackPoints.of(machine: machine).send, at: segmented.sendingSince, on: lane)
        }
        return true
    }

    /// The host's driver gets a packet that nothing is known of: a segment of a guest's packet.
    mutating func sendsSegment(_ mark: Mark, _ lane: LaneID) -> Bool {
        guard let segmented = lanes[lane].segmented, let id = segmented.packets.first, flights.contains(id) else {
            return false
        }
        guard flight(mark.a, on: .host).isNone, nics.contains(mark.name),
            segmented.count == 0 || flights[id].nic == mark.name
        else {
            endSegments(lane)
            return false
        }
        if segmented.count == 0 {
            flights.stamp(id, .hostEgress, mark)
            flights[id].nic = mark.name
            flights[id].pair = mark.transmitQueue
            if !flights[id].queue.isNone { learnPath(flights[id].queue, of: id) }
        }
        lanes[lane].segmented?.count += 1
        lanes[lane].segmented?.bytes += Int(mark.length)
        lanes[lane].beginHandover(mark, id, port: .none)
        return true
    }

    /// The driver has taken a segment, or not: then it is tried again, in nobody knows what company.
    mutating func sentSegment(_ id: FlightID, _ mark: Mark, _ lane: LaneID) -> Bool {
        guard let segmented = lanes[lane].segmented, segmented.packets.first == id, segmented.count > 0 else {
            return false
        }
        flights.stamp(id, .nicXmit, mark)
        if mark.returnCode != 0 { flights[id].flags.insert(.ambiguous) }
        return true
    }

    /// Something else happens on the CPU: all segments are on their way.
    mutating func endSegments(_ lane: LaneID) {
        guard let segmented = lanes[lane].segmented else { return }
        lanes[lane].segmented = nil
        for id in segmented.packets where flights.contains(id) {
            if segmented.count == 0 {
                end(id, .kernelConsumed)
            } else {
                let isWhole = segmented.packets.count == 1 && segmented.hold(Int(flights[id].length))
                if !isWhole { flights[id].flags.insert(.ambiguous) }
                end(id, isWhole ? .complete : .ambiguous)
            }
        }
    }
}
