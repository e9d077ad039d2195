// Sizes as people type them: a number with its unit.

import ArgumentParser

/// "512K", "16M", "1G"; powers of 1024.
struct ByteCount: ExpressibleByArgument {
    var bytes: Int64

    init?(argument: String) {
        let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        guard let unit = argument.last.flatMap({ units[$0] }), let number = UInt32(argument.dropLast()), number > 0
        else { return nil }
        bytes = Int64(number) * unit
    }
}
