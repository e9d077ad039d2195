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
    private let table: NameTable
    private var keys: [(UInt64, UInt64, UInt64, UInt64)] = []
    private var ids: [UInt16] = []

    init(_ table: NameTable) { self.table = table }

    /// Interns the string that begins at `bytes` and ends at a NUL or after `count` bytes.
    mutating func id(_ bytes: UnsafeRawPointer, count: Int) -> UInt16 {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let length = unsafe withUnsafeMutableBytes(of: &words) { target in
            var length = 0
            while length < min(count, 31) {
                let byte = unsafe bytes.load(fromByteOffset: length, as: UInt8.self)
                if byte == 0 { break }
                unsafe target[length] = byte
                length += 1
            }
            return length
        }
        for index in keys.indices where keys[index] == words { return ids[index] }
        let name = unsafe withUnsafeBytes(of: &words) { unsafe String(decoding: $0.prefix(length), as: UTF8.self) }
        let id = table.id(of: name)
        // More distinct names than this are no device names; look them up the slow way.
        if keys.count < 256 {
            keys.append(words)
            ids.append(id)
        }
        return id
    }
}
