// Native XDP: whose frames they are, where no event names the tap or the worker.

import ClockSync
import PacketPath
import Testing

@Suite struct NativeXDPTopologyTests {
    @Test func `a worker is known by its waking alone, and a guest that only receives has its packets`() {
        var scene = Scene()
        let packets = scene.packets(4)
        for packet in packets { scene.receiveByNativeXDP([packet]) }
        let found = scene.run()
        #expect(found.isWhole(packets))
        #expect(found.journeys.count == 4)
    }

    @Test func `frames for two guests in one poll wake each their own worker`() {
        var scene = Scene(threads: [[0: 181], [0: 281]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var rounds: [[Packet]] = []
        for _ in 0..<4 {
            let packets = scene.packets(2)
            packets.stamp(.nicIRQ, scene.nicInterrupt())
            for (packet, line) in zip(packets, lines) {
                scene.line = line
                scene.nativeXDPReceives(packet)
            }
            for (packet, line) in zip(packets, lines) {
                scene.line = line
                packet.points[.vhostWake] = scene.wake(line.worker, lane: 0, .softIRQ)
                scene.bulkToTap(sent: 1)
            }
            scene.nicPollEnds(work: 2)
            for (packet, line) in zip(packets, lines).reversed() {
                scene.line = line
                scene.deliverBare([packet])
            }
            for line in lines {
                scene.line = line
                scene.transmitByNativeXDP(scene.packets(1))
            }
            rounds.append(packets)
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        for packets in rounds[1...] {
            #expect(packets.map { found.outcome($0) } == [.complete, .complete])
            #expect(packets.map { found[$0]?.machine } == [1, 2])
        }
        #expect(found.misattributions(among: scene.packets).isEmpty)
    }

    @Test func `a second worker of one tap makes its order unknown, not wrong`() {
        var scene = Scene()
        scene.workers.insert(Line.secondPair.worker)
        let lines = [scene.line, .secondPair]
        for index in 0..<8 {
            // Pairs as the CPUs send them, one here and two there.
            scene.line = lines[index % 2]
            let packets = scene.packets(1 + index % 2)
            scene.bringInByNativeXDP(packets)
            scene.line = lines[1 - index % 2]
            let others = scene.packets(1)
            scene.bringInByNativeXDP(others)
            scene.deliverBare(others)
            scene.line = lines[index % 2]
            scene.deliverBare(packets)
        }
        for line in lines {
            scene.line = line
            scene.transmitByNativeXDP(scene.packets(2))
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.count(.ambiguous) > 0)
    }
}
