// Native XDP in the place of the bridge: frames are redirected one by one, and go out in bulks.

import ClockSync
import PacketPath

extension Traffic {
    // MARK: To the tap

    /// One frame of a poll; some are passed on to the stack, for the host itself or for the guest.
    func redirect() {
        let fate = Int.random(in: 0..<100, using: &random)
        if fate < 4 {
            let own = newPacket()
            scene.nicReceives(own)
            // Freed later, or at once.
            let free = { [self] in
                scene.mark(.consume, lane: 0, .softIRQ, a: own.hostSKB)
                hostPool.give(own.hostSKB)
            }
            insert(.nic, at: fate < 2 ? 0 : 1, [{ free() }])
            return
        }
        if isMixed ? fate < 9 : fate == 4 && chance(50) {
            let packet = newPacket()
            packet.points[.nicIRQ] = interruptTime
            scene.nicReceives(packet)
            insert(.nic) { [self] in giveToTap(packet) }
            return
        }
        let packet = scene.packet(length(), host: 0, guest: 0)
        packet.points[.nicIRQ] = interruptTime
        if framesToTap.count == 16 {
            // The bulk is full: it goes out before the next frame is in.
            let bulk = framesToTap
            framesToTap = []
            insert(.nic) { [self] in
                packet.points[.hostIngress] = redirectMark(toTap: true)
                received.append(packet)
                framesToTap.append(packet)
            }
            flush(bulk, isLast: false)
        } else {
            packet.points[.hostIngress] = redirectMark(toTap: true)
            received.append(packet)
            framesToTap.append(packet)
        }
    }

    private func redirectMark(toTap: Bool) -> Nanoseconds {
        let line = scene.line
        return toTap
            ? scene.redirects(from: line.nicInterface, to: line.tapInterface, lane: line.nicLane, .softIRQ)
            : scene.redirects(
                from: line.tapInterface, to: line.nicInterface, lane: line.workerLane, thread: line.worker, .thread)
    }

    func flushToTap(isLast: Bool) {
        let bulk = framesToTap
        framesToTap = []
        if !bulk.isEmpty { flush(bulk, isLast: isLast) }
    }

    /// On the queue in one step, told to the worker in the next and to the trace in the one after.
    private func flush(_ bulk: [Packet], isLast: Bool) {
        let room = chance(4) ? Int.random(in: 0..<bulk.count, using: &random) : bulk.count
        tap += bulk[..<room]
        for packet in bulk[room...] { packet.fate = .dropped }
        insert(
            .nic, { [self] in if isLast, room > 0 { _ = wakeWorker(lane: 0, .softIRQ) } },
            { [self] in scene.bulkToTap(sent: room, dropped: bulk.count - room) })
    }

    // MARK: To the NIC

    func redirect(_ packet: Packet) {
        done.append(packet)
        if framesToNIC.count == 16 { flushToNIC() }
        packet.points[.hostIngress] = redirectMark(toTap: false)
        framesToNIC.append(packet)
    }

    func flushToNIC() {
        let bulk = framesToNIC
        framesToNIC = []
        guard !bulk.isEmpty else { return }
        let room = chance(4) ? Int.random(in: 0..<bulk.count, using: &random) : bulk.count
        for packet in bulk[room...] { packet.fate = .dropped }
        scene.bulkToNIC(Array(bulk[..<room]), dropped: bulk.count - room)
    }
}
