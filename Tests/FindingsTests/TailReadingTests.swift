// Which packets are kept while it is not known yet where slow begins.

#if DEBUG
    import ClockSync
    import PacketPath
    import Statistics
    import Testing

    @testable import Findings

    @Suite struct TailReadingTests {
        /// Reads packets that took so long.
        private func reading(_ times: [Nanoseconds], percentile: Double) -> TailReading {
            let key = TailKey(machine: 1, device: "eth0", direction: .receive, path: .tap, isWithoutCall: false)
            var reading = TailReading(key, TailQuestion(limit: .percentile(percentile)))
            for (index, time) in times.enumerated() {
                let place = reading.count([.queue(0)], begin: Nanoseconds(index))
                guard time > reading.forgotten else { continue }
                let packet = SlowPacket(
                    number: index + 1, place: place, begin: Nanoseconds(index), total: time, measured: time,
                    traits: [.queue(0)], stages: [])
                reading.keep(packet, share: 1 - percentile / 100)
            }
            return reading
        }

        @Test(arguments: 1...5 as ClosedRange<UInt64>)
        func `of packets in any order all slow ones are there`(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            let times = (0..<60_000).map { _ in Nanoseconds.random(in: 0...1_000_000_000, using: &random) }
            var reading = reading(times, percentile: 99)
            let limit = times.sorted()[59_400 - 1]
            #expect(reading.forgotten <= limit)
            // Far fewer than all were kept.
            #expect(reading.slow.count < 8192)
            reading.settle(limit)
            #expect(reading.slow.map(\.measured) == times.filter { $0 > limit })
            #expect(reading.count == 60_000)
            #expect(reading.begins.count == 60_000)
            #expect(reading.traits == [.queue(0): 60_000])
        }

        @Test func `what came in a crowd and was let go is known to be missing`() {
            // The slowest tenth comes first.
            let times = (0..<100_000).map { Nanoseconds($0 < 10_000 ? 1_000_000 + $0 : $0 % 1000) }
            let reading = reading(times, percentile: 90)
            #expect(reading.forgotten > times.sorted()[90_000 - 1])
        }
    }
#endif
