// zlib and zstd as trace-cmd uses them: one independent stream per section or chunk, sizes stored beside it.

internal import CCompression

/// The compression named in a version 7 header.
package enum Compression: String, Sendable {
    case none, zlib, zstd
}

/// Decompresses whole blocks; holds zstd's working memory between them.
@safe struct Decompressor: ~Copyable {
    private let compression: Compression
    private let zstd: OpaquePointer?

    init(_ compression: Compression) {
        self.compression = compression
        unsafe zstd = compression == .zstd ? ZSTD_createDCtx() : nil
    }

    deinit { if unsafe zstd != nil { unsafe ZSTD_freeDCtx(zstd) } }

    /// Decompresses `source` into all of `target`.
    /// - Returns: whether it was a whole stream of exactly `target.count` bytes.
    func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        switch compression {
        case .none:
            guard source.count == target.count else { return false }
            unsafe target.copyMemory(from: source)
            return true
        case .zlib:
            // uncompress(3) takes the capacity and gives back the size.
            var size = uLongf(target.count)
            let code = unsafe uncompress(
                target.bindMemory(to: Bytef.self).baseAddress, &size,
                source.bindMemory(to: Bytef.self).baseAddress, uLong(source.count))
            return code == Z_OK && Int(size) == target.count
        case .zstd:
            let size = unsafe ZSTD_decompressDCtx(
                zstd, target.baseAddress, target.count, source.baseAddress, source.count)
            return ZSTD_isError(size) == 0 && size == target.count
        }
    }
}
