// The NIC's softirq and the vhost worker.

import ClockSync
import PacketPath

extension Traffic {
    // MARK: NIC

    func planNIC() {
        if !inNIC.isEmpty, chance(30) {
            let packet = inNIC.removeFirst()
            plan(.nic) { [self] in
                scene.nicFrees(packet)
                hostPool.give(packet.hostSKB)
            }
            return
        }
        if backlog == 0, arrivals > 0, chance(60) {
            // A pause.
            for _ in 0..<Int.random(in: 10...200, using: &random) { plan(.nic, {}) }
            return
        }
        if arrivals > 0, backlog == 0 || chance(20) {
            let burst = min(arrivals, chance(70) ? 1 : Int.random(in: 2...40, using: &random))
            arrivals -= burst
            backlog += burst
        }
        guard backlog > 0 else { return }
        if chance(10) { plan(.nic) { [self] in scene.otherInterrupt(lane: 0) } }
        if !isPolling {
            plan(.nic) { [self] in interruptTime = scene.nicInterrupt() }
        }
        planPoll()
    }

    private func planPoll() {
        isPolling = true
        let work = min(backlog, chance(50) ? 64 : Int.random(in: 1...16, using: &random))
        backlog -= work
        for _ in 0..<work { plan(.nic) { [self] in plumbing == .bridge ? arrive() : redirect() } }
        if plumbing == .nativeXDP { plan(.nic) { [self] in flushToTap(isLast: true) } }
        plan(.nic) { [self] in
            scene.nicPollEnds(work: work)
            interruptTime = nil
            // The driver asks for interrupts again, or goes on polling.
            isPolling = backlog > 0 && chance(50)
        }
    }

    /// One frame, from the driver on; what becomes of it is inserted ahead of the rest of the poll.
    private func arrive() {
        let packet = newPacket()
        packet.points[.nicIRQ] = interruptTime
        scene.nicReceives(packet)
        let fate = Int.random(in: 0..<100, using: &random)
        if fate < 5 {
            insert(.nic) { [self] in
                scene.mark(fate < 3 ? .consume : .drop, lane: 0, .softIRQ, a: packet.hostSKB, b: .drop(2))
                hostPool.give(packet.hostSKB)
            }
        } else {
            insert(.nic) { [self] in giveToTap(packet) }
        }
    }

    func giveToTap(_ packet: Packet) {
        let skb = packet.hostSKB
        received.append(packet)
        packet.points[.hostEgress] = scene.skbMark(
            .startXmit, skb, scene.line.tap, length: packet.length, lane: 0, .softIRQ)
        if chance(2) {
            // The tap's ring is full.
            packet.fate = .dropped
            insert(
                .nic, { [self] in scene.mark(.drop, lane: 0, .softIRQ, a: skb, b: .drop(55)) },
                { [self] in
                    scene.skbMark(.xmitDone, skb, scene.line.tap, length: 1, lane: 0, .softIRQ)
                    hostPool.give(skb)
                })
            return
        }
        insert(
            .nic,
            { [self] in
                tap.append(packet)
                packet.points[.vhostWake] = wakeWorker(lane: 0, .softIRQ)
            }, { [self] in scene.skbMark(.xmitDone, skb, scene.line.tap, lane: 0, .softIRQ) })
    }

    func newPacket() -> Packet {
        scene.packet(length(), host: hostPool.take(), guest: 0)
    }

    // MARK: Worker

    func planWorker() {
        switch worker {
        case .asleep: return
        case .woken:
            plan(.worker) { [self] in
                scene.vhostRuns()
                worker = .running
                wantsKick = false
            }
        case .running:
            if chance(3) {
                plan(
                    .worker, { [self] in scene.switchTo(77, from: scene.line.worker, state: Scene.preempted, lane: 1) },
                    { [self] in scene.switchTo(scene.line.worker, from: 77, lane: 1) })
            }
            if !tap.isEmpty, chance(50) || transmitRing.isEmpty {
                planCopies()
            } else if !transmitRing.isEmpty {
                planWrites()
            } else {
                plan(.worker, { [self] in wantsKick = true }, { [self] in sleepIfIdle() })
            }
        }
    }

    private func sleepIfIdle() {
        guard tap.isEmpty, transmitRing.isEmpty else {
            wantsKick = false
            return
        }
        scene.vhostSleeps()
        worker = .asleep
    }

    private func planCopies() {
        var copied: [Packet] = []
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            plan(.worker) { [self] in
                guard !tap.isEmpty else { return }
                let packet = tap.removeFirst()
                copied.append(packet)
                guard packet.hostSKB != 0 else { return }
                scene.vhostCopies(packet)
                hostPool.give(packet.hostSKB)
            }
        }
        plan(
            .worker, { [self] in receiveRing += copied },
            { [self] in
                guard wantsInterrupt else { return }
                copied.stamp(.irqInject, inject(scene.line.vector))
            })
    }

    /// Signals the guest, and wakes its vCPU in the next step if that sleeps by then.
    private func inject(_ vector: UInt8) -> Nanoseconds {
        let time = scene.vhostSignals(vector: vector)
        pendingVectors.insert(vector)
        insert(.worker) { [self] in
            guard vcpu == .asleep else { return }
            scene.vhostWakesVCPU()
            vcpu = .woken
        }
        return time
    }

    private func planWrites() {
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            plan(.worker) { [self] in
                guard !transmitRing.isEmpty else { return }
                let packet = transmitRing.removeFirst()
                if plumbing == .bridge { write(packet) } else { redirect(packet) }
            }
        }
        if plumbing == .nativeXDP { plan(.worker) { [self] in flushToNIC() } }
        if chance(30) { plan(.worker) { [self] in _ = inject(Self.outputVector) } }
    }

    private func write(_ packet: Packet) {
        packet.hostSKB = hostPool.take()
        scene.vhostWrites(packet)
        done.append(packet)
        let skb = packet.hostSKB
        let fate = Int.random(in: 0..<100, using: &random)
        if fate < 10 {
            // The host's own, or nobody's.
            packet.fate = fate < 6 ? .kernelConsumed : .dropped
            insert(.worker) { [self] in
                scene.mark(fate < 6 ? .consume : .drop, lane: 1, thread: scene.line.worker, a: skb, b: .drop(9))
                hostPool.give(skb)
            }
        } else {
            insert(
                .worker,
                { [self] in
                    packet.points[.hostEgress] = scene.skbMark(
                        .startXmit, skb, scene.line.nic, length: packet.length, lane: 1, thread: scene.line.worker,
                        .thread)
                },
                { [self] in
                    packet.points[.nicXmit] = scene.skbMark(
                        .xmitDone, skb, scene.line.nic, lane: 1, thread: scene.line.worker, .thread)
                    inNIC.append(packet)
                })
        }
    }
}
