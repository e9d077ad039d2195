// Numbers and strings as a trace.dat file holds them: little-endian, NUL-terminated.

extension [UInt8] {
    /// Appends a number.
    mutating func append<Number: FixedWidthInteger>(number: Number) {
        var rest = number
        for _ in 0..<Number.bitWidth / 8 {
            append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Appends text and the NUL that ends it; a NUL inside would end it early and shift what follows, so there is none.
    mutating func append(terminated text: String) {
        append(contentsOf: text.utf8.filter { $0 != 0 })
        append(0)
    }
}
