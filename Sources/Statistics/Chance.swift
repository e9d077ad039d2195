// How likely it is that chance alone makes something look like a pattern.

private import Glibc

package enum Chance {
    /// The probability that of `drawn` things, taken at random out of `all` of which `marked` are marked, `found` or
    /// more are marked: the upper tail of the hypergeometric distribution (Fisher's exact test, one-sided).
    package static func hypergeometric(found: Int, drawn: Int, marked: Int, of all: Int) -> Double {
        precondition(drawn <= all && marked <= all, "more than there are")
        let most = min(drawn, marked)
        let least = max(0, drawn + marked - all)
        guard found > least else { return 1 }
        guard found <= most else { return 0 }
        // From the first term on, each is the one before it times a quotient.
        var term = exp(
            logChoose(marked, found) + logChoose(all - marked, drawn - found) - logChoose(all, drawn))
        var sum = 0.0
        for count in found...most {
            sum += term
            let rest = all - marked - drawn + count + 1
            term *= Double(marked - count) * Double(drawn - count) / (Double(count + 1) * Double(rest))
            if term < sum * 1e-17 { break }
        }
        return min(1, sum)
    }

    /// The probability that `marked` of `all` things in a row, marked at random, make `runs` runs or fewer: Stevens,
    /// "Distribution of groups in a sequence of alternatives", Annals of Eugenics 9, 1939. Exactly r runs are as likely
    /// as drawing r of the `all - marked + 1` gaps between unmarked ones and r - 1 of the `marked - 1` cuts between
    /// marked ones.
    package static func runs(atMost runs: Int, marked: Int, of all: Int) -> Double {
        precondition((1...all).contains(marked), "none is marked, or more than there are")
        let gaps = all - marked + 1
        let ways = logChoose(all, marked)
        var sum = 0.0
        for count in stride(from: min(runs, marked, gaps), through: 1, by: -1) {
            let term = exp(logChoose(marked - 1, count - 1) + logChoose(gaps, count) - ways)
            sum += term
            // Fewer runs than expected are the less likely the fewer they are.
            if Double(count) < expectedRuns(marked: marked, of: all), term < sum * 1e-17 { break }
        }
        return min(1, sum)
    }

    /// How many runs `marked` of `all` things in a row make on average, marked at random.
    package static func expectedRuns(marked: Int, of all: Int) -> Double {
        Double(marked) * Double(all - marked + 1) / Double(all)
    }

    /// The logarithm of the number of ways to choose `k` of `n`.
    private static func logChoose(_ n: Int, _ k: Int) -> Double {
        func logFactorial(_ n: Int) -> Double { lgamma(Double(n) + 1).0 }
        return logFactorial(n) - logFactorial(k) - logFactorial(n - k)
    }
}
