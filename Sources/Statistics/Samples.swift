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
    private var histogram = Samples.emptyHistogram

    /// Room for 68 s (2^36 ns) from the start; larger values make it grow, which is slow and rare. Counts of 32 bits
    /// keep twice as many buckets in the cache; four billion packets in one bucket would take a recording of terabytes.
    private static let emptyHistogram = {
        var histogram = Histogram<UInt32>(highestTrackableValue: 1 << 36, numberOfSignificantValueDigits: .three)
        histogram.autoResize = true
        return histogram
    }()

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

    /// The values below or at which the given shares of all values lie, to three significant digits.
    /// - Parameter percents: ascending, 0 to 100.
    package func percentiles(_ percents: [Double]) -> [Int64] {
        // One pass over the buckets answers for all of them.
        var found: [Int64] = []
        var passed: UInt64 = 0
        for bucket in histogram.recordedValues() {
            passed += UInt64(bucket.count)
            // One ulp less, so that 99.9 % of 1000 values are 999 of them and not 1000.
            while found.count < percents.count,
                Double(passed) >= (percents[found.count].nextDown * Double(count) / 100).rounded(.up)
            {
                // A bucket answers with its top; the true value is no larger than the largest.
                found.append(max(minimum, min(maximum, Int64(clamping: bucket.value))))
            }
            if found.count == percents.count { break }
        }
        while found.count < percents.count { found.append(maximum) }
        return found
    }

    package var summary: Summary {
        let quantiles = percentiles([50, 90, 99, 99.9])
        return Summary(
            count: count, minimum: minimum, mean: mean, standardDeviation: standardDeviation, p50: quantiles[0],
            p90: quantiles[1], p99: quantiles[2], p999: quantiles[3], maximum: maximum)
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
