// Numbers as text, exactly: ns as µs with a fixed number of decimals, shares as per cent.

package enum Decimal {
    /// ns as µs with one decimal, rounded half away from zero.
    static func microseconds(_ nanoseconds: Int64) -> String {
        let tenths = (nanoseconds.magnitude + 50) / 100
        return (nanoseconds < 0 && tenths > 0 ? "-" : "") + "\(tenths / 10).\(tenths % 10)"
    }

    static func microseconds(_ nanoseconds: Double) -> String {
        microseconds(Int64(exactly: nanoseconds.rounded()) ?? .max)
    }

    /// ns as seconds with one decimal, or three below ten seconds.
    package static func seconds(_ nanoseconds: Int64) -> String {
        let milliseconds = (nanoseconds.magnitude + 500_000) / 1_000_000
        let sign = nanoseconds < 0 ? "-" : ""
        if milliseconds >= 10_000 {
            let tenths = (milliseconds + 50) / 100
            return "\(sign)\(tenths / 10).\(tenths % 10)"
        }
        return "\(sign)\(milliseconds / 1000)." + pad(Int(milliseconds % 1000), 3)
    }

    /// ns as seconds with all nine decimals.
    static func exactSeconds(_ nanoseconds: Int64) -> String {
        let (whole, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        return (nanoseconds < 0 ? "-" : "") + "\(whole)." + pad(Int(rest), 9)
    }

    /// With three decimals, rounded.
    static func thousandths(_ number: Double) -> String {
        let thousandths = Int64(exactly: (number * 1000).rounded()) ?? .max
        return (thousandths < 0 ? "-" : "") + "\(thousandths.magnitude / 1000)."
            + pad(Int(thousandths.magnitude % 1000), 3)
    }

    /// 0.051 as "5.1".
    static func percent(_ share: Double) -> String {
        let tenths = Int(exactly: (share * 1000).rounded()) ?? .max
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    /// With a thin space between thousands, as in 63 412.
    static func grouped(_ number: Int) -> String {
        var digits = Array(String(number.magnitude))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(" ", at: index)
            index -= 3
        }
        return (number < 0 ? "-" : "") + String(digits)
    }

    /// Bytes in the largest unit that leaves a number above one: "0 B", "12.3 MB".
    static func bytes(_ count: Int) -> String {
        let units = ["kB", "MB", "GB", "TB"]
        guard count >= 1000 else { return "\(count) B" }
        var unit = 0
        var size = Double(count) / 1000
        // What would be rounded to 1000.0 is one of the next unit.
        while size >= 999.95, unit < units.count - 1 {
            size /= 1000
            unit += 1
        }
        let tenths = Int((size * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// "1 wake-up", "14 wake-ups".
    static func counted(_ number: Int, _ noun: String) -> String {
        "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}
