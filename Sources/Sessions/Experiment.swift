// experiment.json: arms that are recorded in turn, in which order, and what has become of each so far.

import Statistics

/// An experiment, schema 1: in each round every arm is recorded once, in an order of its own.
package struct Experiment: Codable, Sendable, Equatable {
    package static let schema = 1
    package static let fileName = "experiment.json"

    package var schema = Experiment.schema
    /// What wrote it: "virtlat 0.1.0".
    package var recorder: String
    /// When it was begun, UTC, ISO 8601.
    package var started: String
    package var design: Design
    /// In the order in which they are recorded.
    package var runs: [Run]

    /// What was asked for. It is the same however often the experiment is taken up again.
    package struct Design: Codable, Sendable, Equatable {
        package var arms: [Arm]
        package var rounds: Int
        /// Of the order in each round.
        package var seed: UInt64
        /// Of each recording, in ns; absent when the workload's end counts.
        package var duration: Int64?
        /// Between binding and recording, in ns.
        package var settle: Int64
        /// Run by a shell while each recording goes on.
        package var workload: String?
        /// Guests and their agents' addresses.
        package var vms: [String]

        package static let possibleRounds = 1...10_000

        package init(
            arms: [Arm], rounds: Int, seed: UInt64, duration: Int64?, settle: Int64, workload: String?, vms: [String]
        ) {
            self.arms = arms
            self.rounds = rounds
            self.seed = seed
            self.duration = duration
            self.settle = settle
            self.workload = workload
            self.vms = vms
        }

        enum CodingKeys: String, CodingKey {
            case arms, rounds, seed
            case duration = "duration_ns"
            case settle = "settle_ns"
            case workload, vms
        }
    }

    package struct Arm: Codable, Sendable, Equatable {
        /// Also the beginning of its folders' names.
        package var name: String
        package var binding: Manifest.Binding

        package init(name: String, binding: Manifest.Binding) {
            self.name = name
            self.binding = binding
        }
    }

    package struct Run: Codable, Sendable, Equatable {
        /// From 1 on.
        package var round: Int
        package var arm: String
        package var outcome: Outcome
        /// Recordings that were begun and are no use, whose folders are kept beside it.
        package var broken: Int
        /// Why the last of them is no use.
        package var fault: String?

        package enum Outcome: String, Codable, Sendable { case missing, complete }

        /// Of its session, in the experiment's.
        package var folder: String { "\(arm)-\(round)" }
    }

    /// - Parameter design: with a possible number of rounds.
    package init(_ design: Design, recorder: String, started: String) {
        self.recorder = recorder
        self.started = started
        self.design = design
        var chance = SplitMix64(seed: design.seed)
        runs = (1...design.rounds).flatMap { round in
            chance.shuffled(design.arms).map {
                Run(round: round, arm: $0.name, outcome: .missing, broken: 0, fault: nil)
            }
        }
    }

    /// Folders of an arm's sessions that are complete, by round.
    package func sessions(of arm: String) -> [String] {
        runs.filter { $0.arm == arm && $0.outcome == .complete }.sorted { $0.round < $1.round }.map(\.folder)
    }
}

extension SplitMix64 {
    /// Fisher and Yates'. The remainder favours no element by more than one in 2^60.
    fileprivate mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var elements = elements
        for last in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(last, Int(next() % UInt64(last + 1)))
        }
        return elements
    }
}
