// What is said when all of an experiment's sessions are there.

import LinuxSystem
import Sessions

enum ExperimentReport {
    /// Arms in the order in which they were given, each with the folders of its sessions by round.
    static func write(_ experiment: Experiment, folder: String) throws {
        let arms = experiment.design.arms.map { arm in
            "--arm \(arm.name)=\(experiment.sessions(of: arm.name).map { "\(folder)/\($0)" }.joined(separator: ","))"
        }
        var output = OutputStream.standardOutput()
        try output.write("virtlat compare \(arms.joined(separator: " "))\n")
        try output.flush()
    }
}
