// The layout of a ring-buffer sub-buffer and of the events in it.
//
// Source: kernel/trace/ring_buffer.c and include/linux/ring_buffer.h; how the timestamps of discarded events count
// follows libtraceevent's kbuffer, so that all readers agree.

/// The head of a sub-buffer: timestamp of its first event and the commit word.
struct SubBufferHeader {
    var timestamp: UInt64
    /// Bytes of events behind the header.
    var dataSize: Int
    /// Where the events begin.
    var dataOffset: Int
    /// Events were lost before this sub-buffer (RB_MISSED_EVENTS).
    var missedEvents: Bool
    /// How many, when the kernel stored it behind the data (RB_MISSED_STORED); 0 when it did not.
    var missedCount: Int

    /// nil when the sub-buffer claims to hold more than there is.
    @inline(__always)
    init?(_ page: UnsafeRawBufferPointer, longSize: Int) {
        dataOffset = 8 + longSize
        guard page.count >= dataOffset else { return nil }
        timestamp = unsafe UInt64(littleEndian: page.loadUnaligned(as: UInt64.self))
        // Flags and size lie in the low 32 bits whatever the word's width: bits 30 and 31, and 27 bits of size.
        let commit = unsafe UInt32(littleEndian: page.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        dataSize = Int(commit & 0x7ff_ffff)
        guard dataSize <= page.count - dataOffset else { return nil }
        missedEvents = commit & 1 << 31 != 0
        missedCount = 0
        let stored = dataOffset + dataSize
        if missedEvents, commit & 1 << 30 != 0, page.count - stored >= longSize {
            missedCount =
                unsafe longSize == 8
                ? Int(truncatingIfNeeded: page.loadUnaligned(fromByteOffset: stored, as: UInt64.self))
                : Int(page.loadUnaligned(fromByteOffset: stored, as: UInt32.self))
            if missedCount < 0 { missedCount = 0 }
        }
    }
}

/// The 32-bit head of an event: five bits of type or length, 27 bits of time delta.
enum EventHead {
    /// Data of more than 112 bytes: the next word is its length, itself included.
    static let large: UInt32 = 0
    /// A discarded event, or (delta 0) the rest of the sub-buffer.
    static let padding: UInt32 = 29
    /// The next word holds the upper bits of the delta.
    static let timeExtend: UInt32 = 30
    /// The same two words are an absolute time of 59 bits.
    static let timeStamp: UInt32 = 31

    /// Bits an absolute time stamp lacks; they are the sub-buffer's.
    static let absoluteMask: UInt64 = 0xf8 << 56
}
