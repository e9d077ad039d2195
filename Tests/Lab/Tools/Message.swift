// What ping sends and echo returns, in a datagram or a stream.

/// The first 16 bytes of a message, all big-endian; zeros follow up to its length.
///
///     bytes  0-7   sequence number, from 0
///     bytes  8-11  magic word
///     bytes 12-15  length of the whole message, in bytes
///
/// It is the same for UDP and TCP, so that whoever looks at payloads finds the sequence number at one place.
struct Message {
    var sequence: UInt64
    var length: Int

    static let headerBytes = 16
    /// From nothing but a header to what fits into a UDP datagram over IPv4.
    static let lengths = headerBytes...65_507
    /// "vlat"
    private static let magic: UInt32 = 0x766C_6174

    init(sequence: UInt64, length: Int) {
        self.sequence = sequence
        self.length = length
    }

    /// Reads the header; nil when these bytes are a stranger's.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.headerBytes,
            UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) == Self.magic
        else { return nil }
        sequence = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
        guard Self.lengths.contains(length) else { return nil }
    }

    /// Writes the header over the first bytes.
    func write(to bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: sequence.bigEndian, as: UInt64.self)
        bytes.storeBytes(of: Self.magic.bigEndian, toByteOffset: 8, as: UInt32.self)
        bytes.storeBytes(of: UInt32(length).bigEndian, toByteOffset: 12, as: UInt32.self)
    }
}

/// Bytes for one message, zeros at first; one for each socket, so that nothing is allocated between packets.
struct MessageBuffer: ~Copyable {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)

    init() { bytes.initializeMemory(as: UInt8.self, repeating: 0) }
    deinit { bytes.deallocate() }
}
