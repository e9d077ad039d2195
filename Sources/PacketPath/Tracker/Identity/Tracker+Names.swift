// Addresses that are given to another packet: what became of the one that had them, where no event says so.

import TraceData

extension Tracker {
    /// Gives `id` the skb address, ending whatever had it before.
    mutating func name(_ id: FlightID, _ skb: UInt64, on machine: MachineID) {
        let stale = flights.holder(of: skb, on: machine)
        if !stale.isNone, stale != id { reborn(stale) }
        flights.name(id, skb, on: machine)
    }

    /// Its address belongs to another packet now, and no event said that it was freed.
    mutating func reborn(_ id: FlightID) {
        flights[id].skb = 0
        let flags = flights[id].flags
        guard !flags.contains(.ended), flights[id].socket == 0 else { return }
        if flights[id].direction == .receive {
            if flights[id].times.has(.guestIngress) || followsHost && flags.contains(.seen) {
                // A reader's copy is always an event; the kernel itself frees some packets without one.
                if isReadSilently(id) {
                    end(id, .notRecorded)
                } else if mayBeMerged(id) {
                    flights[id].flags.insert(.perhapsRead)
                } else {
                    end(id, .kernelConsumed)
                }
            } else if flags.contains(.seen), destination(of: id) != nil {
                takenUnseen(id)
                if !flights[id].times.has(.vhostCopy) { end(id, .notRecorded) }
            } else {
                flights.discard(id)
            }
        } else if flights[id].times.has(.hostIngress) {
            if !flights[id].times.has(.hostEgress) {
                end(id, .kernelConsumed)
            } else if !flights[id].times.has(.nicXmit), !isHandedOver(id) {
                end(id, count(of: .xmitDone, on: .host) == 0 ? .notRecorded : .lostEvents)
            }
        } else if flags.contains(.queued) {
            flights.discard(id)
        } else if followsHost, flags.contains(.seen), !isHandedOver(id) {
            end(id, count(of: .xmitDone, on: .host) == 0 ? .notRecorded : .lostEvents)
        }
    }

    /// A packet of lo's is nobody's. What had its address before has been freed without an event, if it is not a
    /// tunnel's on its way through.
    mutating func passLoopback(_ mark: Mark, _ machine: MachineID) {
        let stale = flight(mark.a, on: machine)
        guard !stale.isNone, !isHandedOver(stale) else { return }
        flights.unname(stale)
        reborn(stale)
    }

    /// Whether a driver on any CPU has the packet and has not said what became of it.
    private func isHandedOver(_ id: FlightID) -> Bool { lanes.ids.contains { lanes[$0].isHandingOver(id) } }

    /// Whether what is dropped is no packet, so that it has only the address of one that was freed before without an
    /// event.
    mutating func isDropOfAnother(_ mark: Mark, _ id: FlightID) -> Bool {
        // A program may send packets that have no protocol.
        guard mark.isOfNoPacket, flights[id].direction == .receive || flights[id].times.has(.hostIngress) else {
            return false
        }
        reborn(id)
        return true
    }
}
