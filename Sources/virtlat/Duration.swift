// Times as people type them: a number with its unit.

import ArgumentParser

/// "10s", "1.5s", "150ms", "30us", "30µs", "500ns".
struct Duration: ExpressibleByArgument, CustomStringConvertible {
    var nanoseconds: Int64
    let description: String

    private static let units: [(suffix: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
    ]

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }) else { return nil }
        let parts = argument.dropLast(unit.suffix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Int64(parts[0]), whole >= 0 else { return nil }
        let (product, isTooLong) = whole.multipliedReportingOverflow(by: unit.nanoseconds)
        // A fraction is still to be added.
        guard !isTooLong, product < Int64.max / 2 else { return nil }
        nanoseconds = product
        if parts.count == 2 {
            var scale = unit.nanoseconds
            for digit in parts[1] {
                guard let value = digit.wholeNumberValue, digit.isASCII else { return nil }
                scale /= 10
                nanoseconds += Int64(value) * scale
            }
            guard !parts[1].isEmpty else { return nil }
        }
        description = argument
    }
}
