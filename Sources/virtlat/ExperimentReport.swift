// What is said when all of an experiment's sessions are there.

import LinuxSystem
import Sessions

enum ExperimentReport {
    /// - Parameter folder: the experiment's.
    static func write(_ experiment: Experiment, folder: String) throws {
        // In the order in which they were given; an arm's sessions by round.
        let arms = experiment.design.arms.map { arm in
            (name: arm.name, folders: experiment.sessions(of: arm.name).map { "\(folder)/\($0)" })
        }
        // For whoever wants it again, in another format or with limits.
        let words = arms.map { "--arm \($0.name)=\($0.folders.joined(separator: ","))" }
        Terminal.printError("virtlat compare \(words.joined(separator: " "))\n")
        try ComparisonRun.print(arms: arms)
    }
}
