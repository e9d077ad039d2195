// One CPU's sub-buffers, held in memory and moved in time; the layout is that of kernel/trace/ring_buffer.c.

struct RecordedCPU {
    /// The sub-buffers as they lie in the file, apart from those that were left out.
    private(set) var bytes: [UInt8]
    private(set) var events = 0
    /// Times of the first and the last event, in cycles of the CPU's own machine; nil without events.
    private(set) var times: ClosedRange<UInt64>?

    private let pageSize: Int
    /// Places of the absolute time stamps among the events.
    private var stamps: [Int] = []

    /// - Parameter period: sub-buffers that begin at other times are left out.
    init(_ data: Slice<UnsafeRawBufferPointer>, pageSize: Int, longSize: Int, period: (UInt64) -> Bool) throws {
        bytes = []
        self.pageSize = pageSize
        for place in stride(from: data.startIndex, to: data.endIndex, by: pageSize) {
            guard data.endIndex - place >= pageSize else { throw Fault(text: "a sub-buffer that is not whole") }
            let page = bytes.count
            bytes += data[place..<place + pageSize]
            guard period(time(page)) else {
                bytes.removeLast(pageSize)
                continue
            }
            let start = page + 8 + longSize
            // 27 bits of the commit word are the size.
            try walk(start..<start + Int(word(page + 8) & 0x7ff_ffff), from: time(page))
        }
    }

    private func word(_ place: Int) -> UInt32 {
        UInt32(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) })
    }

    private func time(_ place: Int) -> UInt64 { UInt64(word(place)) | UInt64(word(place + 4)) << 32 }

    private mutating func setTime(_ time: UInt64, _ place: Int) {
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: time.littleEndian, toByteOffset: place, as: UInt64.self) }
    }

    /// Counts the events of one sub-buffer and notes their times.
    private mutating func walk(_ range: Range<Int>, from start: UInt64) throws {
        guard range.upperBound <= bytes.count else {
            throw Fault(text: "a sub-buffer that says it is larger than it is")
        }
        var now = start
        var place = range.lowerBound
        while range.upperBound - place >= 8 {
            let head = word(place)
            let delta = UInt64(head >> 5)
            switch head & 31 {
            case 29 where delta == 0: return  // the rest is padding
            case 29:  // a discarded event
                now += delta
                place += 4 + Int(word(place + 4))
            case 30:  // time extend
                now += delta | UInt64(word(place + 4)) << 27
                place += 8
            case 31:  // absolute time stamp
                stamps.append(place)
                now = stamp(place)
                place += 8
            case let type:
                now += delta
                place += 4 + (type == 0 ? (Int(word(place + 4)) + 3) & ~3 : Int(type) * 4)
                events += 1
                times = min(times?.lowerBound ?? now, now)...max(times?.upperBound ?? now, now)
            }
        }
    }

    /// 59 bits: 27 beside the type, 32 in the next word.
    private func stamp(_ place: Int) -> UInt64 { time(place) >> 5 }

    /// Moves all of it forward by `span` cycles.
    mutating func move(by span: UInt64) {
        for page in stride(from: 0, to: bytes.count, by: pageSize) { setTime(time(page) + span, page) }
        for place in stamps { setTime((stamp(place) + span) << 5 | 31, place) }
    }
}
