// Whose device it is that no queue of the host leads to, and what follows for its packets.

import ClockSync

extension Tracker {
    /// How a packet came whose interrupt was not found on the host.
    mutating func classifyDelivery(_ id: FlightID, _ port: PortID) {
        guard flights[id].delivery == .unknown else { return }
        if flights[id].flags.contains(.sharedInterrupt) {
            coalesce(id)
        } else if !flights[id].times.has(.guestIRQ) {
            flights[id].delivery = flights[id].deliveryWithoutInterrupt
        } else if ports[port].passage == .posted, flights[id].times[.guestIRQ] >= machines[.host].startTime {
            flights[id].delivery = .posted
        }
    }

    /// The packet's interrupt was raised for another one, or may have been: it is seen from its ingress on.
    mutating func coalesce(_ id: FlightID) {
        for point in [Point.nicIRQ, .irqInject, .vcpuWake, .vcpuRun, .vcpuEntry, .guestIRQ] { flights.clear(id, point) }
        flights[id].delivery = .coalesced
        flights[id].vcpuState = .unknown
    }

    /// A packet of a device that is known to be the guest's own.
    mutating func receiveDirectly(_ port: PortID, length: Int32) -> FlightID {
        let id = newFlight(.receive, on: ports[port].machine)
        flights[id].flags.insert(.seen)
        flights[id].length = length
        flights[id].port = port
        return id
    }

    /// The guest's driver has a packet: the device's own descriptor ring is the end of what can be seen.
    /// - Parameter lane: the CPU it was on; none where that is long past.
    mutating func sentDirectly(_ id: FlightID, at time: Nanoseconds, on lane: LaneID = .none) {
        flights[id].handedOver = time
        let port = flights[id].port
        guard !port.isNone, ports[port].passage != .none else { return }
        flights.stamp(id, .nicXmit, at: time, on: lane)
        end(id, .complete)
    }

    /// Takes a device for the guest's own when nothing else is left: it interrupts by itself, and no queue of the host
    /// is or can be its.
    mutating func becomeByElimination(_ port: PortID) {
        // Before the host's recording nothing of it is known.
        guard ports[port].queue.isNone, ports[port].passage == .none, machines[.host].startTime != PointTimes.absent,
            !canHaveQueue(port)
        else { return }
        // Where the host's own interrupts were not recorded, that there is none of the device's says nothing.
        let isPosted = passThrough.vectors.isEmpty && count(of: .irqEntry, on: .host) > 0
        become(port, isPosted ? .posted : .visible)
    }

    /// It is known now whose the device is: what it has received and sent so far are journeys too.
    mutating func become(_ port: PortID, _ passage: GuestPort.Passage) {
        guard ports[port].passage == .none, isPossible(.vfio) else { return }
        ports[port].passage = passage
        while let id = ports[port].takens.popFirst() {
            guard flights.contains(id) else { continue }
            flights[id].flags.remove(.half)
            let irq = flights[id].times[.guestIRQ]
            if passage == .visible, irq != PointTimes.absent, irq < machines[.host].startTime {
                flights[id].flags.insert(.cut)
            }
            classifyDelivery(id, port)
            if flights[id].flags.contains(.ended) { emit(id) }
        }
        while let id = ports[port].puts.popFirst() {
            guard flights.contains(id), flights[id].handedOver != PointTimes.absent else { continue }
            sentDirectly(id, at: flights[id].handedOver)
        }
    }
}
