// Differences as text: a sign for those that grow as well.

extension Decimal {
    /// ns as µs with one decimal and a sign.
    static func signed(_ nanoseconds: Double) -> String {
        let text = microseconds(nanoseconds)
        return nanoseconds > 0 && text != "0.0" ? "+" + text : text
    }

    /// 0.051 as "+5.1".
    static func signedPercent(_ share: Double) -> String {
        (share < 0 ? "-" : share > 0 ? "+" : "") + percent(share.magnitude)
    }

    /// "+0.31"
    static func signedHundredths(_ number: Double) -> String {
        let hundredths = Int((number.magnitude * 100).rounded())
        let digits = hundredths % 100
        return (number < 0 && hundredths > 0 ? "-" : hundredths > 0 ? "+" : "") + "\(hundredths / 100)."
            + (digits < 10 ? "0" : "")
            + "\(digits)"
    }

    /// A p-value with three decimals, which is never 0.
    static func probability(_ p: Double) -> String { p < 0.0005 ? "<0.001" : thousandths(p) }

    /// A share of a whole that others may take away from: 0.051 as "5.1", -0.051 as "-5.1".
    static func signedShare(_ share: Double) -> String {
        let text = percent(share.magnitude)
        return share < 0 && text != "0.0" ? "-" + text : text
    }

    /// "1.6"
    static func tenths(_ number: Double) -> String {
        let tenths = Int(exactly: (number.magnitude * 10).rounded()) ?? .max
        return (number < 0 && tenths > 0 ? "-" : "") + "\(tenths / 10).\(tenths % 10)"
    }
}
