// The lines that satisfy all bounds, and the one that is chosen.

import ClockSync
import Testing

@Suite struct OffsetBandTests {
    /// A line offset(t) = at(0) + slope · (t - origin), all relative to some time and offset.
    struct Line {
        var offset: Double
        var slope: Double
        func at(_ time: Int) -> Double { offset + slope * Double(time) }
    }

    /// Bounds around a true line, as times and offsets relative to `origin` and `base`.
    struct Scene {
        var origin: UInt64
        var base: Int64
        var truth: Line
        var bounds: [(time: Int, low: Int?, high: Int?)] = []
        var span: Int

        init(_ chance: inout Chance) {
            origin = chance.next() >> 2
            base = Int64(bitPattern: chance.next()) >> 2
            truth = Line(offset: chance.real(-1e6, 1e6), slope: chance.real(-9e-4, 9e-4))
            span = Int(chance.scale(1e3, 1e12))
            let width = chance.scale(2, 1e6)
            for _ in 0..<chance.whole(2...60) {
                let time = chance.whole(0...span)
                let (below, above) = (truth.at(time) - chance.share() * width, truth.at(time) + chance.share() * width)
                let kind = chance.whole(0...3)
                bounds.append(
                    (time, kind == 1 ? nil : Int(below.rounded(.down)), kind == 2 ? nil : Int(above.rounded(.up))))
            }
            // Two that are known from both sides.
            for time in [0, span] {
                bounds.append(
                    (time, Int((truth.at(time) - width).rounded(.down)), Int((truth.at(time) + width).rounded(.up))))
            }
        }

        var observed: [OffsetBound] {
            bounds.map {
                OffsetBound(
                    time: raw($0.time), low: $0.low.map { base + Int64($0) }, high: $0.high.map { base + Int64($0) })
            }
        }

        func raw(_ time: Int) -> RawTime { origin &+ RawTime(bitPattern: Int64(time)) }

        func satisfies(_ line: Line) -> Bool {
            bounds.allSatisfy { bound in
                let offset = line.at(bound.time)
                return bound.low.map { Double($0) <= offset } ?? true && bound.high.map { offset <= Double($0) } ?? true
            }
        }

        /// What lines of this slope can be at a time, by trying every bound.
        func range(_ slope: Double, at time: Int) -> (low: Double, high: Double) {
            var (low, high) = (-Double.infinity, Double.infinity)
            for bound in bounds {
                let way = slope * Double(time - bound.time)
                if let least = bound.low { low = max(low, Double(least) + way) }
                if let most = bound.high { high = min(high, Double(most) + way) }
            }
            return (low, high)
        }
    }

    @Test func `the range holds every line that satisfies the bounds, and no more than they leave`() throws {
        for seed in 0..<1500 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let scene = Scene(&chance)
            let band = try #require(OffsetBand(scene.observed), "seed \(seed)")
            let asked = [0, scene.span, scene.span / 2, -scene.span, 3 * scene.span, chance.whole(0...scene.span)]
            for time in asked {
                let range = band.range(at: scene.raw(time))
                let (low, high) = (Int(range.lowerBound - scene.base), Int(range.upperBound - scene.base))
                // Slopes near the truth's, so that some lines fit.
                for _ in 0..<8 {
                    let slope = scene.truth.slope + chance.real(-1, 1) * chance.scale(1e-12, 1e-3)
                    guard abs(slope) <= OffsetBand.greatestDrift else { continue }
                    let fits = scene.range(slope, at: time)
                    guard fits.low <= fits.high else { continue }
                    #expect(Double(low) <= fits.low && fits.high <= Double(high), "seed \(seed), time \(time)")
                }
                // Brute force: the extremes are at a slope through two bounds, or at the limits of drift.
                guard scene.bounds.count <= 16 else { continue }
                var slopes = [-OffsetBand.greatestDrift, OffsetBand.greatestDrift]
                for one in scene.bounds {
                    for other in scene.bounds where one.time != other.time {
                        for low in [one.low.map { $0 - 1 }, one.high.map { $0 + 1 }].compactMap(\.self) {
                            for high in [other.low.map { $0 - 1 }, other.high.map { $0 + 1 }].compactMap(\.self) {
                                slopes.append(Double(high - low) / Double(other.time - one.time))
                            }
                        }
                    }
                }
                var (least, most) = (Double.infinity, -Double.infinity)
                for slope in slopes where abs(slope) <= OffsetBand.greatestDrift {
                    let fits = scene.range(slope, at: time)
                    // Ticks are rounded: each bound may be off by one.
                    guard fits.low - 1 <= fits.high + 1 + 1e-3 else { continue }
                    (least, most) = (min(least, fits.low - 1), max(most, fits.high + 1))
                }
                #expect(
                    abs(Double(low) - least) <= 1.01 && abs(Double(high) - most) <= 1.01,
                    "seed \(seed), time \(time): \(low) \(least) \(high) \(most)")
            }
        }
    }

    @Test func `the chosen line satisfies the bounds, and its error reaches to the ends of the range`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let scene = Scene(&chance)
            let band = try #require(OffsetBand(scene.observed))
            for bound in scene.observed {
                let offset = band.offset(at: bound.time)
                #expect(
                    bound.low.map { $0 <= offset + 2 } ?? true && bound.high.map { offset <= $0 + 2 } ?? true,
                    "seed \(seed)")
            }
            for time in [0, scene.span / 3, 2 * scene.span] {
                let (range, offset, error) = (
                    band.range(at: scene.raw(time)), band.offset(at: scene.raw(time)), band.error(at: scene.raw(time))
                )
                #expect(
                    range.contains(offset)
                        && (offset - error == range.lowerBound || offset + error == range.upperBound), "seed \(seed)")
            }
        }
    }

    @Test func `bounds may come in any order`() throws {
        for seed in 0..<300 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let bounds = Scene(&chance).observed
            let shuffled = [bounds[0]] + bounds.dropFirst().shuffled(using: &chance)
            let (one, other) = try (#require(OffsetBand(bounds)), #require(OffsetBand(shuffled)))
            for bound in bounds {
                let (range, same) = (one.range(at: bound.time), other.range(at: bound.time))
                #expect(
                    abs(range.lowerBound - same.lowerBound) <= 1 && abs(range.upperBound - same.upperBound) <= 1,
                    "seed \(seed)")
            }
        }
    }

    @Test func `clocks that run at one rate leave the greatest low and the smallest high`() throws {
        for seed in 0..<500 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let bounds = (0..<chance.whole(2...40)).map { _ in
                OffsetBound(
                    time: chance.next() >> 20, low: -Int64(chance.whole(5...500)), high: Int64(chance.whole(5...500)))
            }
            let band = try #require(OffsetBand(bounds, drift: 0...0))
            let (low, high) = (bounds.compactMap(\.low).max()!, bounds.compactMap(\.high).min()!)
            for time in [0, bounds[0].time, 1 << 50] as [RawTime] {
                #expect(band.range(at: time) == low - 1...high + 1)
            }
            #expect(band.slope == 0 && abs(band.offset(at: 0) - (low + high) / 2) <= 1)
        }
    }

    @Test func `lines that no bounds leave are no band`() {
        #expect(OffsetBand([OffsetBound]()) == nil)
        let one = OffsetBound(time: 5, low: 3, high: 4)
        #expect(OffsetBand([one]) != nil)
        #expect(OffsetBand([OffsetBound(time: 5, low: 30, high: 4)]) == nil)
        #expect(OffsetBand([one, OffsetBound(time: 5, low: 30, high: 40)]) == nil)
        #expect(OffsetBand([one, one, one]) != nil)
        let sides = [
            [3, 4, 5].map { OffsetBound(time: $0, low: 1, high: nil) },
            [3, 4, 5].map { OffsetBound(time: $0, low: nil, high: 1) },
        ]
        for side in sides { #expect(OffsetBand(side) == nil) }
        #expect(OffsetBand([OffsetBound(time: 5, low: nil, high: nil)]) == nil)
    }

    @Test func `no bounds whatsoever crash`() {
        let times: [RawTime] = [0, 1, 2, 1000, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 1, .max]
        let offsets: [Int64?] = [
            nil, .min, .min + 1, -(1 << 62), -1_000_000, -1, 0, 1, 1_000_000, 1 << 62, .max - 1, .max,
        ]
        var bands = 0
        for seed in 0..<3000 as Range<UInt64> {
            var chance = Chance(seed: seed)
            let bounds = (0..<chance.whole(1...6)).map { _ in
                OffsetBound(
                    time: times[chance.whole(0...times.count - 1)], low: offsets[chance.whole(0...offsets.count - 1)],
                    high: offsets[chance.whole(0...offsets.count - 1)])
            }
            let drift = chance.isHeads(0.2) ? 0...0 : OffsetBand.anyDrift
            if let band = OffsetBand(bounds, drift: drift) {
                bands += 1
                for time in times {
                    #expect(band.error(at: time) >= 0)
                    #expect(band.range(at: time).contains(band.offset(at: time)))
                }
            }
            for bounds in [bounds, bounds.sorted { $0.time < $1.time }] {
                guard let fit = OffsetFit(bounds, drift: drift) else { continue }
                let map = ClockMap.fitted(
                    fit, over: min(bounds[0].time, 1000)...max(bounds[0].time, 2000), hostClock: nil, method: .exchanges
                )
                #expect(map.largestErrorBound != nil)
            }
        }
        #expect(bands > 100)
    }
}
