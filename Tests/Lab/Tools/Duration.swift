// Times as people type them: a number with its unit.

import ArgumentParser

/// "2s", "1.5ms", "500us", "100ns" or "0"; an hour at the most, so that everything ends.
struct Duration: ExpressibleByArgument, CustomStringConvertible {
    let nanoseconds: Int64
    let description: String

    private static let units: [(suffix: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9),
    ]

    init?(argument: String) {
        let unit = Self.units.first { argument.hasSuffix($0.suffix) }
        let number = argument.dropLast(unit?.suffix.count ?? 0)
        // Double would take "-1", "nan", "0x1p3" and "1e3" as well.
        guard unit != nil || argument == "0", number.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
            let value = Double(number), value * (unit?.nanoseconds ?? 1) <= 3600e9
        else { return nil }
        nanoseconds = Int64((value * (unit?.nanoseconds ?? 1)).rounded())
        description = argument
    }
}
