// What is drawn independently of each other: not packets, but whole sessions, or stretches of one.

/// Sums of values over units that (nearly) do not depend on each other, and what they say about the mean of all values.
///
/// Where an arm has several sessions each is one unit, because the next one may differ by more than packets differ
/// within one. A single session is cut into stretches of equal numbers of packets: the method of batch means
/// (Schmeiser, "Batch size effects in the analysis of simulation output", Operations Research 30(3), 1982), with
/// batches as long as the autocorrelation demands.
package struct Units: Sendable {
    /// Sum of the values of each unit.
    package private(set) var sums: [Double]
    /// Number of values in each unit.
    package private(set) var counts: [Double]
    /// They are whole sessions.
    package let areSessions: Bool
    /// What the variance between stretches is short of, because neighbours still depend on each other; 1 for sessions.
    let correction: Double
    /// There is not enough of the series for its autocorrelation.
    package let areTooFew: Bool

    package var count: Int { sums.count }

    /// - Parameter sessions: the values of each session in the order of time; sessions without values are left out.
    package init(_ sessions: [[Double]]) {
        let filled = sessions.filter { !$0.isEmpty }
        if filled.count == 1 {
            self.init(stretchesOf: filled[0])
        } else {
            self.init(
                sums: filled.map { $0.reduce(0, +) }, counts: filled.map { Double($0.count) }, areSessions: true,
                areTooFew: filled.count < 2)
        }
    }

    /// Each value by itself, for values that are known to be independent.
    package init(independent values: [Double]) {
        self.init(sums: values, counts: values.map { _ in 1 }, areSessions: false, areTooFew: values.count < 2)
    }

    private init(sums: [Double], counts: [Double], areSessions: Bool, correction: Double = 1, areTooFew: Bool) {
        self.sums = sums
        self.counts = counts
        self.areSessions = areSessions
        self.correction = correction
        self.areTooFew = areTooFew
    }

    /// A stretch is four autocorrelation times long at least. More than 32 stretches say little more, fewer than 6 too
    /// little.
    private static let timesPerStretch = 4.0
    private static let stretches = 6...32
    /// Longer series are averaged down to so many values before their autocorrelation is looked at.
    private static let longest = 4096

    private init(stretchesOf values: [Double]) {
        let series = Self.means(of: values, pieces: Self.longest)
        let time = Autocorrelation.time(series)
        let length = Double(series.count)
        let wanted = Int(length / (Self.timesPerStretch * time))
        let count = min(max(wanted, Self.stretches.lowerBound), Self.stretches.upperBound, values.count)
        var (sums, counts): ([Double], [Double]) = ([], [])
        for index in 0..<count {
            let range = Self.piece(index, of: count, values.count)
            sums.append(values[range].reduce(0, +))
            counts.append(Double(range.count))
        }
        // For a first-order autoregressive series of autocorrelation time T the variance of the means of stretches of
        // length L is short by the factor 1 - (T² - 1) / (2 T L): nothing at all where values are independent.
        let short = (time * time - 1) / (2 * time * length / Double(max(1, count)))
        self.init(
            sums: sums, counts: counts, areSessions: false, correction: 1 / max(0.5, 1 - short),
            areTooFew: count < 2 || length < 2 * time * Double(Self.stretches.lowerBound))
    }

    private static func piece(_ index: Int, of pieces: Int, _ count: Int) -> Range<Int> {
        (index * count / pieces)..<((index + 1) * count / pieces)
    }

    private static func means(of values: [Double], pieces: Int) -> [Double] {
        guard values.count > pieces else { return values }
        return (0..<pieces).map { index in
            let range = piece(index, of: pieces, values.count)
            return values[range].reduce(0, +) / Double(range.count)
        }
    }

    // MARK: The mean

    /// The mean of all values.
    package var mean: Double { Self.estimate(sums, counts).mean }
    /// Variance of that mean.
    package var variance: Double { Self.estimate(sums, counts).variance * correction }

    /// Mean of values in groups and the variance of it. The mean is a ratio of two sums that both vary, and this is its
    /// linearized variance: Cochran, "Sampling techniques", 3rd edition, 6.4; of groups of one size it is the ordinary
    /// one.
    static func estimate(_ sums: [Double], _ counts: [Double]) -> (mean: Double, variance: Double) {
        var (total, number) = (0.0, 0.0)
        for index in sums.indices {
            total += sums[index]
            number += counts[index]
        }
        let mean = total / number
        var squares = 0.0
        for index in sums.indices {
            let rest = sums[index] - mean * counts[index]
            squares += rest * rest
        }
        let groups = Double(sums.count)
        return (mean, groups < 2 ? 0 : groups / (groups - 1) * squares / (number * number))
    }

    /// Degrees of freedom of the difference of two means: Satterthwaite, Biometrics Bulletin 2(6), 1946, as in Welch's
    /// test.
    static func degrees(_ first: Units, _ second: Units) -> Double {
        let (one, other) = (first.variance, second.variance)
        let both = one + other
        return both * both / (one * one / Double(first.count - 1) + other * other / Double(second.count - 1))
    }
}
