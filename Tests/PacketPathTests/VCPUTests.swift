// Which host thread is which guest CPU, and whether the clock that says so can be true.

import ClockSync
import PacketPath
import Testing

@Suite struct VCPUTests {
    @Test func `a vCPU that no file names is found by its windows, and later packets are whole`() {
        var scene = Scene(threads: [[:]])
        var rounds: [Scene.Round] = []
        for _ in 0..<30 { rounds.append(scene.plainRound()) }
        let found = scene.run()
        #expect(found.journeys.count == 60)
        #expect(found.count(.complete) == 60)
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.isWhole(rounds[25].receive + rounds[25].transmit + rounds[29].receive + rounds[29].transmit))
        #expect(found.containments[1].inside > 200)
        #expect(found.containments[1].outside == 0)
    }

    @Test(arguments: [true, false])
    func `two vCPUs of one guest are told apart, with and without vcpu_id in kvm_entry`(numbered: Bool) {
        var scene = Scene(threads: [[:]], guestCPUs: [2])
        var other = Line()
        other.vcpu = 182
        other.vcpuNumber = numbered ? 1 : 0
        other.guestLane = 3
        let first = scene.line
        scene.line = other
        scene.rest()
        var last: [Packet] = []
        for index in 0..<80 {
            scene.line = index % 2 == 0 ? first : other
            let packet = scene.packet()
            scene.receive([packet])
            if index >= 76 { last.append(packet) }
        }
        let found = scene.run()
        #expect(found.count(.complete) == 80)
        #expect(found.isWhole(last))
        #expect(found.containments[1].outside == 0)
    }

    @Test func `the vCPUs of two guests are told apart without any file's help`() {
        var scene = Scene(threads: [[:], [:]])
        let lines = [scene.line, .secondGuest]
        scene.line = lines[1]
        scene.rest()
        var rounds: [Scene.Round] = []
        for index in 0..<80 {
            scene.line = lines[index % 2]
            rounds.append(scene.plainRound())
        }
        let found = scene.run()
        #expect(found.falsehoods(among: scene.packets).isEmpty)
        #expect(found.journeys.count == 160)
        for (index, round) in rounds.enumerated().suffix(4) {
            #expect(found.isWhole(round.receive + round.transmit))
            #expect(found[round.receive[0]]?.machine == index % 2 + 1)
        }
    }

    @Test(arguments: [-2_000_000, 0, 2_000_000])
    func `a guest clock that is 2 ms off contradicts the entry windows`(error: Nanoseconds) {
        for threads in [[0: Int32(181)], [:]] {
            var scene = Scene(threads: [threads])
            scene.step = 20_000
            for _ in 0..<40 { _ = scene.plainRound() }
            scene.shift(1, by: error)
            #expect(scene.run().containments[1].contradictsMap == (error != 0))
        }
    }

    @Test func `under a wrong clock a complete journey still does not run backwards`() {
        var original = Scene()
        _ = original.plainRound()
        _ = original.busyRound()
        _ = original.plainRound()
        for error in stride(from: Nanoseconds(-605), through: 605, by: 10) {
            var scene = original
            scene.shift(1, by: error)
            for journey in scene.run().journeys where journey.outcome == .complete {
                #expect(
                    journey.points.isOrdered(by: PathDescription.tap.rules(journey.direction)), "off by \(error) ns")
            }
        }
    }
}
