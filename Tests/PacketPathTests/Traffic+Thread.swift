// The guest's one thread: it reads what is in its socket, and sends as long as there is something to send.

import ClockSync
import PacketPath

extension Traffic {
    /// What the thread does next; false when it sleeps.
    func planThread() -> Bool {
        switch reader {
        case .asleep: return false
        case .woken:
            plan(.vcpu) { [self] in
                scene.readerRuns()
                reader = .running
            }
        case .running:
            if !socket.isEmpty {
                plan(.vcpu) { [self] in
                    let packet = socket.removeFirst()
                    scene.reads(packet, copying: chance(30))
                    guestPool.give(packet.guestSKB)
                }
            }
            if departures > 0, chance(40) {
                planSend(min(departures, chance(70) ? 1 : Int.random(in: 2...6, using: &random)))
            } else if socket.isEmpty {
                plan(.vcpu) { [self] in
                    scene.readerSleeps()
                    reader = .asleep
                }
            }
        }
        return true
    }

    /// One system call, or a softirq on top of the thread, that sends some packets.
    private func planSend(_ count: Int) {
        departures -= count
        let isCall = chance(85)
        var call: Nanoseconds?
        if isCall { plan(.vcpu) { [self] in call = scene.senderCalls() } }
        for index in 0..<count {
            plan(.vcpu) { [self] in
                let packet = scene.packet(length(), host: 0, guest: guestPool.take())
                packet.points[.guestSend] = call
                send(packet, isCall ? .thread : .softIRQ, isLast: index == count - 1)
            }
        }
        if isCall { plan(.vcpu) { [self] in scene.senderReturns() } }
    }

    private func send(_ packet: Packet, _ context: Scene.Context, isLast: Bool) {
        scene.guestQueues(packet, context)
        sent.append(packet)
        let fate = Int.random(in: 0..<100, using: &random)
        if fate < 4 {
            // The ring is full; tried again below.
            insert(
                .vcpu, { [self] in scene.driverBegins(packet, context) },
                { [self] in scene.driverEnds(packet, rc: 0x10, context) })
        }
        if fate > 97 {
            packet.fate = .dropped
            insert(
                .vcpu, { [self] in scene.driverBegins(packet, context) },
                { [self] in
                    scene.mark(
                        .drop, lane: scene.line.guestLane, thread: scene.line.reader, context, a: packet.guestSKB,
                        b: .drop(3))
                    scene.driverEnds(packet, context)
                    guestPool.give(packet.guestSKB)
                }, { [self] in if isLast { kick(nil) } })
            return
        }
        append(packet, context, isLast: isLast, afterwards: fate < 4)
    }

    /// The driver puts the packet on the ring, and notifies of the last one.
    private func append(_ packet: Packet, _ context: Scene.Context, isLast: Bool, afterwards: Bool) {
        let steps: [() -> Void] = [
            { [self] in scene.driverBegins(packet, context) },
            { [self] in
                // free_old_xmit_skbs.
                guard let old = done.popLast() else { return }
                scene.mark(.consume, lane: scene.line.guestLane, thread: scene.line.reader, context, a: old.guestSKB)
                guestPool.give(old.guestSKB)
            },
            { [self] in transmitRing.append(packet) },
            { [self] in if isLast { kick(packet) } },
            { [self] in scene.driverEnds(packet, context) },
        ]
        insert(.vcpu, at: afterwards ? 2 : 0, steps)
    }

    private func kick(_ packet: Packet?) {
        guard wantsKick else { return }
        let time = scene.vcpuExits(.nestedPageFault)
        packet?.points[.kick] = time
        insert(
            .vcpu, { [self] in scene.mark(.doorbell, lane: scene.line.vcpuLane, thread: scene.line.vcpu) },
            { [self] in
                let wake = wakeWorker(lane: scene.line.vcpuLane, thread: scene.line.vcpu, .thread)
                packet?.points[.vhostWake] = wake
            }, { [self] in enter() })
    }
}
