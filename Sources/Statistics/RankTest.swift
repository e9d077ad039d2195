// Whether one arm's values tend to be larger than another's, whatever the shape of their distributions.

package enum RankTest {
    /// How the ranks of two arms differ, and how likely that is by chance.
    ///
    /// `superiority` is the share of pairs, one value of each arm, in which the second arm's is the larger, and half of
    /// the ties (Vargha and Delaney, "A critique and improvement of the CL common language effect size statistics",
    /// 2000): 0.5 for equal arms, and where there are no values.
    ///
    /// `pValue` is the probability of ranks as different as these where neither arm tends to have larger values; nil
    /// when there are too few units. Of several sessions on both sides it is the exact test of their medians; otherwise
    /// Brunner and Munzel's ("The nonparametric Behrens-Fisher problem", Biometrical Journal 42, 2000), which unlike
    /// Mann and Whitney's does not mistake another spread for another place, and with variances between units as for
    /// means, because neighbouring packets share their luck (Obuchowski, "Nonparametric analysis of clustered ROC curve
    /// data", Biometrics 53, 1997).
    package static func compare(_ first: [[Double]], _ second: [[Double]]) -> (superiority: Double, pValue: Double?) {
        let (one, other) = (first.filter { !$0.isEmpty }, second.filter { !$0.isEmpty })
        guard !one.isEmpty, !other.isEmpty else { return (0.5, nil) }
        let places = placements(one, other)
        let (lower, upper) = (Units(places.first), Units(places.second))
        let p =
            one.count > 1 && other.count > 1 ? exact(one.map(median), other.map(median)) : brunnerMunzel(lower, upper)
        return (upper.mean, p)
    }

    /// Of values that are known to be independent.
    package static func brunnerMunzel(independent first: [Double], _ second: [Double]) -> Double? {
        let places = placements([first], [second])
        return brunnerMunzel(Units(independent: places.first[0]), Units(independent: places.second[0]))
    }

    private static func brunnerMunzel(_ first: Units, _ second: Units) -> Double? {
        guard !first.areTooFew, !second.areTooFew else { return nil }
        let distance = second.mean - 0.5
        let variance = first.variance + second.variance
        guard variance > 0 else {
            // Arms that do not overlap at all, or are all the same value.
            return distance == 0 ? 1 : min(1, 2 / ways(first.count + second.count, choose: first.count))
        }
        return StudentT.twoSided(distance / variance.squareRoot(), degrees: Units.degrees(first, second))
    }

    /// For each value the share of the other arm's values that are smaller, ties counting half.
    private static func placements(_ first: [[Double]], _ second: [[Double]]) -> (first: [[Double]], second: [[Double]])
    {
        let (one, other) = (first.flatMap { $0 }.sorted(), second.flatMap { $0 }.sorted())
        return (first.map { $0.map { place($0, in: other) } }, second.map { $0.map { place($0, in: one) } })
    }

    private static func place(_ value: Double, in sorted: [Double]) -> Double {
        let below = rank(sorted) { $0 < value }
        // Latencies in ns are rarely equal.
        let isTie = below < sorted.count && sorted[below] == value
        let notAbove = isTie ? rank(sorted) { $0 <= value } : below
        return Double(below + notAbove) / 2 / Double(sorted.count)
    }

    /// How many values pass, which are the first ones.
    private static func rank(_ sorted: [Double], _ passes: (Double) -> Bool) -> Int {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if passes(sorted[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    // MARK: Few values

    /// Mann and Whitney's test, by the exact distribution of rank sums with ties: every way to hand out the labels is
    /// as likely as another.
    ///
    /// Counted by the shift algorithm: Streitberg and Röhmel, "Exact distributions for permutation and rank tests",
    /// Statistical Software Newsletter 12, 1986.
    package static func exact(_ first: [Double], _ second: [Double]) -> Double {
        let sorted = (first + second).sorted()
        // Twice the middle rank, so that ties stay whole numbers.
        func doubleRank(_ value: Double) -> Int { rank(sorted) { $0 < value } + rank(sorted) { $0 <= value } + 1 }
        let ranks = sorted.map(doubleRank)
        let total = ranks.reduce(0, +)
        // ways[k][s]: subsets of k ranks whose sum is s.
        var ways = [[Double]](repeating: [Double](repeating: 0, count: total + 1), count: first.count + 1)
        ways[0][0] = 1
        for rank in ranks {
            for taken in stride(from: first.count, to: 0, by: -1) {
                for sum in stride(from: total, through: rank, by: -1) {
                    ways[taken][sum] += ways[taken - 1][sum - rank]
                }
            }
        }
        // All sums times the number of values, so that their expectation is a whole number as well.
        let expected = first.count * total
        let observed = abs(first.reduce(0) { $0 + doubleRank($1) } * sorted.count - expected)
        let all = ways[first.count].reduce(0, +)
        let asFar = ways[first.count].indices.reduce(0.0) { sum, index in
            abs(index * sorted.count - expected) >= observed ? sum + ways[first.count][index] : sum
        }
        return min(1, asFar / all)
    }

    /// Binomial coefficient.
    private static func ways(_ count: Int, choose chosen: Int) -> Double {
        (0..<chosen).reduce(1.0) { $0 * Double(count - $1) / Double($1 + 1) }
    }
}
