// The line that ping ends with.

struct RoundTrips: CustomStringConvertible {
    var sent: Int
    var duplicates: Int
    /// Of packets that were answered.
    var nanoseconds: [Int64] = []

    init(sent: Int, duplicates: Int) {
        self.sent = sent
        self.duplicates = duplicates
    }

    var unanswered: Int { sent - nanoseconds.count }

    /// sent 300 answered 298 rtt us min 1801.1 median 3994.9 mean 6055.1 max 30309.5 unanswered 2 duplicates 1
    var description: String {
        var text = "sent \(sent) answered \(nanoseconds.count)"
        if !nanoseconds.isEmpty {
            let sorted = nanoseconds.sorted()
            let median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
            let mean = sorted.reduce(0, +) / Int64(sorted.count)
            text += " rtt us min \(microseconds(sorted.first!)) median \(microseconds(median))"
            text += " mean \(microseconds(mean)) max \(microseconds(sorted.last!))"
        }
        if unanswered > 0 { text += " unanswered \(unanswered)" }
        if duplicates > 0 { text += " duplicates \(duplicates)" }
        return text
    }

    /// ns as µs with one decimal.
    private func microseconds(_ nanoseconds: Int64) -> String {
        let tenths = (nanoseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }
}
