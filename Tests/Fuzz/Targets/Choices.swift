// The bytes a fuzzer makes, as choices: what a test would decide, they do.

/// Bytes taken one after the other. Where they end, everything is 0, so that each prefix of an input is an input as
/// well.
struct Choices {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// 0 to `bound` - 1.
    mutating func number(below bound: Int) -> Int {
        bound <= 256 ? Int(byte()) % bound : (Int(byte()) << 8 | Int(byte())) % bound
    }

    mutating func word() -> UInt64 { (0..<8).reduce(0) { word, _ in word << 8 | UInt64(byte()) } }

    /// A number of the size that counts: most are small, and some are where arithmetic ends.
    mutating func value() -> UInt64 {
        let kind = byte()
        return switch kind % 8 {
        case 0: 0
        case 1, 2: UInt64(byte())
        case 3: UInt64(byte()) << 8 | UInt64(byte())
        case 4: UInt64(truncatingIfNeeded: Int64(Int8(bitPattern: byte())))
        case 5: 1 << UInt64(byte() % 64)
        case 6: UInt64(Int64.max) &+ UInt64(byte() & 1)
        default: word()
        }
    }

    mutating func signed() -> Int64 { Int64(bitPattern: value()) }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(below: elements.count)] }

    /// Up to `most` bytes, none of which is chosen otherwise.
    mutating func bytes(most: Int) -> [UInt8] {
        let bytes = Array(rest.prefix(most))
        rest = rest.dropFirst(most)
        return bytes
    }
}
