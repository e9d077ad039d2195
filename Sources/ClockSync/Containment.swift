// Bounds from the trace itself: what a guest's CPU does, it does between its thread's entry into the guest and the
// host's next event there.

/// Stretches of raw host time in which a vCPU's thread may have been in the guest, and outside of which it was not.
package struct EntryWindows: Sendable {
    /// The thread, on the host.
    package var thread: Int32
    /// The vCPU's number, where the events tell.
    package var vcpu: Int?
    /// First and last raw time of each, sorted, without overlaps.
    package private(set) var begins: [RawTime] = []
    package private(set) var ends: [RawTime] = []

    package init(thread: Int32, vcpu: Int? = nil) {
        self.thread = thread
        self.vcpu = vcpu
    }

    package var count: Int { begins.count }

    /// Adds a window that does not begin before the last one did.
    package mutating func add(_ begin: RawTime, _ end: RawTime) {
        guard begin <= end else { return }
        if let last = ends.last, begin <= last {
            ends[ends.count - 1] = max(last, end)
        } else {
            begins.append(begin)
            ends.append(end)
        }
    }

    /// The windows that touch low...high.
    func touching(_ low: RawTime, _ high: RawTime) -> Range<Int> {
        let first = ends.partitioningIndex { $0 >= low }
        let last = begins.partitioningIndex { $0 > high }
        return first..<max(first, last)
    }

    /// How far apart they usually begin; 0 where there are too few.
    var medianDistance: Int64 {
        let distances = zip(begins, begins.dropFirst()).map { Int64(clamping: $1 - $0) }.sorted()
        return distances.isEmpty ? 0 : distances[distances.count / 2]
    }

    package func contains(_ time: RawTime) -> Bool { !touching(time, time).isEmpty }
}

/// Events of one guest CPU: raw guest times, sorted.
package struct GuestActivity: Sendable {
    package var cpu: Int
    package var times: [RawTime]

    package init(cpu: Int, times: [RawTime]) {
        self.cpu = cpu
        self.times = times
    }
}

/// How well a clock map agrees with the windows.
package struct ContainmentCount: Sendable, Equatable {
    package var inside = 0
    package var outside = 0

    package init(inside: Int = 0, outside: Int = 0) {
        self.inside = inside
        self.outside = outside
    }

    package static func + (left: Self, right: Self) -> Self {
        Self(inside: left.inside + right.inside, outside: left.outside + right.outside)
    }

    package var total: Int { inside + outside }
    /// 0 where there is nothing to count.
    package var share: Double { total == 0 ? 0 : Double(inside) / Double(total) }
}

/// A guest's events beside the windows of the host's vCPU threads.
package struct ContainmentEvidence: Sendable {
    /// First and last event of the host: beyond them nothing is known.
    package var host: ClosedRange<RawTime>
    package var windows: [EntryWindows]
    package var activity: [GuestActivity]

    package init(host: ClosedRange<RawTime>, windows: [EntryWindows], activity: [GuestActivity]) {
        self.host = host
        self.windows = windows
        self.activity = activity
    }

    /// How many of a guest CPU's events lie in a thread's windows, if `offset` leads from guest to host.
    package func count(_ activity: GuestActivity, _ windows: EntryWindows, offset: (RawTime) -> Int64)
        -> ContainmentCount
    {
        var count = ContainmentCount()
        for time in activity.times {
            let place = time &+ RawTime(bitPattern: offset(time))
            guard host.contains(place) else { continue }
            if windows.contains(place) { count.inside += 1 } else { count.outside += 1 }
        }
        return count
    }

    /// Which thread runs which guest CPU, as the events have it: for each CPU the windows (by index) that hold its
    /// events best.
    package func assignment(offset: (RawTime) -> Int64) -> [Int: Int] {
        var scores: [(share: Double, cpu: Int, windows: Int)] = []
        for cpu in activity.indices {
            for index in windows.indices {
                let count = count(activity[cpu], windows[index], offset: offset)
                if count.inside > 0 { scores.append((count.share, cpu, index)) }
            }
        }
        // The best pair first; a thread runs one CPU.
        var assigned: [Int: Int] = [:]
        var taken: Set<Int> = []
        for score in scores.sorted(by: { $0.share > $1.share })
        where assigned[score.cpu] == nil && !taken.contains(score.windows) {
            assigned[score.cpu] = score.windows
            taken.insert(score.windows)
        }
        return assigned
    }

    /// Bounds on the offset that follow if it lies in `range` at each time: that of the first and last window an event
    /// can lie in.
    /// - Parameter range: what is known of the offset at a raw guest time.
    /// - Returns: the bounds in time order; an event that can lie in no window gives none.
    func bounds(
        _ assignment: [Int: Int], during times: ClosedRange<RawTime>, range: (RawTime) -> ClosedRange<Int64>
    ) -> [OffsetBound] {
        var bounds: [OffsetBound] = []
        for (cpu, index) in assignment {
            let windows = windows[index]
            let all = activity[cpu].times
            let first = all.partitioningIndex { $0 >= times.lowerBound }
            for time in all[first...] {
                guard time <= times.upperBound else { break }
                let possible = range(time)
                let low = time &+ RawTime(bitPattern: possible.lowerBound)
                let high = time &+ RawTime(bitPattern: possible.upperBound)
                // Nothing is known outside the host's recording.
                guard host.contains(low), host.contains(high) else { continue }
                let touching = windows.touching(low, high)
                guard let firstWindow = touching.first, let lastWindow = touching.last else { continue }
                let begin = windows.begins[firstWindow]
                let end = windows.ends[lastWindow]
                bounds.append(
                    OffsetBound(
                        time: time, low: begin > low ? Int64(bitPattern: begin &- time) : nil,
                        high: end < high ? Int64(bitPattern: end &- time) : nil))
            }
        }
        bounds.removeAll { $0.low == nil && $0.high == nil }
        if assignment.count > 1 { bounds.sort { $0.time < $1.time } }
        return bounds
    }
}
