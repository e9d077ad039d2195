// The host's share in guest stages, and what vCPUs were doing when their interrupts came, added up over journeys.

package import ClockSync
import GuestClocks
package import PacketPath
import TraceData

/// The time a vCPU was not in its guest during one stage, over all journeys for which that is known.
package struct HostShare: Sendable {
    package struct Reason: Sendable {
        package var reason: HostReason
        /// How often.
        package var count: Int
        package var total: Int128
    }

    /// Journeys for which it is known.
    package private(set) var count = 0
    /// All of the stage in those, ns.
    package private(set) var stage: Int128 = 0
    /// Of that outside the guest, ns.
    package private(set) var total: Int128 = 0
    private var reasons: [Reason] = []

    package init() {}

    /// - Parameters:
    ///   - point: where the stage ends.
    ///   - totals: those of `times`.
    package mutating func add(
        _ times: borrowing HostTimes, _ totals: HostTimes.Totals, _ point: Point, of stage: Nanoseconds
    ) {
        // Longer than the stage: measured before it was known on which path the packet came, so from another point on.
        guard let sum = totals[point], sum <= stage else { return }
        count += 1
        self.stage += Int128(stage)
        guard sum > 0 else { return }
        total += Int128(sum)
        times.forEachReason(point) { reason, count, time in
            if let index = reasons.firstIndex(where: { $0.reason == reason }) {
                reasons[index].count += count
                reasons[index].total += Int128(time)
            } else {
                reasons.append(Reason(reason: reason, count: count, total: Int128(time)))
            }
        }
    }

    /// ns, over all journeys for which it is known.
    package var mean: Double { count == 0 ? 0 : Double(total) / Double(count) }
    /// 0 to 1.
    package var shareOfStage: Double { stage == 0 ? 0 : Double(total) / Double(stage) }
    /// Those that took most first.
    package var sortedReasons: [Reason] { reasons.sorted { ($1.total, $0.reason.name) < ($0.total, $1.reason.name) } }
}

/// What vCPUs were doing when interrupts were signalled to them.
package struct VCPUCount: Sendable {
    /// Of those that were kicked.
    package private(set) var inGuest = 0
    package private(set) var inHost: [HostReason: Int] = [:]
    /// Of those that were preempted, by the thread that had the CPU; 0 for those that were woken before and had none
    /// yet.
    package private(set) var preemptedBy: [Int32: Int] = [:]

    package init() {}

    mutating func add(_ delivery: Delivery, _ state: VCPUState) {
        switch (delivery, state.kind) {
        case (.kick, .inGuest): inGuest += 1
        case (.kick, .inHost): inHost[HostReason(code: state.by), default: 0] += 1
        case (.preempted, .preempted): preemptedBy[state.by, default: 0] += 1
        default: break
        }
    }
}

extension SessionFindings {
    /// Threads that had a vCPU's CPU, by name, the most frequent first. Of one that was only waiting for a CPU nobody
    /// is named.
    package func preempters(_ flow: Flow) -> [(name: String, count: Int)] {
        var counts: [String: Int] = [:]
        for (thread, count) in flow.vcpuStates.preemptedBy where thread != 0 {
            counts[machines[0].file.commandLines[thread] ?? "thread \(thread)", default: 0] += count
        }
        return Self.sorted(counts)
    }

    /// Exits that vCPUs were in, by name, the most frequent first.
    package func exits(_ flow: Flow) -> [(name: String, count: Int)] {
        Self.sorted(Dictionary(flow.vcpuStates.inHost.map { ($0.key.name, $0.value) }, uniquingKeysWith: +))
    }

    private static func sorted(_ counts: [String: Int]) -> [(name: String, count: Int)] {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { ($0.key, $0.value) }
    }
}
