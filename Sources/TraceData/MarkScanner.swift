// The hot loop: walks one CPU's events and makes marks of those that were asked for.

internal import CLinux
package import ClockSync

/// What a scanner found besides marks.
package struct LaneCounts: Sendable {
    /// Events of any kind.
    package var events = 0
    /// Events the kernel says it lost, where it counted them.
    package var lost = 0
    /// Holes in the recording: places where events were lost, counted or not.
    package var holes = 0
    package var firstTime: Nanoseconds?
    package var lastTime: Nanoseconds?
    package var defects: [TraceDefect] = []
    /// Bytes of the file that were looked at.
    package var bytes = 0

    /// Counts another buffer of the same CPU as well.
    mutating func add(_ other: LaneCounts) {
        events += other.events
        lost = lost &+ other.lost
        holes += other.holes
        if let first = other.firstTime { firstTime = min(firstTime ?? first, first) }
        if let last = other.lastTime { lastTime = max(lastTime ?? last, last) }
        defects += other.defects
        bytes += other.bytes
    }
}

/// Walks the sub-buffers of one CPU. It can stop after any event and go on later.
@safe struct MarkScanner: ~Copyable {
    private var pages: PageSource
    private let program: ExtractionProgram
    private let map: ClockMap
    private let longSize: Int
    private let lane: UInt16
    private let cpu: Int
    private let fixedOffset: Nanoseconds
    private var names: NameCache
    private(set) var counts = LaneCounts()

    // Where we are: the rest of the current sub-buffer and the raw time of the last event.
    private var cursor: UnsafeRawPointer?
    private var pageEnd: UnsafeRawPointer?
    private var pagePlace = 0
    private var time: RawTime = 0
    private var started = false
    private var ended = false
    private var lastMarkTime = Nanoseconds.min
    private var clock: FlatClock

    init(
        file: TraceFile, buffer: TraceBuffer, data: CPUData, program: ExtractionProgram, map: ClockMap, lane: UInt16,
        names: NameTable
    ) {
        pages = PageSource(file, buffer: buffer, data: data)
        self.program = program
        self.map = map
        self.lane = lane
        cpu = data.cpu
        longSize = file.longSize
        fixedOffset = file.options.fixedOffset
        self.names = NameCache(names)
        clock = FlatClock(map.segments[0])
    }

    /// Defects of the pages and of the events in them.
    var defects: [TraceDefect] { pages.defects + counts.defects }

    private mutating func note(_ kind: TraceDefect.Kind) {
        // The first of a kind tells where, all of them are counted.
        if let index = counts.defects.firstIndex(where: { $0.kind == kind }) {
            counts.defects[index].count += 1
        } else {
            counts.defects.append(TraceDefect(kind: kind, cpu: cpu, offset: pagePlace))
        }
    }

    private mutating func hostTime(_ raw: RawTime) -> Nanoseconds {
        if raw < clock.start || raw > clock.end { clock = FlatClock(map.segment(at: raw)) }
        return clock.hostTime(raw) &+ fixedOffset
    }

    /// Appends a reserved mark at raw time `raw`.
    private mutating func reserved(_ kind: UInt8, _ raw: RawTime, _ operand: Int, _ out: UnsafeMutablePointer<Mark>) {
        lastMarkTime = max(lastMarkTime, hostTime(raw))
        unsafe out.initialize(
            to: Mark(
                time: lastMarkTime, a: UInt64(truncatingIfNeeded: operand), b: 0, thread: 0, lane: lane, kind: kind,
                flags: 0))
    }

    /// Goes to the next sub-buffer that has events; marks holes on the way (at most three marks).
    /// - Returns: whether there is one.
    private mutating func turnPage(_ out: UnsafeMutableBufferPointer<Mark>, _ count: inout Int) -> Bool {
        var hole = false
        var lost = 0
        while let page = pages.next() {
            hole = hole || pages.skipped
            pagePlace = page.fileOffset
            unsafe counts.bytes += page.bytes.count
            guard let header = unsafe SubBufferHeader(page.bytes, longSize: longSize) else {
                note(.page)
                hole = true
                continue
            }
            if header.missedEvents {
                hole = true
                lost = lost &+ header.missedCount
            }
            guard header.dataSize > 0 else { continue }
            if !started { time = header.timestamp }
            if hole {
                counts.holes += 1
                counts.lost = counts.lost &+ lost
                unsafe reserved(Mark.Reserved.lostBegin, time, 0, out.baseAddress! + count)
                unsafe reserved(Mark.Reserved.lostEnd, header.timestamp, lost, out.baseAddress! + count + 1)
                count += 2
            }
            time = header.timestamp
            if !started {
                started = true
                unsafe reserved(Mark.Reserved.laneBegin, time, 0, out.baseAddress! + count)
                counts.firstTime = lastMarkTime
                count += 1
            }
            unsafe cursor = page.bytes.baseAddress! + header.dataOffset
            unsafe pageEnd = cursor! + header.dataSize
            return true
        }
        if pages.skipped || hole {
            counts.holes += 1
            counts.lost = counts.lost &+ lost
            unsafe reserved(Mark.Reserved.lostBegin, time, 0, out.baseAddress! + count)
            count += 1
        }
        return false
    }

    /// Fills `out` with the next marks.
    /// - Returns: how many; fewer than `out.count - 4` only at the end of the data, 0 after it.
    mutating func fill(_ out: UnsafeMutableBufferPointer<Mark>) -> Int {
        var count = 0
        let limit = out.count - 4
        while count < limit {
            if unsafe cursor == pageEnd {
                if ended { break }
                guard unsafe turnPage(out, &count) else {
                    ended = true
                    if started {
                        unsafe reserved(Mark.Reserved.laneEnd, time, 0, out.baseAddress! + count)
                        counts.lastTime = lastMarkTime
                        count += 1
                    }
                    break
                }
            }
            count = unsafe scanPage(out, count, limit)
        }
        return count
    }

    /// Where the next event lies is known only once this one's head has been loaded: reading ahead hides most of the
    /// wait. Four cache lines are enough, and further away is slower: more of it lies in the next page, whose
    /// translation is not at hand.
    private static let prefetchDistance = 256

    /// Walks the current sub-buffer until it ends or `limit` marks are there; returns the number of marks.
    private mutating func scanPage(_ out: UnsafeMutableBufferPointer<Mark>, _ before: Int, _ limit: Int) -> Int {
        var count = before
        var at = unsafe cursor!
        let end = unsafe pageEnd!
        var now = time
        var events = 0
        let planOfID = unsafe program.planOfID.baseAddress!
        var defect: TraceDefect.Kind?
        walk: while unsafe at < end {
            guard unsafe end - at >= 4 else {
                defect = .event
                break
            }
            unsafe clinux_prefetch(at + Self.prefetchDistance)
            let head = unsafe UInt32(littleEndian: at.loadUnaligned(as: UInt32.self))
            let type = head & 31
            var size = Int(type) &* 4
            var record = unsafe at + 4
            if type == EventHead.large || type > 28 {
                guard unsafe end - at >= 8 else {
                    // A sub-buffer's last word may be padding that says "no more".
                    if !(type == EventHead.padding && head >> 5 == 0) { defect = .event }
                    unsafe at = end
                    break
                }
                let word = unsafe UInt32(littleEndian: record.loadUnaligned(as: UInt32.self))
                switch type {
                case EventHead.large:
                    guard word >= 4 else {
                        defect = .event
                        break walk
                    }
                    size = (Int(word) &- 4 &+ 3) & ~3
                    unsafe record += 4
                case EventHead.padding:
                    if head >> 5 == 0 {
                        unsafe at = end
                        break walk
                    }
                    guard unsafe Int(word) <= end - record, word >= 4 else {
                        defect = .event
                        break walk
                    }
                    now &+= UInt64(head >> 5)
                    unsafe at = record + Int(word)
                    continue
                case EventHead.timeExtend:
                    now &+= UInt64(head >> 5) | UInt64(word) << 27
                    unsafe at = record + 4
                    continue
                default:
                    now = UInt64(head >> 5) | UInt64(word) << 27 | now & EventHead.absoluteMask
                    unsafe at = record + 4
                    continue
                }
            }
            guard size >= 4, unsafe size <= end - record else {
                defect = .event
                break
            }
            now &+= UInt64(head >> 5)
            unsafe at = record + size
            events &+= 1
            let id = unsafe Int(UInt16(littleEndian: record.loadUnaligned(as: UInt16.self)))
            let plan = unsafe planOfID[id]
            if plan == 0 { continue }
            if unsafe extract(Int(plan) &- 1, record, size, now, out.baseAddress! + count) {
                count &+= 1
                if count >= limit { break }
            }
        }
        if let defect {
            note(defect)
            // What follows in this sub-buffer is lost.
            counts.holes += 1
            unsafe reserved(Mark.Reserved.lostBegin, now, 0, out.baseAddress! + count)
            unsafe reserved(Mark.Reserved.lostEnd, now, 0, out.baseAddress! + count + 1)
            count += 2
            unsafe at = end
        }
        unsafe cursor = at
        time = now
        counts.events &+= events
        return count
    }

    /// Makes a mark of one record; false when the event's condition does not hold.
    @inline(__always)
    private mutating func extract(
        _ index: Int, _ record: UnsafeRawPointer, _ size: Int, _ raw: RawTime, _ out: UnsafeMutablePointer<Mark>
    ) -> Bool {
        let plan = unsafe program.plans.baseAddress![index]
        guard size >= Int(plan.minimumSize) else {
            note(.shortEvent)
            return false
        }
        if let condition = plan.condition, unsafe !condition.holds(record) { return false }
        var a: UInt64 = 0
        var b: UInt64 = 0
        let numbers = unsafe program.numbers.baseAddress! + Int(plan.firstNumber)
        for index in 0..<Int(plan.numberCount) {
            let step = unsafe numbers[index]
            unsafe step.place.put(step.number.load(record), &a, &b)
        }
        let texts = unsafe program.names.baseAddress! + Int(plan.firstName)
        for index in 0..<Int(plan.nameCount) {
            let step = unsafe texts[index]
            unsafe step.place.put(UInt64(name(step, record, size)), &a, &b)
        }
        var time = hostTime(raw)
        if time < lastMarkTime {
            note(.backwards)
            time = lastMarkTime
        }
        lastMarkTime = time
        unsafe out.initialize(
            to: Mark(
                time: time, a: a, b: b,
                thread: Int32(
                    littleEndian: record.loadUnaligned(fromByteOffset: Int(plan.threadOffset), as: Int32.self)),
                lane: lane, kind: plan.kind,
                flags: record.load(fromByteOffset: Int(plan.flagsOffset), as: UInt8.self)))
        return true
    }

    /// The string that a step locates, 0 where it does not lie in the record.
    @inline(__always)
    private mutating func name(_ step: NameStep, _ record: UnsafeRawPointer, _ size: Int) -> UInt16 {
        let word = unsafe UInt32(littleEndian: record.loadUnaligned(fromByteOffset: Int(step.offset), as: UInt32.self))
        let start = Int(step.origin) &+ Int(word & 0xffff)
        let length = Int(word >> 16)
        return unsafe start <= size && length <= size &- start ? names.id(record + start, count: length) : 0
    }
}

/// One segment of a clock map with its arithmetic laid flat, so that the loop above stays in this module.
private struct FlatClock {
    var start: RawTime
    var end: RawTime
    private var offset: UInt64
    private var multiplier: UInt64
    private var shift: UInt64
    private var added: UInt64
    /// The segment itself, for the rare maps that are more than offset and multiplication.
    private var segment: ClockMap.Segment?

    init(_ segment: ClockMap.Segment) {
        start = segment.start
        end = segment.end
        offset = 0
        multiplier = UInt64(segment.toNanoseconds.multiplier)
        shift = UInt64(segment.toNanoseconds.shift)
        added = segment.toNanoseconds.offset
        self.segment = nil
        if case .offset(let offset) = segment.toHost, shift > 0, shift < 64 {
            self.offset = offset
        } else if case .offset(let offset) = segment.toHost, segment.toNanoseconds == .nanoseconds {
            // ns already: multiply by 2^32 and shift it away again would be exact too, but this is plain to see.
            self.offset = offset
            multiplier = 0
        } else {
            self.segment = segment
        }
    }

    @inline(__always)
    func hostTime(_ raw: RawTime) -> Nanoseconds {
        if let segment { return segment.hostTime(raw) }
        if multiplier == 0 { return Nanoseconds(truncatingIfNeeded: raw &+ offset) }
        let (high, low) = (raw &+ offset).multipliedFullWidth(by: multiplier)
        return Nanoseconds(truncatingIfNeeded: (low &>> shift | high &<< (64 &- shift)) &+ added)
    }
}
