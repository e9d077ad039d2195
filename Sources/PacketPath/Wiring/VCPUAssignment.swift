// Which vCPU a guest CPU is, by elimination.

/// How well guest CPUs fit vCPU threads, where nothing in the files says which is which.
struct VCPUAssignment {
    private var outside: [[Int]] = []
    private var asked: [Int] = []

    /// So many guest events decide.
    static let sample = 256

    enum Verdict {
        /// Not enough events yet, or several vCPUs fit.
        case open
        case found(VCPUID)
        /// No vCPU fits; the best one missed so many of the sample.
        case none(missed: Int, of: Int)
    }

    /// Counts one guest event against the vCPUs it can't have happened on: those that were not in the guest.
    mutating func count(lane: LaneID, candidates: [VCPUID], inside: [Bool]) -> Verdict {
        let lane = lane.row
        while outside.count <= lane {
            outside.append([])
            asked.append(0)
        }
        for (candidate, isInside) in zip(candidates, inside) {
            while outside[lane].count <= candidate.row { outside[lane].append(0) }
            if !isInside { outside[lane][candidate.row] += 1 }
        }
        asked[lane] += 1
        guard asked[lane] >= Self.sample else { return .open }
        // One in a hundred may lie outside; a vCPU of another guest misses far more, if not in the first sample then in
        // a later one.
        let missed = candidates.map { outside[lane][$0.row] }
        let fitting = candidates.indices.filter { missed[$0] * 100 <= asked[lane] }
        if fitting.count == 1 { return .found(candidates[fitting[0]]) }
        guard fitting.isEmpty else { return .open }
        let count = asked[lane]
        asked[lane] = 0
        outside[lane] = outside[lane].map { _ in 0 }
        return .none(missed: missed.min() ?? 0, of: count)
    }
}
