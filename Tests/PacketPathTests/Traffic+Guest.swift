// The vCPU, and the interrupts and NAPI polls on it.

import ClockSync
import PacketPath

extension Traffic {
    func planVCPU() {
        switch vcpu {
        case .asleep:
            // A timer, while the guest still has something to send.
            guard departures > 0 else { return }
            for _ in 0..<Int.random(in: 0...40, using: &random) { plan(.vcpu, {}) }
            plan(.vcpu) { [self] in
                guard vcpu == .asleep else { return }
                scene.wake(scene.line.vcpu, lane: scene.line.vcpuLane, .hardIRQ)
                vcpu = .woken
            }
        case .woken:
            plan(.vcpu) { [self] in
                scene.vcpuRuns()
                vcpu = .running
            }
        case .running:
            if chance(5) {
                plan(
                    .vcpu, { [self] in scene.vcpuIsPreempted() },
                    { [self] in scene.switchTo(scene.line.vcpu, from: 77, lane: scene.line.vcpuLane) })
            }
            plan(.vcpu) { [self] in enter() }
        case .inGuest:
            if !pendingVectors.isEmpty, chance(50) {
                plan(.vcpu) { [self] in
                    if chance(20) {
                        deliver()
                    } else {
                        scene.vcpuExits(.interrupt)
                        vcpu = .running
                    }
                }
            } else if !planGuest() {
                plan(
                    .vcpu,
                    { [self] in
                        scene.vcpuExits(.halt)
                        vcpu = .running
                    }, { [self] in haltIfIdle() })
            }
        }
    }

    func enter() {
        scene.vcpuEnters(injecting: pendingVectors.max())
        deliver()
        vcpu = .inGuest
    }

    private func deliver() {
        guestVectors.formUnion(pendingVectors)
        pendingVectors = []
    }

    private func haltIfIdle() {
        guard pendingVectors.isEmpty else { return }
        scene.vcpuSleeps()
        vcpu = .asleep
    }

    /// What the guest does next; false when there is nothing.
    private func planGuest() -> Bool {
        if let vector = guestVectors.max() {
            plan(.vcpu) { [self] in interrupt(vector) }
            return true
        }
        if !napi.isEmpty {
            let poll = napi.removeFirst()
            let budget = chance(85) ? 64 : 2
            plan(.vcpu) { [self] in poll.isInput ? pollNext(poll.interrupt, work: 0, budget: budget) : clean() }
            return true
        }
        if reader == .asleep, departures > 0, chance(30) {
            plan(.vcpu) { [self] in
                scene.wake(scene.line.reader, lane: scene.line.guestLane, .hardIRQ)
                reader = .woken
            }
            return true
        }
        return planThread()
    }

    private func interrupt(_ vector: UInt8) {
        guestVectors.remove(vector)
        let isInput = vector == scene.line.vector
        if napi.contains(where: { $0.isInput == isInput }) {
            // Scheduled already: the handler raises nothing.
            let irq = UInt64(isInput ? scene.line.inputIRQ : scene.line.outputIRQ)
            scene.mark(.irqEntry, lane: scene.line.guestLane, .hardIRQ, a: irq)
            scene.mark(.irqExit, lane: scene.line.guestLane, .hardIRQ, a: irq)
        } else {
            napi.append((isInput, isInput ? scene.guestInterrupt() : scene.guestCompletionInterrupt()))
            if isInput { wantsInterrupt = false }
        }
    }

    // MARK: Polls

    private func pollNext(_ interrupt: Nanoseconds?, work: Int, budget: Int) {
        if work < budget, !receiveRing.isEmpty {
            insert(.vcpu) { [self] in pollNext(interrupt, work: work + 1, budget: budget) }
            receive(receiveRing.removeFirst(), interrupt)
            return
        }
        // Seen empty here, told of in the next step.
        if work < budget { wantsInterrupt = true }
        insert(.vcpu) { [self] in
            scene.pollEnds(
                scene.line.inputNapi, scene.line.device, work: work, budget: budget, lane: scene.line.guestLane)
            if work == budget {
                napi.insert((true, nil), at: 0)
            } else if !receiveRing.isEmpty, !napi.contains(where: \.isInput) {
                // Something came between the last look and asking for interrupts.
                wantsInterrupt = false
                napi.append((true, nil))
            }
        }
    }

    private func receive(_ packet: Packet, _ interrupt: Nanoseconds?) {
        packet.guestSKB = guestPool.take()
        if let interrupt, interrupt > packet.points[.vhostCopy] ?? packet.points[.hostIngress]! {
            packet.points[.guestIRQ] = interrupt
        }
        scene.guestReceives(packet, waking: false)
        let fate = Int.random(in: 0..<100, using: &random)
        if fate < 6 {
            // ARP, or a port that nobody listens on.
            packet.fate = fate < 4 ? .kernelConsumed : .dropped
            insert(.vcpu) { [self] in
                scene.mark(
                    fate < 4 ? .consume : .drop, lane: scene.line.guestLane, .softIRQ, a: packet.guestSKB, b: .drop(3))
                guestPool.give(packet.guestSKB)
            }
        } else {
            insert(.vcpu) { [self] in
                socket.append(packet)
                guard reader == .asleep else { return }
                packet.points[.guestWake] = scene.wake(scene.line.reader, lane: scene.line.guestLane, .softIRQ)
                reader = .woken
            }
        }
    }

    private func clean() {
        let packets = done
        done = []
        scene.guestCleans(packets)
        for packet in packets { guestPool.give(packet.guestSKB) }
    }
}
