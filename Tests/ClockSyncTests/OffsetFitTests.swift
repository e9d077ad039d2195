// A map out of exchanges, against the true time.

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

        /// - Parameter steps: how often the clock is set. Each step is larger than what the bounds beside it leave
        ///   open, drift included; a smaller one is a drift to whoever sees only the bounds, and nobody can tell. And
        ///   on each side of it there are enough bounds that it is no wild mark.
        init(_ chance: inout Chance, steps: Int, looks: ClosedRange<Int>) {
            clock = DriftingClock(&chance)
            duration = chance.scale(1e8, 6e11)
            let count = Int(chance.scale(Double(looks.lowerBound), Double(looks.upperBound)))
            let isExchange = chance.isHeads(0.7)
            let spacing = duration / Double(count)
            let least = chance.scale(50, 200_000)
            let delays = Delays(
                least: min(least, spacing / 8), jitter: min(chance.scale(10, 10_000_000), spacing / 120))
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
            for _ in 0..<16 { instants.append(chance.real(instants[0], instants[1])) }
            for step in clock.steps {
                for distance in [0, 1, 2, widest / 2, widest, duration / 100] {
                    instants += [step.at - distance - 1, step.at + distance]
                }
            }
            return instants.filter { $0 >= instants[0] && $0 <= instants[1] }
        }

        /// The guest's times over which a map is asked for.
        var times: ClosedRange<RawTime> {
            let times =
                seen.instants.map { clock.guest(at: $0) }
                + clock.steps.flatMap { [clock.guest(at: $0.at - 1), clock.guest(at: $0.at)] }
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
                if abs(error) > Double(bound) {
                    return "at \(instant) of \(duration) ns: off by \(error), bound \(bound), truth \(truth)"
                }
            }
            return nil
        }

        func map(_ fit: OffsetFit) -> ClockMap { .fitted(fit, over: times, hostClock: nil, method: .exchanges) }
    }

    @Test(arguments: 0..<50)
    func `the true time of every instant lies within the error of the map`(block: UInt64) {
        for seed in block * 210..<(block + 1) * 210 {
            var chance = Chance(seed: seed)
            let steps = Int(seed % 4 == 0 ? 0 : seed % 3)
            let looks = steps == 0 ? 2...80 : 5 * (steps + 1)...30 * (steps + 1)
            let scene = Scene(&chance, steps: steps, looks: looks)
            guard let fit = OffsetFit(scene.seen.bounds) else {
                Issue.record("seed \(seed), \(steps) steps, \(scene.seen.bounds.count) bounds: no fit")
                continue
            }
            if fit.steps != steps || fit.wild != 0 {
                Issue.record("seed \(seed), \(steps) steps: \(fit.steps) found, \(fit.wild) wild")
            }
            if let falsehood = scene.falsehood(scene.map(fit), scene.instants(&chance)) {
                Issue.record("seed \(seed), \(steps) steps: \(falsehood)")
            }
        }
    }

    @Test func `bounds by the guest's time instead of their order make a true map or none`() {
        var fits = 0
        for seed in 0..<600 as Range<UInt64> {
            var chance = Chance(seed: seed ^ 0x6d_0000)
            var scene = Scene(&chance, steps: Int(seed % 3), looks: 15...90)
            scene.seen.bounds.sort { $0.time < $1.time }
            guard let fit = OffsetFit(scene.seen.bounds) else { continue }
            fits += 1
            if let falsehood = scene.falsehood(scene.map(fit), scene.instants(&chance)) {
                Issue.record("seed \(seed): \(falsehood)")
            }
        }
        #expect(fits > 200)
    }

    // MARK: Wild marks

    /// Moves some bounds so far that they are false, wherever they are.
    private func spoil(_ scene: inout Scene, _ count: Int, _ chance: inout Chance) {
        let spacing = scene.duration / Double(scene.seen.bounds.count)
        for index in scene.seen.bounds.indices.shuffled(using: &chance).prefix(count) {
            let wrong = Int64(chance.scale(4, 1e5) * (scene.widest + 1e-3 * spacing * 8 + 10))
            let bound = scene.seen.bounds[index]
            let isUp = bound.high == nil || bound.low != nil && chance.isHeads()
            scene.seen.bounds[index].low? += isUp ? wrong : -wrong
            scene.seen.bounds[index].high? += isUp ? wrong : -wrong
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `wild marks are set aside and counted`(block: UInt64) {
        for seed in block * 30..<(block + 1) * 30 {
            var chance = Chance(seed: seed ^ 0x3a_0000)
            let steps = Int(seed % 3 / 2)
            var scene = Scene(&chance, steps: steps, looks: 100...200)
            let count = chance.whole(1...OffsetFit.mostWild(of: scene.seen.bounds.count))
            spoil(&scene, count, &chance)
            guard let fit = OffsetFit(scene.seen.bounds) else {
                Issue.record("seed \(seed), \(steps) steps, \(count) wild marks: no fit")
                continue
            }
            // Beside a step a mark may be wild that a step a little earlier or later would explain: it narrows nothing,
            // but is not counted.
            if fit.steps != steps || fit.wild > count || fit.wild < count - steps {
                Issue.record("seed \(seed), \(steps) steps, \(count) wild marks: found \(fit.steps) and \(fit.wild)")
            }
            if let falsehood = scene.falsehood(scene.map(fit), scene.instants(&chance)) {
                Issue.record("seed \(seed): \(falsehood)")
            }
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func `more wild marks than a clock may have are reported, never averaged`(block: UInt64) {
        for seed in block * 20..<(block + 1) * 20 {
            var chance = Chance(seed: seed ^ 0x4b_0000)
            var scene = Scene(&chance, steps: 0, looks: 20...150)
            let most = OffsetFit.mostWild(of: scene.seen.bounds.count)
            spoil(&scene, chance.whole(most + 1...most * 3 + 3), &chance)
            if let fit = OffsetFit(scene.seen.bounds) {
                Issue.record("seed \(seed): \(fit.steps) steps, \(fit.wild) wild of \(most) and more")
            }
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `in many bounds one of 500 may be wild`(seed: UInt64) throws {
        var chance = Chance(seed: seed ^ 0x5c_0000)
        var scene = Scene(&chance, steps: Int(seed % 2), looks: 3000...4000)
        let most = OffsetFit.mostWild(of: scene.seen.bounds.count)
        spoil(&scene, most, &chance)
        let fit = try #require(OffsetFit(scene.seen.bounds))
        #expect(fit.wild == most && fit.steps == Int(seed % 2))
        #expect(scene.falsehood(scene.map(fit), scene.instants(&chance)) == nil)
        spoil(&scene, most * 3, &chance)
        #expect(OffsetFit(scene.seen.bounds) == nil)
    }

    // MARK: No clock

    @Test func `bounds that no clock leaves are no fit`() {
        for seed in 0..<300 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let count = chance.whole(8...120)
            func expectNone(_ what: Comment, low: (Int) -> Int64?, high: (Int) -> Int64?) {
                let bounds = (0..<count).map {
                    OffsetBound(time: RawTime(1_000_000_000 + $0 * 1000), low: low($0), high: high($0))
                }
                if OffsetFit(bounds) != nil { Issue.record("\(what), seed \(seed)") }
            }
            let random = (0..<count).map { _ in Int64(chance.real(-1e9, 1e9)) }
            let rate = Int64(chance.whole(20...500)) * (chance.isHeads() ? 1 : -1)
            expectNone("readings anywhere", low: { random[$0] }, high: { random[$0] + 10 })
            expectNone(
                "messages anywhere", low: { $0 % 2 == 0 ? random[$0] : nil }, high: { $0 % 2 == 1 ? random[$0] : nil })
            expectNone("lows above highs", low: { random[$0] + 1000 }, high: { random[$0] })
            expectNone("2 % too fast or slow at least", low: { Int64($0) * rate }, high: { Int64($0) * rate + 4 })
            expectNone("there and back", low: { Int64($0 % 2) * rate }, high: { Int64($0 % 2) * rate + 4 })
            expectNone("from one side", low: { random[$0] }, high: { _ in nil })
            // The upper bounds end where the lower ones begin.
            expectNone(
                "two halves of one side each", low: { $0 < count / 2 ? nil : 500_000 },
                high: { $0 < count / 2 ? 0 : nil })
        }
        #expect(OffsetFit([]) == nil)
    }

    @Test func `a clock set between two halves is a step, and its time is told no finer than the bounds do`() throws {
        let bounds = (0..<20).map { index in
            let offset: Int64 = index < 10 ? 0 : -500_000
            return OffsetBound(time: RawTime(index * 1000), low: offset, high: offset + 10)
        }
        let fit = try #require(OffsetFit(bounds))
        #expect(fit.steps == 1 && fit.wild == 0)
        let map = ClockMap.fitted(fit, over: 0...19_000, hostClock: nil, method: .exchanges)
        #expect(try #require(map.errorBound(at: 9000)) < 30)
        #expect(try #require(map.errorBound(at: 9500)) >= 499_980)
        #expect(try #require(map.errorBound(at: 10_000)) < 30)
    }

    @Test func `a clock set back has shown some times twice, and the map says so`() throws {
        // At 9500 it was set back to 7500.
        let bounds = (0..<20).map { index in
            let back: Int64 = index < 10 ? 0 : 2000
            return OffsetBound(time: RawTime(Int64(index) * 1000 - back), low: back, high: back + 2)
        }
        let fit = try #require(OffsetFit(bounds))
        let map = ClockMap.fitted(fit, over: 0...17_000, hostClock: nil, method: .exchanges)
        for time in stride(from: 7500, through: 9500, by: 100) as StrideThrough<Int> {
            let (error, host) = try (Int(#require(map.errorBound(at: RawTime(time)))), Int(map.hostTime(RawTime(time))))
            #expect(abs(host - time) <= error && abs(host - time - 2000) <= error, "\(time)")
        }
        #expect(try #require(map.errorBound(at: 5000)) < 20 && #require(map.errorBound(at: 13_000)) < 20)
    }

    // MARK: Use

    /// Exchanges of equal delays there and back, and the error of their map at the middle.
    private func error(_ count: Int, _ chance: inout Chance, _ delay: (inout Chance) -> Double) throws -> Nanoseconds {
        let clock = DriftingClock(&chance)
        var seen = Observation()
        for index in 0..<count {
            seen.exchange(
                clock, at: (Double(index) + chance.real(0, 0.2)) * 6e10 / Double(count), delay(&chance), 0,
                delay(&chance))
        }
        let fit = try #require(OffsetFit(seen.bounds))
        let middle = clock.guest(at: 3e10)
        return try #require(
            ClockMap.fitted(fit, over: middle...middle, hostClock: nil, method: .exchanges).errorBound(at: middle))
    }

    @Test func `the error is no more than half the round trip`() throws {
        for seed in 0..<200 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let delay = chance.scale(100, 1_000_000)
            // Each bound is cut off to ticks on both sides, the map once more.
            let error = try error(chance.whole(10...100), &chance) { _ in delay }
            #expect(Double(error) <= delay * 1.02 + 6, "seed \(seed): \(error) of \(delay)")
        }
    }

    @Test func `more exchanges make the error smaller`() throws {
        var errors: [Double] = []
        for count in [8, 32, 128, 512] {
            var sum = 0.0
            for seed in 0..<40 as Range<UInt64> {
                var chance = Chance(seed: seed)
                sum += Double(try error(count, &chance) { 10_000 + 100_000 * $0.share() })
            }
            // What remains is the least that messages take.
            errors.append(sum / 40 - 10_000)
        }
        for (fewer, more) in zip(errors, errors.dropFirst()) { #expect(more < fewer / 2, "\(errors)") }
    }
}
