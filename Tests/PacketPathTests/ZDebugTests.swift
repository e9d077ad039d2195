import ClockSync
import PacketPath
import TraceData
import Testing

@Suite struct ZDebugTests {
    @Test func debug() {
            let traffic = Traffic(seed: 1000, packets: 800)
            traffic.run()
            let scene = traffic.scene
            let found = scene.run()
            var n = 0
            for p in traffic.received {
                guard let j = found[p], j.outcome == .complete, p.points[.guestWake] != nil, j.points[.guestWake] == nil else { continue }
                print("ZZ truth", p.points)
                print("ZZ found", j.points)
                for m in scene.stream() where m.lane == 3 && m.time >= p.points[.guestIngress]! - 3000 && m.time <= p.points[.guestRead]! { print("ZZ", m.time, MarkKind(rawValue: m.kind).map{"\($0)"} ?? "\(m.kind)", m.thread, String(m.a, radix: 16), String(m.b, radix: 16), m.flags) }
                n += 1
                if n == 2 { break }
            }
    }
}
