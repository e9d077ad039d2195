// skb addresses to flights: the table that is asked for every packet event.

/// Open addressing with linear probing and backward-shift deletion; keys are never 0.
struct AddressTable: ~Copyable {
    private struct Entry {
        var key: UInt64
        var value: FlightID
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var mask: Int
    private(set) var count = 0

    init() {
        mask = 255
        entries = .allocate(capacity: 256)
        entries.initialize(repeating: Entry(key: 0, value: .none), count: 256)
    }

    deinit { entries.deallocate() }

    /// skb addresses differ in their middle bits; multiply and take the top (Fibonacci hashing).
    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 32) & mask
    }

    @inline(__always)
    subscript(key: UInt64) -> FlightID {
        var index = slot(key)
        while true {
            let entry = entries[index]
            if entry.key == key { return entry.value }
            if entry.key == 0 { return .none }
            index = (index &+ 1) & mask
        }
    }

    mutating func set(_ key: UInt64, _ value: FlightID) {
        guard key != 0 else { return }
        if count &* 2 > mask { grow() }
        var index = slot(key)
        while entries[index].key != 0 {
            if entries[index].key == key {
                entries[index].value = value
                return
            }
            index = (index &+ 1) & mask
        }
        entries[index] = Entry(key: key, value: value)
        count &+= 1
    }

    mutating func remove(_ key: UInt64) {
        guard key != 0 else { return }
        var index = slot(key)
        while entries[index].key != key {
            if entries[index].key == 0 { return }
            index = (index &+ 1) & mask
        }
        // Move up what was pushed past the gap.
        var gap = index
        while true {
            index = (index &+ 1) & mask
            let entry = entries[index]
            if entry.key == 0 { break }
            let home = slot(entry.key)
            if (index &- home) & mask >= (index &- gap) & mask {
                entries[gap] = entry
                gap = index
            }
        }
        entries[gap].key = 0
        count &-= 1
    }

    private mutating func grow() {
        let old = entries
        let oldCount = mask + 1
        mask = oldCount * 2 - 1
        entries = .allocate(capacity: mask + 1)
        entries.initialize(repeating: Entry(key: 0, value: .none), count: mask + 1)
        for index in 0..<oldCount where old[index].key != 0 {
            var place = slot(old[index].key)
            while entries[place].key != 0 { place = (place &+ 1) & mask }
            entries[place] = old[index]
        }
        old.deallocate()
    }
}
