// Which CPUs, as the kernel writes it in /proc and /sys.

/// A set of CPUs: "0-3,8".
package struct CPUSet: Hashable, Sendable, CustomStringConvertible {
    /// In rising order.
    package let cpus: [Int]

    /// More than any kernel is built for (CONFIG_NR_CPUS).
    package static let mostCPUs = 8192

    package init(_ cpus: some Sequence<Int>) {
        self.cpus = Set(cpus.filter { (0..<Self.mostCPUs).contains($0) }).sorted()
    }

    /// - Parameter list: as in Cpus_allowed_list of proc(5); nil for what is no such list, and for an empty one.
    package init?(_ list: String) {
        var cpus: Set<Int> = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            let numbers = ends.compactMap { $0.utf8.allSatisfy { (48...57).contains($0) } ? Int($0) : nil }
            guard (1...2).contains(ends.count), numbers.count == ends.count, let first = numbers.first,
                let last = numbers.last,
                first <= last, last < Self.mostCPUs
            else { return nil }
            cpus.formUnion(first...last)
        }
        self.cpus = cpus.sorted()
    }

    package var isEmpty: Bool { cpus.isEmpty }
    package var count: Int { cpus.count }

    /// The only one in it; nil when there are several.
    package var single: Int? { cpus.count == 1 ? cpus[0] : nil }

    package func contains(_ cpu: Int) -> Bool { cpus.contains(cpu) }
    package func isSubset(of other: CPUSet) -> Bool { Set(cpus).isSubset(of: other.cpus) }
    package func subtracting(_ other: CPUSet) -> CPUSet { CPUSet(Set(cpus).subtracting(other.cpus)) }
    package func intersection(_ other: CPUSet) -> CPUSet { CPUSet(Set(cpus).intersection(other.cpus)) }

    /// As the kernel writes it.
    package var description: String {
        var ranges: [ClosedRange<Int>] = []
        for cpu in cpus {
            if let last = ranges.last, last.upperBound == cpu - 1 {
                ranges[ranges.count - 1] = last.lowerBound...cpu
            } else {
                ranges.append(cpu...cpu)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(
            separator: ",")
    }
}
