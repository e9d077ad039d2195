import ClockSync
import Testing

@Suite struct OffsetFitTests {
    /// A recording: how often a clock is looked at, how long, with what delays.
    struct Scene {
        var clock: DriftingClock
        var seen = Observation()
        var duration: Double
        /// Widest an exchange or reading is, in ns.
        var widest = 0.0

        /// - Parameter steps: how often the clock is set. Each step is larger than what the bounds beside it leave open, drift included; a
        ///   smaller one is a drift to whoever sees only the bounds, and nobody can tell. And on each side of it there are enough bounds that
        ///   it is no wild mark.
        init(_ chance: inout Chance, steps: Int, looks: ClosedRange<Int>) {
            clock = DriftingClock(&chance)
            duration = chance.scale(1e8, 6e11)
            let count = Int(chance.scale(Double(looks.lowerBound), Double(looks.upperBound)))
            let isExchange = chance.isHeads(0.7)
            let spacing = duration / Double(count)
            let least = chance.scale(50, 200_000)
            let delays = Delays(least: min(least, spacing / 8), jitter: min(chance.scale(10, 10_000_000), spacing / 120))
            let pause = min(chance.scale(10, 100_000), spacing / 8)
            let starts = (0..<count).map { (Double($0) + 0.5 * chance.share()) * spacing }
            let ways = starts.map { _ in (delays.one(&chance), chance.share() * pause, delays.one(&chance)) }
            widest = ways.reduce(0) { max($0, $1.0 + $1.1 + $1.2) }
            for index in 0..<steps {
                let place = (index + 1) * count / (steps + 1)
                // Anywhere from one look to the next, or in the midst of one.
                let at = chance.real(starts[place], starts[place + 1])
                let least = 2 * widest + 3 * spacing * 1.3e-3 + 10
                let size = chance.scale(least, max(least * 2, 1e12)) * (chance.isHeads() ? 1 : -1)
                clock.steps.append((at, size))
            }
            for (start, way) in zip(starts, ways) {
                if isExchange {
                    seen.exchange(clock, at: start, way.0, way.1, way.2)
                } else {
                    seen.reading(clock, at: start + way.0, way.0, way.2)
                }
            }
        }

        /// Instants all over the recording, and both sides of each step.
        func instants(_ chance: inout Chance) -> [Double] {
            var instants = [seen.instants[0], seen.instants[seen.instants.count - 1]]
            for _ in 0..<24 { instants.append(chance.real(instants[0], instants[1])) }
            for step in clock.steps {
                for distance in [0, 1, 2, widest / 2, widest, duration / 100] { instants += [step.at - distance - 1, step.at + distance] }
            }
            return instants.filter { $0 >= instants[0] && $0 <= instants[1] }
        }

        /// The guest's times over which a map is asked for.
        var times: ClosedRange<RawTime> {
            let times = seen.instants.map { clock.guest(at: $0) } + clock.steps.flatMap { [clock.guest(at: $0.at - 1), clock.guest(at: $0.at)] }
            return times.min()!...times.max()!
        }

        /// The first instant that the map puts farther from the truth than it says it can be.
        func falsehood(_ map: ClockMap, _ instants: [Double]) -> String? {
            for instant in instants {
                let raw = clock.guest(at: instant)
                let segment = map.segment(at: raw)
                guard let bound = segment.errorBound else { return "no bound at \(instant)" }
                let truth = Double(clock.hostStart) + instant
                let error = Double(Int64(segment.hostTime(raw)) - Int64(clock.hostStart)) - instant
                if abs(error) > Double(bound) { return "at \(instant) of \(duration) ns: off by \(error), bound \(bound), truth \(truth)" }
            }
            return nil
        }

        func map(_ fit: OffsetFit) -> ClockMap { .fitted(fit, over: times, hostClock: nil, method: .exchanges) }
    }

    @Test(arguments: 0..<50)
    func `the true time of every instant lies within the error of the map`(block: UInt64) {
        for seed in block * 240..<(block + 1) * 240 {
            var chance = Chance(seed: seed)
            let steps = Int(seed % 4 == 0 ? 0 : seed % 3)
            let looks = steps == 0 ? 2...120 : 5 * (steps + 1)...60 * (steps + 1)
            let scene = Scene(&chance, steps: steps, looks: looks)
            guard let fit = OffsetFit(scene.seen.bounds) else {
                Issue.record("seed \(seed), \(steps) steps, \(scene.seen.bounds.count) bounds: no fit")
                continue
            }
            if fit.steps != steps || fit.wild != 0 { Issue.record("seed \(seed), \(steps) steps: \(fit.steps) found, \(fit.wild) wild") }
            if let falsehood = scene.falsehood(scene.map(fit), scene.instants(&chance)) { Issue.record("seed \(seed), \(steps) steps: \(falsehood)") }
        }
    }
}
