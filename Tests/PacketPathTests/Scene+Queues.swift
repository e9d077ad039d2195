// Acts of a guest whose device has several queue pairs.

import ClockSync
import PacketPath

extension Scene {
    /// A device with two queue pairs, whose interrupts go to one vCPU, or to one each.
    static func withTwoPairs(ownCPUs: Bool = false, vectors: [UInt8] = [39, 41]) -> (scene: Scene, lines: [Line]) {
        var lines = [Line(), Line.secondPair]
        lines[0].vector = vectors[0]
        lines[1].vector = vectors[1]
        if ownCPUs {
            lines[1].vcpu = 182
            lines[1].vcpuNumber = 1
            lines[1].vcpuLane = 1
            lines[1].guestLane = 3
            lines[1].reader = 99
        }
        var scene = ownCPUs ? Scene(threads: [[0: 181, 1: 182]], guestCPUs: [2]) : Scene()
        scene.workers.insert(lines[1].worker)
        scene.line = lines[1]
        scene.rest()
        scene.line = lines[0]
        return (scene, lines)
    }

    /// The worker copies what is on its queue and signals, as far as that.
    mutating func copyAndSignal(_ packets: [Packet], waking: Bool = true) {
        packets.stamp(.vhostRun, vhostRuns())
        for packet in packets { vhostCopies(packet) }
        signal(packets, waking ? .asleep : .inGuest)
        vhostSleeps()
    }
}
