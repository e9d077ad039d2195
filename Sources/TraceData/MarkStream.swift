// All CPUs of all machines as one stream of marks in time order: scanned in parallel, merged by one reader.

package import ClockSync
package import LinuxSystem

/// One CPU of one machine.
package struct Lane: Sendable {
    /// Index of the machine, as the caller numbers them.
    package var machine: Int
    package var cpu: Int
    /// Name of the ftrace instance.
    package var instance: String

    package init(machine: Int, cpu: Int, instance: String = "") {
        self.machine = machine
        self.cpu = cpu
        self.instance = instance
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
package final class MarkStream {
    package let lanes: [Lane]
    package let names = NameTable()
    /// Events asked for that a machine's file has no usable format of, by machine.
    package let missing: [[String]]

    private let feeds: [LaneFeed]
    private let monitor = Monitor()
    private let pool: ScannerPool
    private var heap: [HeapEntry] = []
    private var isPrimed = false

    /// - Throws: `SystemError` when the system gives no threads.
    package init(_ sources: [StreamSource], workers: Int = onlineProcessors()) throws(SystemError) {
        var lanes: [Lane] = []
        var feeds: [LaneFeed] = []
        var missing: [[String]] = []
        let cpuCount = sources.reduce(0) { $0 + $1.file.buffers.reduce(0) { $0 + $1.cpus.count } }
        // 16 MiB of blocks for a machine of many CPUs, 256 KiB each for one of few.
        let blockSize = max(512, min(8192, (16 << 20) / MemoryLayout<Mark>.stride / 2 / max(1, cpuCount)))
        for (machine, source) in sources.enumerated() {
            let program = ExtractionProgram(source.selection, source.file)
            missing.append(program.missing)
            for buffer in source.file.buffers {
                for data in buffer.cpus where !data.range.isEmpty && lanes.count < Int(UInt16.max) {
                    let map = source.maps[min(data.cpu, source.maps.count - 1)]
                    let scanner = MarkScanner(
                        file: source.file, buffer: buffer, data: data, program: program, map: map,
                        lane: UInt16(lanes.count), names: names)
                    feeds.append(LaneFeed(scanner, blockSize: blockSize))
                    lanes.append(Lane(machine: machine, cpu: data.cpu, instance: buffer.name))
                }
            }
        }
        self.lanes = lanes
        self.feeds = feeds
        self.missing = missing
        pool = try ScannerPool(feeds: feeds, monitor: monitor, workers: max(1, min(workers, feeds.count)))
    }

    deinit { pool.stop() }

    /// What was found on each lane so far; complete once `next` has returned 0.
    package var counts: [LaneCounts] { monitor.locked { feeds.map(\.counts) } }

    /// A lane in the merge: the marks at hand, and the time of the next one.
    @safe private struct HeapEntry {
        var time: Nanoseconds
        var lane: Int
        var next: UnsafePointer<Mark>
        var end: UnsafePointer<Mark>

        init(lane: Int, block: UnsafeBufferPointer<Mark>) {
            self.lane = lane
            unsafe next = block.baseAddress!
            unsafe end = next + block.count
            unsafe time = next.pointee.time
        }

        @inline(__always)
        static func < (left: HeapEntry, right: HeapEntry) -> Bool {
            left.time < right.time || (left.time == right.time && left.lane < right.lane)
        }
    }

    /// The next marks in time order; equal times go by lane.
    /// - Returns: how many were written to `out`, 0 at the end.
    package func next(into out: UnsafeMutableBufferPointer<Mark>) -> Int {
        prime()
        // Taken out while it is worked on: a class's property is checked for exclusive access at every touch.
        var heap: [HeapEntry] = []
        swap(&heap, &self.heap)
        defer { swap(&heap, &self.heap) }
        var count = 0
        while count < out.count, let top = heap.first {
            // Everything up to the runner-up's time comes from the same lane.
            var limit = Nanoseconds.max
            if heap.count > 1 {
                var rival = heap[1]
                if heap.count > 2, heap[2] < rival { rival = heap[2] }
                limit = rival.lane < top.lane ? rival.time &- 1 : rival.time
            }
            let room = min(out.count - count, unsafe top.end - top.next)
            let start = unsafe top.next
            var taken = 1
            while taken < room, unsafe start[taken].time <= limit { taken += 1 }
            unsafe (out.baseAddress! + count).update(from: start, count: taken)
            count += taken
            if unsafe start + taken < top.end {
                unsafe heap[0].next = start + taken
                heap[0].time = unsafe start[taken].time
            } else if let block = unsafe feeds[top.lane].advance(monitor) {
                heap[0] = unsafe HeapEntry(lane: top.lane, block: block)
            } else {
                let last = heap.removeLast()
                if heap.isEmpty { break }
                heap[0] = last
            }
            Self.sift(&heap, 0)
        }
        return count
    }

    /// Waits for the first marks of every lane.
    private func prime() {
        guard !isPrimed else { return }
        isPrimed = true
        for lane in feeds.indices {
            if let block = unsafe feeds[lane].advance(monitor) { heap.append(unsafe HeapEntry(lane: lane, block: block)) }
        }
        for index in heap.indices.reversed() { Self.sift(&heap, index) }
    }

    /// Host time of a machine's first event, nil when it has none. To be asked before the first `next`.
    package func firstTime(of machine: Int) -> Nanoseconds? {
        prime()
        return heap.filter { lanes[$0.lane].machine == machine }.map(\.time).min()
    }

    private static func sift(_ heap: inout [HeapEntry], _ start: Int) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[index] else { return }
            heap.swapAt(index, child)
            index = child
        }
    }
}
