// Little-endian bytes, and the stored blocks of zlib and zstd.

extension [UInt8] {
    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
        for index in 0..<Number.bitWidth / 8 { append(UInt8(truncatingIfNeeded: number >> Number(8 * index))) }
    }

    mutating func put(terminated text: String) { self += Array(text.utf8) + [0] }

    package mutating func set<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        for index in 0..<Number.bitWidth / 8 {
            self[offset + index] = UInt8(truncatingIfNeeded: number >> Number(8 * index))
        }
    }

    /// Zeros up to a multiple of `alignment`.
    mutating func pad(to alignment: Int) {
        let rest = count % alignment
        if rest > 0 { self += [UInt8](repeating: 0, count: alignment - rest) }
    }
}

extension TraceBuilder.Packing {
    /// `bytes` as a complete stream of blocks that are stored as they are.
    func stored(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .none: bytes
        case .zlib: Self.zlibStored(bytes)
        case .zstd: Self.zstdStored(bytes)
        }
    }

    /// RFC 1950 around RFC 1951's blocks of type 0.
    private static func zlibStored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let end = min(bytes.count, start + 0xffff)
            stream.append(end == bytes.count ? 1 : 0)
            stream.put(UInt16(end - start))
            stream.put(~UInt16(end - start))
            stream += bytes[start..<end]
            start = end
        } while start < bytes.count
        // Adler-32, most significant byte first. 5552 bytes at a time don't overflow.
        var low: UInt32 = 1
        var high: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            low += UInt32(byte)
            high += low
            if index % 5552 == 5551 {
                low %= 65521
                high %= 65521
            }
        }
        stream.put(((high % 65521) << 16 | low % 65521).byteSwapped)
        return stream
    }

    /// RFC 8878: a frame in a single segment with its size in 4 bytes, blocks of type 0.
    private static func zstdStored(_ bytes: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = []
        stream.put(UInt32(0xfd2f_b528))
        stream.append(0xa0)
        stream.put(UInt32(bytes.count))
        var start = 0
        repeat {
            let end = min(bytes.count, start + 1 << 16)
            let header = UInt32(end - start) << 3 | (end == bytes.count ? 1 : 0)
            stream += [
                UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8),
                UInt8(truncatingIfNeeded: header >> 16),
            ]
            stream += bytes[start..<end]
            start = end
        } while start < bytes.count
        return stream
    }
}
