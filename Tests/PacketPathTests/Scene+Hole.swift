// One hole somewhere in a scene: what may be said then, and what must be.

import ClockSync
import PacketPath
import Testing

/// Stages rounds of packets, loses what one lane recorded for a while, and holds what is found against what there was.
/// - Parameters:
///   - place: where the hole is, of 40.
///   - count: rounds that it may lie in.
///   - round: stages so many packets, or pairs of them.
func expectOneHole(at place: Int, in scene: inout Scene, of count: Int, round: (inout Scene, Int) -> [Packet]) {
    let before = round(&scene, 1)
    // What a lane lost may reach back to its last event before, and on to its first one after.
    var torn = round(&scene, 1)
    let begin = scene.now
    torn += round(&scene, count)
    let end = scene.now
    torn += round(&scene, 1)
    let after = round(&scene, 2)
    let time = begin + (end - begin) * Nanoseconds(place) / 40
    scene.lose(lane: place % 3, time..<time + 100)
    let found = scene.run()
    #expect(found.falsehoods(among: scene.packets).isEmpty)
    #expect(found.isWhole(before + after))
    #expect(found.journeys.count <= scene.packets.count)
    #expect(found.journeys.count >= scene.packets.count - torn.count)
}
