// Reads numbers and strings from untrusted bytes, one after the other, and says where they ended.

internal import LinuxSystem

/// A cursor over little-endian bytes. Every read is checked; nothing from a file meets an unguarded `+`.
@safe struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// Where the next read begins.
    private(set) var offset: Int
    private let end: Int
    /// What is read, for errors.
    let section: String
    /// Where byte 0 of `bytes` lies in the file; 0 for bytes that were decompressed, and have no place there.
    private let fileOffset: Int

    typealias Fault = TraceFileError.Fault

    init(_ bytes: UnsafeRawBufferPointer, from offset: Int = 0, section: String, fileOffset: Int = 0) {
        unsafe self.bytes = bytes
        self.offset = offset
        self.section = section
        self.fileOffset = fileOffset
        end = bytes.count
    }

    var remaining: Int { end - offset }

    func truncated(_ needed: Int) -> Fault {
        .truncated(section: section, offset: fileOffset &+ offset, needed: needed)
    }

    func corrupt(_ fact: String) -> Fault {
        .corrupt(section: section, offset: fileOffset &+ offset, fact: fact)
    }

    /// The next `count` bytes.
    mutating func take(_ count: Int) throws(Fault) -> UnsafeRawBufferPointer {
        guard offset >= 0, count >= 0, offset <= end, count <= end - offset else { throw truncated(count) }
        defer { offset += count }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func take(_ count: UInt64) throws(Fault) -> UnsafeRawBufferPointer {
        guard let count = Int(exactly: count) else { throw corrupt("a size of \(count) bytes") }
        return unsafe try take(count)
    }

    private mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(Fault) -> T {
        let piece = unsafe try take(MemoryLayout<T>.size)
        return unsafe T(littleEndian: piece.loadUnaligned(as: T.self))
    }

    mutating func u8() throws(Fault) -> UInt8 { try integer(UInt8.self) }
    mutating func u16() throws(Fault) -> UInt16 { try integer(UInt16.self) }
    mutating func u32() throws(Fault) -> UInt32 { try integer(UInt32.self) }
    mutating func u64() throws(Fault) -> UInt64 { try integer(UInt64.self) }

    /// A NUL-terminated string of at most `limit` bytes.
    mutating func string(limit: Int = 4096) throws(Fault) -> String {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[min(offset, end)..<end])
        guard let length = unsafe rest.prefix(limit).firstIndex(of: 0) else {
            throw rest.count < limit ? truncated(rest.count + 1) : corrupt("a string without an end")
        }
        offset += length + 1
        return unsafe String(decoding: rest[..<length], as: UTF8.self).printable
    }

    /// The bytes that must stand here, a magic word for example.
    mutating func expect(_ text: StaticString) throws(Fault) {
        let expected = unsafe UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        let start = offset
        let found = unsafe try take(expected.count)
        guard unsafe found.elementsEqual(expected) else {
            offset = start
            throw corrupt("found other bytes than \"\(text)\"")
        }
    }
}
