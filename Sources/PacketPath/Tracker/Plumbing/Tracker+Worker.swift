// The thread that serves a queue: it copies packets to the guest, signals, and writes the guest's packets to the host's
// device.

import ClockSync
import TraceData

extension Tracker {
    /// A packet leaves the host for the ring of a queue.
    mutating func copied(_ id: FlightID, _ mark: Mark, queue: QueueID) {
        let worker = thread(of: mark)
        machines[.host].threads[worker].isReceiving = true
        flights.unname(id)
        flights.stamp(id, .vhostCopy, mark)
        flights[id].queue = queue
        flights[id].worker = worker
        if flights[id].wokenThread != mark.threadID { flights.clear(id, .vhostWake) }
        // A wake-up that is absent is earlier than any time.
        let times = flights[id].times
        let onQueue = times.has(.hostEgress) ? times[.hostEgress] : times[.hostIngress]
        let anchor = max(flights[id].times[.vhostWake], onQueue)
        if let run = machines[.host].threads[worker].switchIn(
            after: anchor, until: mark.time, validFrom: machines[.host].validFrom)
        {
            flights.stamp(id, .vhostRun, at: run, by: mark.threadID)
        }
        learnPair(queue, of: id)
        learnPath(queue, of: id)
        overtakes(id, queue)
        queues[queue].lastCopy = mark.time
        queues[queue].unsignalled.append(id)
        if queues[queue].unsignalled.count > VirtqueueOrder.mostWaiting { _ = queues[queue].unsignalled.popFirst() }
        putReceived(id, queue)
    }

    /// The worker signals the guest: the interrupt of everything it copied since the last one.
    mutating func signal(by worker: ThreadIndex, at time: Nanoseconds, vector: UInt8) {
        let queue = machines[.host].threads[worker].queue
        if queues[queue].path == .xdp || queues[queue].isCopiedUnseen {
            queues[queue].note(WorkerSignal(time: time, vector: vector))
        }
        guard machines[.host].threads[worker].isReceiving else { return }
        // Of frames it may have more to copy, for all that can be seen.
        if !queues[queue].hasFrames, !queues[queue].isCopiedUnseen { queues[queue].lastPublished = time }
        queues[queue].vector = Int32(vector)
        while let id = queues[queue].unsignalled.popFirst() {
            guard flights.contains(id), !flights[id].times.has(.guestIngress) else { continue }
            flights.stamp(id, .irqInject, at: time, by: machines[.host].threads[worker].id)
            flights[id].vector = vector
        }
    }

    /// A thread does what it does to inject an interrupt: good enough where no event of KVM's says so.
    mutating func mayInject(_ thread: ThreadID, at time: Nanoseconds) {
        let worker = machines[.host].threads.index(thread)
        let queue = machines[.host].threads[worker].queue
        guard !seesSignals, !queue.isNone, machines[.host].threads[worker].isReceiving,
            !queues[queue].unsignalled.isEmpty
        else { return }
        signal(by: worker, at: time, vector: 0)
    }

    /// KVM says that a thread injects an interrupt.
    mutating func injects(_ mark: Mark) {
        guard mark.inThread else { return }
        let worker = thread(of: mark)
        guard !machines[.host].threads[worker].queue.isNone else { return }
        seesSignals = true
        signal(by: worker, at: mark.time, vector: mark.signalledVector)
    }

    /// The worker writes a guest's packet to the tap or macvtap.
    mutating func takeTransmitted(_ mark: Mark, queue: QueueID, length: Int32) {
        let worker = thread(of: mark)
        machines[.host].threads[worker].isReceiving = false
        let id = takeFromGuest(queue, length: length)
        queues[queue].rings[Direction.transmit.index].lastTaken = mark.time
        name(id, mark.a, on: .host)
        if machines[.host].openHoles > 0 { flights[id].flags.insert(.lost) }
        flights.stamp(id, .hostIngress, mark)
        flights[id].worker = worker
        flights[id].queue = queue
        flights[id].device = mark.name
        if flights[id].flags.isDisjoint(with: [.half, .cut]) { traceNotification(id) }
    }

    /// A packet that one guest sent is put on the queue of another: a second journey, under the same address.
    @discardableResult
    mutating func forkReceived(_ sent: FlightID) -> FlightID {
        let id = newFlight(.receive, on: .host)
        relays &+= 1
        flights[sent].relay = relays
        flights[id].relay = relays
        flights.copy(.hostEgress, of: sent, to: id)
        flights[id].device = flights[sent].nic
        flights[id].pair = flights[sent].pair
        flights[id].length = flights[sent].length
        flights[id].flags.insert(.seen)
        name(id, flights[sent].skb, on: .host)
        return id
    }
}
