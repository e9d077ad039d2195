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

    /// Of `preempted` and `waking`: who did it.
    var thread: ThreadID { ThreadID(by) }
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

    var id: ThreadID
    /// The guest queue whose worker it is.
    var queue = QueueID.none
    /// A worker's last work: taking packets for the guest, or from it.
    var isReceiving = false
    /// Guest machine it works for, none when unknown.
    var guest = MachineID.none
    /// Guest device whose notifications wake it, none when unknown.
    var port = PortID.none
    /// The vCPU it is, none for other threads.
    var vcpu = VCPUID.none
    /// Since when it has been in a sending system call; absent when it is not, `sendingUnknown` when that can't be
    /// told.
    var sendingSince = ThreadState.sendingUnknown

    /// When a call of it that sends began or ended, or one that receives ended, last.
    var lastCall = PointTimes.absent

    /// It may have entered a call before the recording, or in a hole.
    static let sendingUnknown = PointTimes.absent + 1

    static let shortHistory = 16
    /// vCPU threads enter and leave the guest many times while a packet waits.
    static let longHistory = 512

    init(id: ThreadID) {
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

    @inline(__always)
    mutating func push(_ what: ThreadEvent.What, _ time: Nanoseconds, by thread: ThreadID, flight: FlightID = .none) {
        push(what, time, by: thread.number, flight: flight)
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

    /// It is woken for the first time, and has done nothing that was recorded: it has slept since before the recording.
    var wakesForTheFirstTime: Bool {
        count <= 1 && lastCall == PointTimes.absent && newestFirst.allSatisfy { $0.what == .waking }
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
    private var states = Table<ThreadIndex, ThreadState>()
    /// Open addressing: rows of `states`, none for free slots.
    private var slots: [ThreadIndex]
    private var mask = 255

    init() { slots = Array(repeating: .none, count: mask + 1) }

    deinit { for index in states.ids { states[index].free() } }

    @inline(__always)
    private func home(_ id: ThreadID) -> Int {
        Int(truncatingIfNeeded: UInt32(bitPattern: id.number) &* 0x9e37_79b1 &>> 8) & mask
    }

    /// Row of a thread, made known if it was not.
    @inline(__always)
    mutating func index(_ id: ThreadID) -> ThreadIndex {
        var slot = home(id)
        while true {
            let index = slots[slot]
            if index.isNone { return add(id) }
            if states[index].id == id { return index }
            slot = (slot &+ 1) & mask
        }
    }

    /// There was a hole: nobody's system calls are known any more.
    mutating func forgetCalls() {
        for index in states.ids { states[index].sendingSince = ThreadState.sendingUnknown }
    }

    private mutating func add(_ id: ThreadID) -> ThreadIndex {
        let new = states.append(ThreadState(id: id))
        if states.count * 2 > mask {
            mask = mask * 2 + 1
            slots = Array(repeating: .none, count: mask + 1)
            for index in states.ids { place(index) }
        } else {
            place(new)
        }
        return new
    }

    private mutating func place(_ index: ThreadIndex) {
        var slot = home(states[index].id)
        while !slots[slot].isNone { slot = (slot &+ 1) & mask }
        slots[slot] = index
    }

    @inline(__always)
    subscript(index: ThreadIndex) -> ThreadState {
        unsafeAddress { unsafe states.address(index) }
        nonmutating unsafeMutableAddress { unsafe states.mutableAddress(index) }
    }
}
