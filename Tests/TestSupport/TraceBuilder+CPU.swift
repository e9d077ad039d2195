// One CPU's sub-buffers, event by event or byte by byte.
//
// Source of the layout: include/linux/ring_buffer.h and kernel/trace/ring_buffer.c.

/// What one CPU writes. `add` does what the kernel does: a time extend where a delta has more than 27 bits, a new
/// sub-buffer where one is full. Everything else is there to write what is rare, or wrong.
package final class BuiltCPU {
    private struct Page {
        enum Missed { case none, uncounted, counted(Int) }

        var time: UInt64
        var data: [UInt8] = []
        var missed = Missed.none
        /// The low half of the commit word, when it is to be another one.
        var commit: UInt32?
        /// All of the sub-buffer, when it is to be something else.
        var raw: [UInt8]?
    }

    private var pages: [Page] = []
    private let pageSize: Int
    private let longSize: Int
    private var missedNext = Page.Missed.none
    /// Time of the last event.
    package private(set) var time: UInt64 = 0

    init(pageSize: Int, longSize: Int) {
        self.pageSize = pageSize
        self.longSize = longSize
    }

    /// Bytes of events that fit into a sub-buffer.
    package var capacity: Int { pageSize - 8 - longSize }

    /// Bytes that still fit into the current sub-buffer; 0 before the first.
    package var room: Int {
        guard let page = pages.last else { return 0 }
        if case .counted = page.missed { return capacity - longSize - page.data.count }
        return capacity - page.data.count
    }

    /// Adds an event.
    /// - Parameter time: raw time; one before the last event's begins a new sub-buffer, there is no other way back.
    /// - Parameter size: bytes of the record where it is to be longer or shorter than its fields.
    /// - Parameter large: writes the length into a word of its own although the record is small.
    package func add(
        _ event: BuiltEvent, at time: UInt64, pid: Int32 = 0, flags: UInt8 = 0, preemptCount: UInt8 = 0,
        _ values: [String: FieldValue] = [:], size: Int? = nil, large: Bool = false
    ) {
        var record = event.record(pid: pid, flags: flags, preemptCount: preemptCount, values)
        if let size { record = Array(record.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - record.count)) }
        let needed = record.count + (large || record.count > 112 ? 8 : 4)
        precondition(needed <= capacity, "an event larger than a sub-buffer")
        if pages.isEmpty || time < self.time || mustTurn { page(at: time) }
        if needed + (time - self.time >= 1 << 27 ? 8 : 0) > room { page(at: time) }
        var delta = time - self.time
        if delta >= 1 << 27 {
            timeExtend(by: delta)
            delta = 0
        }
        self.record(record, delta: delta, large: large)
    }

    /// The next event can't go into the current sub-buffer, whatever its size.
    private var mustTurn: Bool {
        if case .none = missedNext { return pages.last?.raw != nil }
        return true
    }

    /// Begins a new sub-buffer.
    package func page(at time: UInt64) {
        pages.append(Page(time: time, missed: missedNext))
        missedNext = .none
        self.time = time
    }

    /// Events are lost here; the next sub-buffer says so, with their number if one is given.
    package func lost(_ count: Int? = nil) { missedNext = count.map { .counted($0) } ?? .uncounted }

    /// A sub-buffer that is these bytes and zeros.
    package func rawPage(_ bytes: [UInt8]) { pages.append(Page(time: 0, raw: bytes)) }

    /// Makes the current sub-buffer's commit word claim something else: flags and size.
    package func overrideCommit(_ word: UInt32) { pages[pages.count - 1].commit = word }

    private func append(_ bytes: [UInt8]) {
        precondition(bytes.count <= room, "a sub-buffer that overflows")
        pages[pages.count - 1].data += bytes
    }

    private func head(type: UInt32, delta: UInt64) -> UInt32 { type | UInt32(truncatingIfNeeded: delta) << 5 }

    /// A record that is these bytes, a multiple of four.
    package func record(_ bytes: [UInt8], delta: UInt64, large: Bool = false) {
        var event: [UInt8] = []
        if large || bytes.count > 112 || bytes.isEmpty {
            event.put(head(type: 0, delta: delta))
            event.put(UInt32(bytes.count + 4))
        } else {
            event.put(head(type: UInt32((bytes.count + 3) / 4), delta: delta))
        }
        event += bytes
        event.pad(to: 4)
        append(event)
        time &+= delta
    }

    /// A time extend: the upper bits of a delta (RINGBUF_TYPE_TIME_EXTEND).
    package func timeExtend(by delta: UInt64) {
        var event: [UInt8] = []
        event.put(head(type: 30, delta: delta & 0x7ff_ffff))
        event.put(UInt32(truncatingIfNeeded: delta >> 27))
        append(event)
        time &+= delta
    }

    /// An absolute time stamp of 59 bits (RINGBUF_TYPE_TIME_STAMP).
    package func timeStamp(_ time: UInt64) {
        var event: [UInt8] = []
        event.put(head(type: 31, delta: time & 0x7ff_ffff))
        event.put(UInt32(truncatingIfNeeded: time >> 27))
        append(event)
        self.time = time
    }

    /// A discarded event of `bytes` bytes, its head included (RINGBUF_TYPE_PADDING). Its delta counts, as for any
    /// event.
    package func discarded(bytes: Int, delta: UInt64) {
        precondition(bytes >= 8 && bytes % 4 == 0 && delta > 0)
        var event: [UInt8] = []
        event.put(head(type: 29, delta: delta))
        event.put(UInt32(bytes - 4))
        event += [UInt8](repeating: 0xee, count: bytes - 8)
        append(event)
        time &+= delta
    }

    /// Padding of delta 0: nothing follows in this sub-buffer. The commit word counts the rest of it.
    package func pagePadding() {
        var rest = [UInt8](repeating: 0xee, count: room / 4 * 4)
        if rest.count >= 4 { rest.set(head(type: 29, delta: 0), at: 0) }
        append(rest)
    }

    /// Bytes as they are.
    package func raw(_ bytes: [UInt8]) { append(bytes) }

    /// Number of sub-buffers so far.
    package var pageCount: Int { pages.count }

    var encodedPages: [[UInt8]] { pages.map(encode) }

    private func encode(_ page: Page) -> [UInt8] {
        var bytes: [UInt8] = []
        if let raw = page.raw {
            bytes = raw
        } else {
            bytes.put(page.time)
            var commit = UInt32(page.data.count)
            var stored: Int?
            switch page.missed {
            case .none: break
            case .uncounted: commit |= 1 << 31
            case .counted(let count):
                commit |= 3 << 30
                stored = count
            }
            commit = page.commit ?? commit
            if longSize == 8 { bytes.put(UInt64(commit)) } else { bytes.put(commit) }
            bytes += page.data
            if let stored {
                if longSize == 8 {
                    bytes.put(UInt64(bitPattern: Int64(stored)))
                } else {
                    bytes.put(UInt32(truncatingIfNeeded: stored))
                }
            }
        }
        precondition(bytes.count <= pageSize, "a sub-buffer that overflows")
        return bytes + [UInt8](repeating: 0, count: pageSize - bytes.count)
    }
}
