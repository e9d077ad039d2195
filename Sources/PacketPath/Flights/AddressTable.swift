// skb addresses to flights: the table that is asked for every packet event.

/// Open addressing with linear probing and backward-shift deletion; keys are never 0.
@safe struct AddressTable: ~Copyable {
    private struct Entry {
        var key: UInt64
        var value: FlightID
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var mask: Int
    private(set) var count = 0

    init() {
        mask = 255
        unsafe entries = .allocate(capacity: 256)
        unsafe entries.initialize(repeating: Entry(key: 0, value: .none), count: 256)
    }

    deinit { unsafe entries.deallocate() }

    /// skb addresses differ in their middle bits; multiply and take the top (Fibonacci hashing).
    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 32) & mask
    }

    @inline(__always)
    subscript(key: UInt64) -> FlightID {
        guard key != 0 else { return .none }
        var index = slot(key)
        while true {
            let entry = unsafe entries[index]
            if entry.key == key { return entry.value }
            if entry.key == 0 { return .none }
            index = (index &+ 1) & mask
        }
    }

    mutating func set(_ key: UInt64, _ value: FlightID) {
        guard key != 0 else { return }
        if count &* 2 > mask { grow() }
        var index = slot(key)
        while unsafe entries[index].key != 0 {
            if unsafe entries[index].key == key {
                unsafe entries[index].value = value
                return
            }
            index = (index &+ 1) & mask
        }
        unsafe entries[index] = Entry(key: key, value: value)
        count &+= 1
    }

    mutating func remove(_ key: UInt64) {
        guard key != 0 else { return }
        var index = slot(key)
        while unsafe entries[index].key != key {
            if unsafe entries[index].key == 0 { return }
            index = (index &+ 1) & mask
        }
        // Move up what was pushed past the gap.
        var gap = index
        while true {
            index = (index &+ 1) & mask
            let entry = unsafe entries[index]
            if entry.key == 0 { break }
            let home = slot(entry.key)
            if (index &- home) & mask >= (index &- gap) & mask {
                unsafe entries[gap] = entry
                gap = index
            }
        }
        unsafe entries[gap].key = 0
        count &-= 1
    }

    private mutating func grow() {
        let old = unsafe entries
        let oldCount = mask + 1
        mask = oldCount * 2 - 1
        unsafe entries = .allocate(capacity: mask + 1)
        unsafe entries.initialize(repeating: Entry(key: 0, value: .none), count: mask + 1)
        for index in 0..<oldCount where unsafe old[index].key != 0 {
            var place = unsafe slot(old[index].key)
            while unsafe entries[place].key != 0 { place = (place &+ 1) & mask }
            unsafe entries[place] = old[index]
        }
        unsafe old.deallocate()
    }
}
