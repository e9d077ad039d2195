// bench-trace --walk FILE...: how fast the sub-buffers alone are walked, no event asked for, on one thread.

import ClockSync
import LinuxSystem
import TraceData

enum Walk {
    /// Prints the best of `rounds`, in millions of events a second.
    static func run(_ paths: [String], rounds: Int = 5) throws {
        var best = 0.0
        for _ in 0..<rounds {
            let sources = try paths.map { path in
                let file = try TraceFile(path: path)
                return StreamSource(file: file, selection: Selection([]), maps: [.host(file.options.tscToNanoseconds)])
            }
            let start = monotonicNanoseconds()
            let stream = try MarkStream(sources, workers: 1)
            let marks = UnsafeMutableBufferPointer<Mark>.allocate(capacity: 64)
            defer { marks.deallocate() }
            // Only the first and the last mark of each lane come.
            while stream.next(into: marks) > 0 {}
            let seconds = Double(monotonicNanoseconds() - start) / 1e9
            let events = stream.counts.reduce(0) { $0 + $1.events }
            best = max(best, Double(events) / seconds / 1e6)
        }
        print("walk_million_events_per_second=\(Int(best.rounded()))")
    }
}
