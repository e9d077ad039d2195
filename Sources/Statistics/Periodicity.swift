// Whether moments recur at equal distances.

private import Glibc

/// A period that moments keep.
package struct Periodicity: Sendable, Equatable {
    /// In the unit of the moments.
    package let period: Double
    /// How well they keep it: 1 where each falls at the same place of its period, near 0 where they are spread.
    package let strength: Double
    /// The probability that as many moments, drawn at random out of all there were, keep any period as well as this.
    package let pValue: Double

    /// So many moments are looked at; the first ones, where there are more.
    private static let most = 128
    private static let fewest = 6
    /// Random draws that the strongest period is held against: p is 0.005 at the least.
    private static let draws = 199

    /// The period that the moments keep best.
    ///
    /// For each frequency the moments are angles, and the length of their sum says how close together they lie
    /// (Rayleigh's test; Mardia and Jupp, "Directional statistics", 2000, section 6.3). The moments could only fall
    /// where there was anything at all, and that may have a period of its own: so what is expected of chance is seen
    /// from draws out of all moments, with the strongest of all frequencies each time (a permutation test of the
    /// maximum, so that nothing has to be corrected for how many were tried).
    /// - Parameters:
    ///   - moments: ascending; one of a burst.
    ///   - all: what they might have been, ascending.
    /// - Returns: nil where there are too few moments, or they lie at one place.
    package static func find(_ moments: [Double], among all: [Double], seed: UInt64) -> Periodicity? {
        let moments = Array(moments.prefix(most))
        guard moments.count >= fewest, let first = moments.first, let last = moments.last, last > first else {
            return nil
        }
        let all = all.filter { first <= $0 && $0 <= last }
        guard all.count > moments.count else { return nil }
        let spectrum = Spectrum(from: first, span: last - first, moments: moments.count)
        let powers = spectrum.powers(moments)
        guard let strongest = powers.max() else { return nil }
        var random = SplitMix64(seed: seed)
        var notWeaker = 1
        for _ in 0..<draws {
            let drawn = moments.map { _ in all[random.index(below: all.count)] }
            if (spectrum.powers(drawn).max() ?? 0) >= strongest { notWeaker += 1 }
        }
        // A comb is as strong at every multiple of its frequency: the lowest is the one that is meant.
        guard let index = powers.firstIndex(where: { $0 >= 0.6 * strongest }) else { return nil }
        var best = index
        while best + 1 < powers.count, powers[best + 1] > powers[best] { best += 1 }
        let peak = spectrum.peak(of: moments, near: best)
        return Periodicity(
            period: 1 / peak.frequency, strength: peak.power.squareRoot() / Double(moments.count),
            pValue: Double(notWeaker) / Double(draws + 1))
    }

    /// Frequencies at which two moments at the ends still agree from one to the next.
    private struct Spectrum {
        let start: Double
        let step: Double
        let count: Int

        /// Periods from half the span, which is seen twice, down to a fourth of the mean distance: shorter ones would
        /// leave out most of their turns.
        init(from start: Double, span: Double, moments: Int) {
            self.start = start
            step = 1 / (2 * span)
            count = 8 * moments
        }

        private static let first = 4

        /// The strongest frequency no further than its neighbours from the one with this index.
        func peak(of moments: [Double], near index: Int) -> (frequency: Double, power: Double) {
            (-16...16).map { offset in
                let frequency = step * (Double(Self.first + index) + Double(offset) / 16)
                let angles = moments.map { 2 * Double.pi * ($0 - start) * frequency }
                let (x, y) = (angles.reduce(0) { $0 + cos($1) }, angles.reduce(0) { $0 + sin($1) })
                return (frequency, x * x + y * y)
            }.max { $0.power < $1.power }!
        }

        /// The squared length of the sum of all angles, for each frequency.
        ///
        /// From one frequency to the next a moment's angle grows by the same amount, so sines and cosines are turned on
        /// instead of asked for anew; eight frequencies at a time.
        func powers(_ moments: [Double]) -> [Double] {
            var x = [SIMD8<Double>](repeating: .zero, count: count / 8)
            var y = x
            for moment in moments {
                let turn = 2 * Double.pi * (moment - start) * step
                var (cosines, sines) = (SIMD8<Double>(), SIMD8<Double>())
                for offset in 0..<8 {
                    cosines[offset] = cos(turn * Double(Self.first + offset))
                    sines[offset] = sin(turn * Double(Self.first + offset))
                }
                let (stepCosine, stepSine) = (cos(8 * turn), sin(8 * turn))
                for index in x.indices {
                    x[index] += cosines
                    y[index] += sines
                    (cosines, sines) = (
                        cosines * stepCosine - sines * stepSine, sines * stepCosine + cosines * stepSine
                    )
                }
            }
            return x.indices.flatMap { index in
                let power = x[index] * x[index] + y[index] * y[index]
                return (0..<8).map { power[$0] }
            }
        }
    }
}
