// The marks of chosen stretches of a pass: what else happened while the packets of interest were on their way.

package import ClockSync

/// Keeps all marks within some windows of time, and no others.
package final class MarkWindows: MarkReader {
    /// In time order; windows that overlap are one.
    package let windows: [ClosedRange<Nanoseconds>]
    /// In time order.
    package private(set) var marks: [Mark] = []
    /// More marks lay in the windows than are kept: what is there ends before the last window does.
    package private(set) var isCut = false
    private let most: Int
    private var next = 0

    /// - Parameter most: marks that are kept at the most; 40 bytes each.
    package init(_ windows: some Sequence<ClosedRange<Nanoseconds>>, keeping most: Int = 1 << 20) {
        self.most = most
        self.windows = windows.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { merged, window in
            if let last = merged.last, window.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, window.upperBound)
            } else {
                merged.append(window)
            }
        }
    }

    package func take(_ batch: Span<Mark>) {
        for index in batch.indices {
            let time = batch[index].time
            while next < windows.count, windows[next].upperBound < time { next += 1 }
            guard next < windows.count else { return }
            guard time >= windows[next].lowerBound else { continue }
            if marks.count < most { marks.append(batch[index]) } else { isCut = true }
        }
    }

    /// The marks of one stretch, which lies in a window.
    package func marks(in stretch: ClosedRange<Nanoseconds>) -> ArraySlice<Mark> {
        let first = marks.partitioningIndex { $0.time >= stretch.lowerBound }
        let end = marks[first...].partitioningIndex { $0.time > stretch.upperBound }
        return marks[first..<end]
    }
}

extension RandomAccessCollection {
    /// The first index from which on `belongs` holds, in elements that are sorted by it.
    fileprivate func partitioningIndex(where belongs: (Element) -> Bool) -> Index {
        var (start, count) = (startIndex, count)
        while count > 0 {
            let half = count / 2
            let middle = index(start, offsetBy: half)
            if belongs(self[middle]) {
                count = half
            } else {
                start = index(after: middle)
                count -= half + 1
            }
        }
        return start
    }
}
