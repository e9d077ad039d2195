// Values counted in buckets that grow by a constant factor: a tail and a bulk both fit into a few rows.

package struct LogBuckets: Sendable {
    /// Lower bound of the first bucket, then the upper bound of each.
    package let bounds: [Double]

    /// Buckets of equal width on a logarithmic scale, whose bounds are powers of 2 or roots of it.
    /// - Parameters:
    ///   - range: smallest and largest value; what is below 1 falls into the first bucket.
    ///   - most: so many buckets at the most, at least 1.
    package init(_ range: ClosedRange<Int64>, most: Int) {
        let (low, high) = (Double(max(1, range.lowerBound)), Double(max(1, range.upperBound)))
        // Eighth, quarter and half octaves, whole ones, then several.
        for octaves in [0.125, 0.25, 0.5] + (0..<7).map({ Double(1 << $0) }) {
            let factor = Self.power(octaves)
            var bounds = [1.0]
            while bounds[bounds.count - 1] <= high { bounds.append(bounds[bounds.count - 1] * factor) }
            let first = bounds.lastIndex { $0 <= low } ?? 0
            if bounds.count - 1 - first <= most || octaves == 64 {
                self.bounds = Array(bounds[first...])
                return
            }
        }
        bounds = [1, high + 1]
    }

    /// 2 to a power that is a whole number or one of its halves.
    private static func power(_ exponent: Double) -> Double {
        exponent >= 1 ? Double(UInt64(1) << UInt64(min(63, exponent))) : power(exponent * 2).squareRoot()
    }

    /// How many of the values lie in each bucket.
    package func counts(_ values: some Sequence<Int64>) -> [Int] {
        var counts = [Int](repeating: 0, count: bounds.count - 1)
        for value in values {
            var (low, high) = (0, counts.count - 1)
            while low < high {
                let middle = (low + high + 1) / 2
                if bounds[middle] <= Double(value) { low = middle } else { high = middle - 1 }
            }
            counts[low] += 1
        }
        return counts
    }
}
