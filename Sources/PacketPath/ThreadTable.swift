// Threads of one machine: who runs, who was woken when and by whom, as far back as a packet's way reaches.

import ClockSync

/// Something that happened to a thread.
struct ThreadEvent: BitwiseCopyable {
    enum What: UInt8 {
        case switchIn
        /// Left its CPU to sleep.
        case sleep
        /// Left its CPU although it could have gone on; `by` is the thread that has it now.
        case preempted
        /// Was woken; `by` is the thread that did it, `flight` the packet that was being handed over.
        case waking
        /// vCPU threads: entered the guest; `by` is the vector that was injected before, 0 for none.
        case entry
        /// vCPU threads: left the guest; `by` is the code of a `HostReason`.
        case exit
    }

    var time: Nanoseconds
    var flight: FlightID
    var by: Int32
    var what: What
}

/// The history of a thread, from the newest event to the oldest that is still known.
@safe struct ThreadHistory: Sequence, IteratorProtocol {
    private let ring: UnsafeMutablePointer<ThreadEvent>
    private let mask: Int
    private var index: Int
    private let oldest: Int

    @inline(__always)
    fileprivate init(_ ring: UnsafeMutablePointer<ThreadEvent>, mask: Int, count: Int) {
        unsafe self.ring = ring
        self.mask = mask
        index = count
        oldest = Swift.max(0, count &- mask &- 1)
    }

    /// There is nothing older: no event has been overwritten.
    var isWhole: Bool { oldest == 0 }

    @inline(__always)
    mutating func next() -> ThreadEvent? {
        guard index > oldest else { return nil }
        index &-= 1
        return unsafe ring[index & mask]
    }
}

@safe struct ThreadState {
    /// The last events, oldest overwritten first.
    private var ring: UnsafeMutablePointer<ThreadEvent>
    private var mask: Int
    private var count = 0

    var id: Int32
    /// Index of the guest queue whose worker it is, -1 for none.
    var queue: Int16 = -1
    /// A worker's last work: taking packets for the guest, or from it.
    var isReceiving = false
    /// Guest machine it works for, -1 when unknown.
    var guest: Int16 = -1
    /// Guest device whose notifications wake it, -1 when unknown.
    var port: Int16 = -1
    /// Index of the vCPU it is, -1 for other threads.
    var vcpu: Int16 = -1
    /// Since when it has been in a sending system call; absent when it is not, `sendingUnknown` when that can't be told.
    var sendingSince = ThreadState.sendingUnknown

    /// When a call of it that sends began or ended, or one that receives ended, last.
    var lastCall = PointTimes.absent

    /// It may have entered a call before the recording, or in a hole.
    static let sendingUnknown = PointTimes.absent + 1

    static let shortHistory = 16
    /// vCPU threads enter and leave the guest many times while a packet waits.
    static let longHistory = 512

    init(id: Int32) {
        self.id = id
        unsafe ring = .allocate(capacity: Self.shortHistory)
        mask = Self.shortHistory - 1
    }

    func free() { unsafe ring.deallocate() }

    mutating func keepLongHistory() {
        guard mask + 1 < Self.longHistory else { return }
        let longer = UnsafeMutablePointer<ThreadEvent>.allocate(capacity: Self.longHistory)
        let kept = min(count, mask + 1)
        for offset in 0..<kept { unsafe longer[offset] = ring[(count - kept + offset) & mask] }
        unsafe ring.deallocate()
        unsafe ring = longer
        mask = Self.longHistory - 1
        count = kept
    }

    @inline(__always)
    mutating func push(_ what: ThreadEvent.What, _ time: Nanoseconds, by: Int32 = 0, flight: FlightID = .none) {
        unsafe ring[count & mask] = ThreadEvent(time: time, flight: flight, by: by, what: what)
        count &+= 1
    }

    /// Its events from the newest to the oldest; to be gone through before the next one is added.
    @inline(__always)
    var newestFirst: ThreadHistory { unsafe ThreadHistory(ring, mask: mask, count: count) }

    /// When it was last seen to do something by itself, after it got its CPU.
    var lastSeen: Nanoseconds {
        for event in newestFirst where event.what == .switchIn { return max(event.time, lastCall) }
        return lastCall
    }

    /// It sleeps, or has only just been woken.
    var isAsleep: Bool {
        for event in newestFirst where event.what != .waking { return event.what == .sleep }
        return false
    }

    /// When it was last seen to do something before it went to sleep; nil unless it sleeps, or that is not known.
    var awakeBeforeSleep: Nanoseconds? {
        var sleeps = false
        for event in newestFirst {
            switch event.what {
            case .waking: continue
            case .sleep where !sleeps: sleeps = true
            case .switchIn where sleeps: return max(event.time, lastCall)
            default: return nil
            }
        }
        return sleeps && lastCall != PointTimes.absent ? lastCall : nil
    }

    /// The thread has just left its CPU, and was woken since it got that.
    var wasWokenAwake: Bool {
        var history = newestFirst
        _ = history.next()
        return history.next()?.what == .waking
    }

    /// The first switch-in at or after `anchor`, if the thread was not on a CPU at that time.
    ///
    /// Events before `validFrom` say nothing about `anchor`: there is a hole in between.
    func switchIn(after anchor: Nanoseconds, until end: Nanoseconds, validFrom: Nanoseconds) -> Nanoseconds? {
        var found: Nanoseconds?
        var history = newestFirst
        while let event = history.next() {
            if event.time < anchor {
                if event.time < validFrom { return found }
                switch event.what {
                case .switchIn, .entry, .exit: return nil
                case .sleep, .preempted: return found
                case .waking: continue
                }
            }
            if event.what == .switchIn, event.time <= end { found = event.time }
        }
        return history.isWhole ? found : nil
    }
}

/// Threads by id.
@safe struct ThreadTable: ~Copyable {
    private var states = Shelf<ThreadState>()
    /// Open addressing: indices of `states`, -1 for free slots.
    private var slots: [Int32]
    private var mask = 255

    init() { slots = Array(repeating: -1, count: mask + 1) }

    deinit { for index in states.indices { states[index].free() } }

    @inline(__always)
    private func home(_ id: Int32) -> Int { Int(truncatingIfNeeded: UInt32(bitPattern: id) &* 0x9e37_79b1 &>> 8) & mask }

    /// Index of a thread, made known if it was not.
    @inline(__always)
    mutating func index(_ id: Int32) -> Int32 {
        var slot = home(id)
        while true {
            let index = slots[slot]
            if index < 0 { return add(id) }
            if states[Int(index)].id == id { return index }
            slot = (slot &+ 1) & mask
        }
    }

    /// There was a hole: nobody's system calls are known any more.
    mutating func forgetCalls() {
        for index in states.indices { states[index].sendingSince = ThreadState.sendingUnknown }
    }

    private mutating func add(_ id: Int32) -> Int32 {
        states.append(ThreadState(id: id))
        if states.count * 2 > mask {
            mask = mask * 2 + 1
            slots = Array(repeating: -1, count: mask + 1)
            for index in states.indices { place(index) }
        } else {
            place(states.count - 1)
        }
        return Int32(states.count - 1)
    }

    private mutating func place(_ index: Int) {
        var slot = home(states[index].id)
        while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
        slots[slot] = Int32(index)
    }

    @inline(__always)
    subscript(index: Int32) -> ThreadState {
        unsafeAddress { unsafe states.address(Int(index)) }
        nonmutating unsafeMutableAddress { unsafe states.mutableAddress(Int(index)) }
    }
}
