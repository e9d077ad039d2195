// Summaries of sets of durations: exact where that is cheap, HdrHistogram for quantiles.

internal import Histogram

/// A growing set of non-negative integers (ns), in memory that does not grow with it.
///
/// Count, minimum, maximum, mean and standard deviation are exact; quantiles have three significant digits
/// (Gil Tene's High Dynamic Range histogram).
package struct Samples: Sendable {
    package private(set) var count = 0
    package private(set) var minimum: Int64 = 0
    package private(set) var maximum: Int64 = 0
    /// Sum of all values.
    package private(set) var total: Int128 = 0
    private var squares: UInt128 = 0
    private var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)

    package init() {}

    package mutating func add(_ value: Int64) {
        precondition(value >= 0, "a duration is not negative")
        minimum = count == 0 ? value : min(minimum, value)
        maximum = max(maximum, value)
        count += 1
        total += Int128(value)
        let (high, low) = value.magnitude.multipliedFullWidth(by: value.magnitude)
        // Overflows only for durations of centuries.
        squares &+= UInt128(high) << 64 | UInt128(low)
        histogram.record(UInt64(value))
    }

    /// Arithmetic mean; 0 of no values.
    package var mean: Double { count == 0 ? 0 : Double(total) / Double(count) }

    /// Standard deviation of a sample (n - 1); 0 of fewer than two values.
    ///
    /// From the integer sums n·Σx² and (Σx)², which differ by less than either: nothing is lost to rounding before
    /// the one division.
    package var standardDeviation: Double {
        guard count > 1 else { return 0 }
        let n = UInt128(count)
        let sum = UInt128(total)
        let (left, leftOverflow) = squares.multipliedReportingOverflow(by: n)
        let (right, rightOverflow) = sum.multipliedReportingOverflow(by: sum)
        if !leftOverflow, !rightOverflow {
            return (Double(left - right) / Double(n) / Double(n - 1)).squareRoot()
        }
        let variance = (Double(squares) - mean * Double(total)) / Double(count - 1)
        return max(0, variance).squareRoot()
    }

    /// The value below or at which `percent` of all values lie, to three significant digits.
    package func percentile(_ percent: Double) -> Int64 {
        guard count > 0 else { return 0 }
        // The histogram answers with the top of a bucket; the true value is no larger than the largest.
        return max(minimum, min(maximum, Int64(clamping: histogram.valueAtPercentile(percent))))
    }

    package var summary: Summary {
        Summary(
            count: count, minimum: minimum, mean: mean, standardDeviation: standardDeviation, p50: percentile(50),
            p90: percentile(90), p99: percentile(99), p999: percentile(99.9), maximum: maximum)
    }
}

/// What is said of a set of durations, all in ns.
package struct Summary: Sendable, Equatable {
    package var count: Int
    package var minimum: Int64
    package var mean: Double
    package var standardDeviation: Double
    package var p50: Int64
    package var p90: Int64
    package var p99: Int64
    package var p999: Int64
    package var maximum: Int64
}
