// Arms side by side: which of their flows belong together, and what is different between them.

package import PacketPath
package import Statistics

/// Sessions that were measured under one condition.
package struct ComparedArm: Sendable {
    package let name: String
    package let sessions: [ComparedSession]

    package init(name: String, sessions: [ComparedSession]) {
        self.name = name
        self.sessions = sessions
    }

    /// Complete journeys.
    package var journeys: Int { sessions.reduce(0) { $0 + $1.flows.reduce(0) { $0 + $1.complete } } }
}

/// Everything a comparison says; the formats only arrange it. The first arm is what others are held against.
package struct Comparison: Sendable {
    package let arms: [ComparedArm]
    package let flows: [FlowComparison]

    /// - Parameters:
    ///   - seed: of the intervals' resampling.
    ///   - progress: called now and then with the share of the work done, 0 to 1.
    package init(_ arms: [ComparedArm], seed: UInt64, progress: (Double) -> Void = { _ in }) {
        self.arms = arms
        let matches = FlowMatching(arms).matches
        flows = matches.enumerated().map { index, match in
            FlowComparison(match, seed: seed) { progress((Double(index) + $0) / Double(matches.count)) }
        }
    }
}

/// One quantity of every arm, in the arms' order.
package struct ComparedRow: Sendable {
    package struct ArmValue: Sendable {
        package let summary: Summary
        /// Total of the quantity over the number of the arm's complete journeys, ns: what it adds to the end-to-end
        /// mean.
        package let contribution: Double
        /// Of each session with journeys of this flow, ns.
        package let samples: [[Int64]]
    }

    package let arms: [ArmValue]
    /// One for each further arm.
    package let versusFirst: [SampleComparison]

    /// - Parameters:
    ///   - samples: by arm and session.
    ///   - journeys: of each arm.
    init(_ samples: [[[Int64]]], journeys: [Int], seed: UInt64) {
        arms = zip(samples, journeys).map { sessions, journeys in
            var all = Samples()
            for value in sessions.joined() { all.add(value) }
            return ArmValue(
                summary: all.summary, contribution: journeys == 0 ? 0 : Double(all.total) / Double(journeys),
                samples: sessions)
        }
        guard let first = samples.first.map(Self.numbers) else {
            versusFirst = []
            return
        }
        versusFirst = samples.dropFirst().map { SampleComparison(first, Self.numbers($0), seed: seed) }
    }

    private static func numbers(_ samples: [[Int64]]) -> [[Double]] { samples.map { $0.map { Double($0) } } }

    /// How much more the quantity adds to the end-to-end mean of an arm than of the first, ns.
    package func contributionDifference(_ arm: Int) -> Double { arms[arm].contribution - arms[0].contribution }

    /// The difference of a quantile between an arm and the first.
    package func quantileDifference(_ arm: Int, _ share: Double) -> QuantileDifference? {
        QuantileDifference(Self.numbers(arms[0].samples), Self.numbers(arms[arm].samples), share)
    }
}

/// One guest in one direction, of every arm.
package struct FlowComparison: Sendable {
    /// The guest's name; names joined by "/" where each arm has another one.
    package let machine: String
    package let direction: Direction
    /// The path's name; names joined by "/" where arms took different ones.
    package let path: String
    /// Sent, and no call is known that sent any of its packets: all begin with the driver.
    package let isFromDriver: Bool
    /// By arm: the flows of its sessions.
    package let arms: [[ComparedFlow]]
    package let endToEnd: ComparedRow
    /// In the order of the path; only those that some arm has.
    package let stages: [(stage: Stage, row: ComparedRow)]

    fileprivate init(_ match: FlowMatching.Match, seed: UInt64, progress: (Double) -> Void) {
        func joined(_ name: (ComparedFlow) -> String) -> String {
            var names: [String] = []
            for flow in match.arms.joined() where !names.contains(name(flow)) { names.append(name(flow)) }
            return names.joined(separator: "/")
        }
        machine = joined(\.machine)
        path = joined(\.path.name)
        direction = match.direction
        arms = match.arms
        isFromDriver = match.arms.joined().contains(where: \.isFromDriver)
        let journeys = match.arms.map { $0.reduce(0) { $0 + $1.complete } }
        endToEnd = ComparedRow(match.arms.map { $0.map(\.endToEnd) }, journeys: journeys, seed: seed)
        let all = Self.stages(match.arms)
        stages = all.enumerated().compactMap { index, stage in
            progress(Double(index + 1) / Double(all.count + 1))
            let samples = match.arms.map {
                $0.map { flow in flow.stages.first { $0.stage.name == stage.name }?.samples ?? [] }
            }
            guard samples.joined().contains(where: { !$0.isEmpty }) else { return nil }
            return (stage, ComparedRow(samples, journeys: journeys, seed: seed))
        }
    }

    /// The stages of all paths; those that only a later one has come after what they follow there.
    private static func stages(_ arms: [[ComparedFlow]]) -> [Stage] {
        var all: [Stage] = []
        for flow in arms.joined() {
            var place = 0
            for (stage, _) in flow.stages {
                if let known = all.firstIndex(where: { $0.name == stage.name }) {
                    place = known + 1
                } else {
                    all.insert(stage, at: place)
                    place += 1
                }
            }
        }
        return all
    }

    /// The paths that an arm's packets took.
    package func paths(_ arm: Int) -> String { Set(arms[arm].map(\.path.name)).sorted().joined(separator: "/") }
}
