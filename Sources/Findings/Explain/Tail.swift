// The slow packets of one flow beside its others: where their time went, when they came, what they have in common.

package import ClockSync
package import PacketPath
package import Statistics

/// The slow packets of one flow; the others are their control group.
package struct Tail: Sendable {
    package var flow: Flow
    /// A packet is slow that took longer.
    package var limit: Nanoseconds
    /// The stage that is meant by that; nil for the whole way.
    package var stage: Stage?
    /// In the order in which they ended.
    package var packets: [SlowPacket]
    /// Measured packets that are not slow.
    package var others: Int
    /// One for each stage of the flow that any packet has.
    package var stages: [TailStage]
    package var patterns: [TailPattern]
    package var shared: [SharedTrait]

    /// The slowest first.
    package var slowest: [SlowPacket] {
        packets.sorted { ($1.total, $0.number) < ($0.total, $1.number) }
    }
}

/// What one stage took in slow packets and in all.
package struct TailStage: Sendable {
    package var stage: Stage
    /// The stage's number among all of its flow.
    package var index: Int
    /// The median of all packets that have it, ns, to three significant digits.
    package var usual: Nanoseconds
    /// The median of the slow ones that have it; nil where none has.
    package var slow: Nanoseconds?
    /// Its part of the time of all packets together, 0 to 1.
    package var share: Double
    /// Its part of what the slow packets took more than usual, all together, with an interval between bursts of slow
    /// packets; nil where they did not take more than usual.
    package var ofExcess: Ratio?

    /// How many times its share of all time its share of the excess is; nil where there is none.
    package var lift: Double? {
        guard let ofExcess, share > 0 else { return nil }
        return ofExcess.value / share
    }
}

extension Tail {
    /// - Parameter reading: its packets are the slow ones.
    init(_ flow: Flow, _ limit: Nanoseconds, _ reading: TailReading, seed: UInt64) {
        self.flow = flow
        self.limit = limit
        stage = reading.stage.map { flow.stages[$0].stage }
        packets = reading.slow
        others = reading.count - reading.slow.count
        let usual = Tail.usual(flow)
        stages = Self.stages(flow, reading.slow, usual)
        patterns = TailPattern.all(of: reading, seed: seed)
        shared = SharedTrait.all(of: reading)
    }

    /// What each stage of a flow usually takes: the median of the packets that have it, ns; 0 where none has.
    static func usual(_ flow: Flow) -> [Nanoseconds] {
        flow.stages.map { $0.samples.count > 0 ? $0.samples.percentiles([50])[0] : 0 }
    }

    /// What each stage usually takes, by its number.
    package var usual: [Nanoseconds] { Self.usual(flow) }

    private static func stages(_ flow: Flow, _ slow: [SlowPacket], _ usual: [Nanoseconds]) -> [TailStage] {
        // Packets that follow each other share their luck: what is independent are bursts of them.
        let bursts = Self.bursts(slow)
        let excesses = bursts.map { burst in
            burst.reduce(into: [Double](repeating: 0, count: usual.count)) { sums, packet in
                for (index, excess) in packet.excess(over: usual).enumerated() { sums[index] += Double(excess) }
            }
        }
        let wholes = excesses.map { $0.reduce(0, +) }
        return flow.stages.indices.compactMap { index in
            guard flow.stages[index].samples.count > 0 else { return nil }
            let times = slow.compactMap { $0.stages[index] }.sorted()
            return TailStage(
                stage: flow.stages[index].stage, index: index, usual: usual[index],
                slow: times.isEmpty ? nil : times[(times.count - 1) / 2], share: flow.share(flow.stages[index]),
                ofExcess: Ratio(excesses.map { $0[index] }, of: wholes))
        }
    }

    /// Slow packets that follow each other without another one between them.
    static func bursts(_ slow: [SlowPacket]) -> [[SlowPacket]] {
        var bursts: [[SlowPacket]] = []
        for packet in slow {
            if let last = bursts.last?.last, packet.place == last.place + 1 {
                bursts[bursts.count - 1].append(packet)
            } else {
                bursts.append([packet])
            }
        }
        return bursts
    }
}
