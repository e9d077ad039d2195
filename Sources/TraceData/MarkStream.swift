// All CPUs of all machines as one stream of marks in time order: scanned in parallel, merged by one thread.

package import ClockSync
package import LinuxSystem

/// One CPU of one machine, whose events may lie in the ring buffers of several ftrace instances.
package struct Lane: Sendable {
    /// Index of the machine, as the caller numbers them.
    package var machine: Int
    package var cpu: Int

    package init(machine: Int, cpu: Int) {
        self.machine = machine
        self.cpu = cpu
    }
}

/// One machine's share of a stream.
package struct StreamSource: Sendable {
    package var file: TraceFile
    package var selection: Selection
    /// Clock map by CPU; the last one holds for all further CPUs.
    package var maps: [ClockMap]

    package init(file: TraceFile, selection: Selection, maps: [ClockMap]) {
        precondition(!maps.isEmpty, "a machine without a clock map")
        self.file = file
        self.selection = selection
        self.maps = maps
    }
}

/// Merges the marks of all CPUs. Each CPU is scanned ahead of the reader by worker threads, two blocks at the most,
/// so memory does not grow with the trace.
///
/// Where a file has several buffers, each CPU's are scanned one by one and merged with all others; the marks of one CPU
/// have one lane, and `LaneJoin` sees to it that they are as one buffer's would be.
package final class MarkStream {
    package let lanes: [Lane]
    package let names = NameTable()
    /// Events asked for that a machine's file has no usable format of, by machine.
    package let missing: [[String]]
    /// Events asked for whose format is not of a kernel's shape, by machine: none of them is read.
    package let refused: [[String]]

    /// One for each CPU of each buffer.
    private let feeds: [LaneFeed]
    private let laneOfFeed: [Int]
    /// By lane, for those of several buffers; empty where there are none of these.
    private var joins: [LaneJoin?] = []
    /// By feed: its number among those of its lane; empty where each lane has one.
    private var bufferOfFeed: [Int] = []
    private let monitor = Monitor()
    private let pool: ScannerPool
    private var heap: [HeapEntry] = []
    private var isPrimed = false

    /// - Throws: `SystemError` when the system gives no threads.
    package init(_ sources: [StreamSource], workers: Int = onlineProcessors()) throws(SystemError) {
        var lanes: [Lane] = []
        var feeds: [LaneFeed] = []
        var laneOfFeed: [Int] = []
        var missing: [[String]] = []
        var refused: [[String]] = []
        let cpuCount = sources.reduce(0) { $0 + $1.file.buffers.reduce(0) { $0 + $1.cpus.count } }
        // 16 MiB of blocks for a machine of many CPUs, 640 KiB each for one of few.
        let blockSize = max(512, min(16384, (16 << 20) / MemoryLayout<Mark>.stride / 2 / max(1, cpuCount)))
        for (machine, source) in sources.enumerated() {
            let program = ExtractionProgram(source.selection, source.file)
            missing.append(program.missing)
            refused.append(program.formats.refused)
            var laneOfCPU: [Int: Int] = [:]
            for buffer in source.file.buffers {
                for data in buffer.cpus where !data.range.isEmpty && feeds.count < Int(UInt16.max) {
                    let lane = laneOfCPU[data.cpu] ?? lanes.count
                    let map = source.maps[min(data.cpu, source.maps.count - 1)]
                    let scanner = MarkScanner(
                        file: source.file, buffer: buffer, data: data, program: program, map: map,
                        lane: UInt16(lane), names: names)
                    feeds.append(LaneFeed(scanner, blockSize: blockSize))
                    laneOfFeed.append(lane)
                    guard lane == lanes.count else { continue }
                    laneOfCPU[data.cpu] = lane
                    lanes.append(Lane(machine: machine, cpu: data.cpu))
                }
            }
        }
        self.lanes = lanes
        self.feeds = feeds
        self.laneOfFeed = laneOfFeed
        self.missing = missing
        self.refused = refused
        pool = try ScannerPool(feeds: feeds, monitor: monitor, workers: max(1, min(workers, feeds.count)))
    }

    deinit { pool.stop() }

    /// What was found on each lane so far; complete once `next` has returned 0.
    package var counts: [LaneCounts] {
        let found = monitor.locked { feeds.map(\.counts) }
        guard feeds.count > lanes.count else { return found }
        var counts = [LaneCounts](repeating: LaneCounts(), count: lanes.count)
        for (feed, lane) in laneOfFeed.enumerated() { counts[lane].add(found[feed]) }
        return counts
    }

    /// A feed in the merge: the marks at hand, and the time of the next one.
    @safe private struct HeapEntry {
        var time: Nanoseconds
        var feed: Int
        var next: UnsafePointer<Mark>
        var end: UnsafePointer<Mark>

        init(feed: Int, block: UnsafeBufferPointer<Mark>) {
            self.feed = feed
            unsafe next = block.baseAddress!
            unsafe end = next + block.count
            unsafe time = next.pointee.time
        }

        @inline(__always)
        static func < (left: HeapEntry, right: HeapEntry) -> Bool {
            left.time < right.time || (left.time == right.time && left.feed < right.feed)
        }
    }

    /// The next marks in time order; equal times go by lane, and for one lane by buffer.
    /// - Returns: how many were written to `out`, 0 at the end.
    package func next(into out: UnsafeMutableBufferPointer<Mark>) -> Int {
        prime()
        // Taken out while it is worked on: a class's property is checked for exclusive access at every touch, and an
        // array's elements are checked for their bounds.
        var entries: [HeapEntry] = []
        swap(&entries, &heap)
        defer { swap(&entries, &heap) }
        var open = entries.count
        let count = unsafe entries.withUnsafeMutableBufferPointer {
            unsafe merge(into: out, from: $0.baseAddress!, &open)
        }
        entries.removeLast(entries.count - open)
        return count
    }

    /// - Parameters:
    ///   - heap: the feeds, the one with the earliest mark first.
    ///   - open: how many of them have not ended.
    private func merge(
        into out: UnsafeMutableBufferPointer<Mark>, from heap: UnsafeMutablePointer<HeapEntry>, _ open: inout Int
    ) -> Int {
        let isJoined = feeds.count > lanes.count
        var count = 0
        while count < out.count, open > 0 {
            let top = unsafe heap[0]
            // Everything up to the runner-up's time comes from the same feed.
            var limit = Nanoseconds.max
            if open > 1 {
                let rival = unsafe open > 2 && heap[2] < heap[1] ? 2 : 1
                limit = unsafe heap[rival].feed < top.feed ? heap[rival].time &- 1 : heap[rival].time
            }
            let room = min(out.count - count, unsafe top.end - top.next)
            let start = unsafe top.next
            var taken = 1
            while taken < room, unsafe start[taken].time <= limit { taken += 1 }
            unsafe (out.baseAddress! + count).update(from: start, count: taken)
            count += isJoined ? unsafe settle(out.baseAddress! + count, taken, top.feed) : taken
            if unsafe start + taken < top.end {
                unsafe heap[0].next = start + taken
                unsafe heap[0].time = start[taken].time
            } else if let block = unsafe feeds[top.feed].advance(monitor) {
                unsafe heap[0] = HeapEntry(feed: top.feed, block: block)
            } else {
                open -= 1
                unsafe heap[0] = heap[open]
            }
            unsafe Self.sift(heap, open, 0)
        }
        return count
    }

    /// What is left of the marks of one feed where its lane has several; `joins` is of no use elsewhere.
    private func settle(_ marks: UnsafeMutablePointer<Mark>, _ count: Int, _ feed: Int) -> Int {
        let marks = unsafe UnsafeMutableBufferPointer(start: marks, count: count)
        return unsafe joins[laneOfFeed[feed]]?.settle(marks, ofBuffer: bufferOfFeed[feed]) ?? count
    }

    /// Waits for the first marks of every feed.
    private func prime() {
        guard !isPrimed else { return }
        isPrimed = true
        for feed in feeds.indices {
            if let block = unsafe feeds[feed].advance(monitor) {
                heap.append(unsafe HeapEntry(feed: feed, block: block))
            }
        }
        if feeds.count > lanes.count { join() }
        unsafe heap.withUnsafeMutableBufferPointer { entries in
            guard let base = entries.baseAddress else { return }
            for index in entries.indices.reversed() { unsafe Self.sift(base, entries.count, index) }
        }
    }

    /// Prepares the lanes of several feeds.
    private func join() {
        var feedsOfLane = [[Int]](repeating: [], count: lanes.count)
        for (feed, lane) in laneOfFeed.enumerated() {
            bufferOfFeed.append(feedsOfLane[lane].count)
            feedsOfLane[lane].append(feed)
        }
        joins = feedsOfLane.map { $0.count > 1 ? LaneJoin() : nil }
        var begins: [Int: Nanoseconds] = [:]
        for entry in heap { begins[laneOfFeed[entry.feed]] = min(begins[laneOfFeed[entry.feed]] ?? .max, entry.time) }
        for index in heap.indices {
            let lane = laneOfFeed[heap[index].feed]
            guard joins[lane] != nil, let begin = begins[lane] else { continue }
            let marks = unsafe UnsafeBufferPointer(start: heap[index].next, count: heap[index].end - heap[index].next)
            unsafe joins[lane]?.add(marks)
            // What a buffer lost before its first event, it may have lost since the first event of another one.
            guard unsafe marks[0].kind == Mark.Reserved.lostBegin else { continue }
            unsafe UnsafeMutablePointer(mutating: heap[index].next).pointee.time = begin
            heap[index].time = begin
        }
    }

    /// Host time of a machine's first event, nil when it has none. To be asked before the first `next`.
    package func firstTime(of machine: Int) -> Nanoseconds? {
        prime()
        return heap.filter { lanes[laneOfFeed[$0.feed]].machine == machine }.map(\.time).min()
    }

    /// Lets an entry sink to its place among the first `count` ones.
    @inline(__always)
    private static func sift(_ heap: UnsafeMutablePointer<HeapEntry>, _ count: Int, _ start: Int) {
        var index = start
        var child = 2 * index + 1
        guard child < count else { return }
        let entry = unsafe heap[start]
        while child < count {
            if unsafe child + 1 < count && heap[child + 1] < heap[child] { child += 1 }
            guard unsafe heap[child] < entry else { break }
            unsafe heap[index] = heap[child]
            index = child
            child = 2 * index + 1
        }
        unsafe heap[index] = entry
    }
}
