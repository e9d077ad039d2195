// Short strings inside events (device names, interrupt names) as small numbers.

internal import LinuxSystem

/// Interns names from all CPUs of a session; ids are dense and start at 1, 0 is no name.
///
/// Scanners keep what they have looked up in a cache of their own, so the lock is taken once per name and scanner.
package final class NameTable: @unchecked Sendable {
    private let monitor = Monitor()
    private var ids: [String: UInt16] = [:]
    private var names: [String] = [""]

    package init() {}

    /// The id of `name`, 0 once 65 535 names are taken.
    package func id(of name: String) -> UInt16 {
        monitor.locked {
            if let id = ids[name] { return id }
            guard names.count < Int(UInt16.max) else { return 0 }
            let id = UInt16(names.count)
            names.append(name)
            ids[name] = id
            return id
        }
    }

    package func name(_ id: UInt16) -> String {
        monitor.locked { Int(id) < names.count ? names[Int(id)] : "" }
    }
}

/// One scanner's view of a `NameTable`: names of up to 31 bytes, found by their bytes without making a String.
struct NameCache {
    /// The bytes of a name, loaded by the word: the later loads overlap the earlier ones, so that with the count they
    /// are all there is.
    private struct Key: Equatable {
        var count = 0
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        init() {}

        @inline(__always)
        init(_ bytes: UnsafeRawPointer, count: Int) {
            self.count = count
            @inline(__always)
            func word(at offset: Int) -> UInt64 { unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
            if count >= 16 {
                words = (word(at: 0), word(at: 8), word(at: count - 16), word(at: count - 8))
            } else if count >= 8 {
                words.0 = word(at: 0)
                words.1 = word(at: count - 8)
            } else if count >= 4 {
                words.0 = unsafe UInt64(bytes.loadUnaligned(as: UInt32.self))
                words.1 = unsafe UInt64(bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            } else {
                for offset in 0..<count {
                    words.0 = unsafe words.0 << 8 | UInt64(bytes.load(fromByteOffset: offset, as: UInt8.self))
                }
            }
        }

        @inline(__always)
        static func == (left: Key, right: Key) -> Bool { left.count == right.count && left.words == right.words }

        /// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4) into `bits` bits.
        @inline(__always)
        func hash(_ bits: UInt64) -> Int {
            let mixed = words.0 ^ (words.1 &<< 1) ^ words.2 ^ (words.3 &<< 1)
            return Int(truncatingIfNeeded: (mixed &* 0x9e37_79b9_7f4a_7c15) &>> (64 - bits))
        }
    }

    private let table: NameTable
    /// Open addressing; id 0 is a free slot.
    private var slots: [(key: Key, id: UInt16)]
    private var used = 0

    private static let bits: UInt64 = 7

    init(_ table: NameTable) {
        self.table = table
        slots = Array(repeating: (Key(), 0), count: 1 << Self.bits)
    }

    /// Interns the string that begins at `bytes` and ends at a NUL or after `count` bytes.
    @inline(__always)
    mutating func id(_ bytes: UnsafeRawPointer, count: Int) -> UInt16 {
        let key = unsafe Key(bytes, count: min(count, 31))
        var slot = key.hash(Self.bits)
        while slots[slot].id != 0 {
            if slots[slot].key == key { return slots[slot].id }
            slot = (slot &+ 1) & (slots.count - 1)
        }
        return unsafe add(key, at: slot, UnsafeRawBufferPointer(start: bytes, count: key.count))
    }

    @inline(never)
    private mutating func add(_ key: Key, at slot: Int, _ bytes: UnsafeRawBufferPointer) -> UInt16 {
        let id = unsafe table.id(of: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).printable)
        // More distinct names than this are no device names; they are looked up the slow way.
        if used < slots.count / 2 {
            slots[slot] = (key, id)
            used += 1
        }
        return id
    }
}
