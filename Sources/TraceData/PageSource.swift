// One CPU's sub-buffers, one after the other: straight out of the mapping, or chunk by chunk where they are compressed.

internal import LinuxSystem

/// Hands out sub-buffers in the order of the recording.
struct PageSource: ~Copyable {
    /// A sub-buffer's bytes, valid until the next one is asked for.
    @safe struct Page {
        var bytes: UnsafeRawBufferPointer
        /// Byte of the file where it lies, or where the chunk begins that holds it.
        var fileOffset: Int
    }

    private let file: TraceFile
    private let pageSize: Int
    private let isChunked: Bool
    private let cpu: Int
    private let end: Int
    /// Next byte of the file to look at.
    private var offset: Int
    private var chunksLeft = 0
    private let decompressor: Decompressor
    private var chunk = DecompressedBytes(count: 0)
    private var chunkSize = 0
    private var chunkOffset = 0
    private var chunkPlace = 0
    /// Events of this CPU were lost to a defect since the last page.
    private(set) var skipped = false
    private(set) var defects: [TraceDefect] = []

    /// Bytes that may still be decompressed.
    private var budget = FileBudget.allowance

    /// trace-cmd compresses 10 pages at a time; nobody's chunks are larger than this.
    private static let mostChunkBytes = 64 << 20

    init(_ file: TraceFile, buffer: TraceBuffer, data: CPUData) {
        self.file = file
        pageSize = buffer.pageSize
        isChunked = data.isChunked
        cpu = data.cpu
        offset = data.range.lowerBound
        // The size of chunked data does not count the word that holds the number of chunks.
        end = unsafe min(data.range.upperBound + (data.isChunked ? 4 : 0), file.mapping.bytes.count)
        decompressor = Decompressor(data.isChunked ? file.compression : .none)
        file.mapping.willReadSequentially(data.range)
        if isChunked && end > offset {
            if end - offset >= 4 {
                chunksLeft = Int(word(at: offset))
                offset += 4
            } else {
                fail(.chunk, at: offset)
            }
        }
    }

    private func word(at offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: file.mapping.bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    private mutating func fail(_ kind: TraceDefect.Kind, at place: Int) {
        defects.append(TraceDefect(kind: kind, cpu: cpu, offset: place))
        skipped = true
    }

    /// The next sub-buffer, nil at the end.
    mutating func next() -> Page? {
        skipped = false
        return isChunked ? nextOfChunks() : nextOfFile()
    }

    private mutating func nextOfFile() -> Page? {
        guard offset < end else { return nil }
        let size = min(pageSize, end - offset)
        let place = offset
        offset += size
        return unsafe Page(
            bytes: UnsafeRawBufferPointer(rebasing: file.mapping.bytes[place..<place + size]), fileOffset: place)
    }

    private mutating func nextOfChunks() -> Page? {
        while chunkOffset >= chunkSize {
            guard chunksLeft > 0, loadChunk() else { return nil }
        }
        let size = min(pageSize, chunkSize - chunkOffset)
        defer { chunkOffset += size }
        return unsafe Page(
            bytes: UnsafeRawBufferPointer(rebasing: chunk.bytes[chunkOffset..<chunkOffset + size]),
            fileOffset: chunkPlace)
    }

    /// Decompresses the next chunk; false when none can be found any more.
    private mutating func loadChunk() -> Bool {
        chunksLeft -= 1
        chunkOffset = 0
        chunkSize = 0
        guard end - offset >= 8 else {
            fail(.chunk, at: offset)
            return false
        }
        let place = offset
        let size = Int(word(at: offset))
        let fullSize = Int(word(at: offset + 4))
        offset += 8
        budget = budget &+ size &* FileBudget.ratio &- fullSize
        guard size <= end - offset, fullSize <= Self.mostChunkBytes, budget >= 0 else {
            fail(.chunk, at: place)
            return false
        }
        if unsafe chunk.bytes.count < fullSize { chunk = DecompressedBytes(count: fullSize) }
        let source = unsafe UnsafeRawBufferPointer(rebasing: file.mapping.bytes[offset..<offset + size])
        offset += size
        guard
            unsafe decompressor.decompress(
                source, into: UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<fullSize]))
        else {
            fail(.chunk, at: place)
            return true
        }
        chunkSize = fullSize
        chunkPlace = place
        return true
    }
}
