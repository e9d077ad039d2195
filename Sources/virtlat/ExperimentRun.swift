// The rounds of an experiment, one recording after the other, with an account of each on disk before the next begins.

import Affinity
import LinuxSystem
import Recording
import Sessions

enum ExperimentFault: Error {
    /// The folder has an experiment of another kind.
    case otherDesign(folder: String)
    /// Somebody goes on with it right now.
    case busy(folder: String)
    /// Nothing came of it three times.
    case broken(arm: String, round: Int, reason: String)
    /// Its threads can't be bound so on this machine.
    case impossible(arm: String, BindingFault)
    case interrupted(done: Int, all: Int)
}

struct ExperimentRun {
    private static let mostAttempts = 3

    private var experiment: Experiment
    private let folder: String
    private let stop: StopRequest
    /// Records a run into a folder; says why that is no use, or throws when nothing was recorded.
    private let record: (Experiment.Run, String) async throws -> String?
    private var line: ExperimentLine

    init(
        _ experiment: Experiment, folder: String, stop: StopRequest,
        record: @escaping (Experiment.Run, String) async throws -> String?
    ) {
        self.experiment = experiment
        self.folder = folder
        self.stop = stop
        self.record = record
        line = ExperimentLine(experiment)
    }

    /// Keeps others from going on with the same experiment, as long as it is referred to.
    static func lock(_ folder: String) throws -> FileLock {
        do throws(SystemError) {
            return try FileLock(folder: folder)
        } catch {
            throw error.call == "flock"
                ? ExperimentFault.busy(folder: folder) : RecordingFault.folder(path: folder, error.text)
        }
    }

    /// Does what is missing.
    /// - Returns: the experiment with nothing missing.
    consuming func run() async throws -> Experiment {
        for index in experiment.runs.indices where experiment.runs[index].outcome == .missing {
            try await attempt(index)
        }
        line.end()
        return experiment
    }

    private mutating func attempt(_ index: Int) async throws {
        for attempt in 1...Self.mostAttempts {
            try keepBroken(index)
            guard !stop.isMade else { throw interruption }
            line.begin(experiment, experiment.runs[index])
            let run = experiment.runs[index]
            var fault: String?
            do {
                fault = try await record(run, folder + "/" + run.folder)
            } catch  where stop.isMade {
                throw interruption
            } catch let fault as BindingFault {
                throw ExperimentFault.impossible(arm: run.arm, fault)
            } catch let reason as RecordingFault {
                // An agent that was not there for a moment.
                fault = reason.text
            } catch let reason as GuestFault {
                fault = reason.text
            }
            // One that was cut short is not like the others.
            guard !stop.isMade else { throw interruption }
            experiment.runs[index].fault = fault
            if fault == nil { experiment.runs[index].outcome = .complete }
            try experiment.write(folder: folder)
            guard let fault else { return line.done(experiment.runs[index]) }
            line.broken(run, fault)
            guard attempt < Self.mostAttempts else {
                throw ExperimentFault.broken(arm: run.arm, round: run.round, reason: fault)
            }
            await stop.wait(atMost: 1_000_000_000)
        }
    }

    /// What somebody who was killed has left, or the attempt before, makes room.
    private mutating func keepBroken(_ index: Int) throws {
        let path = folder + "/" + experiment.runs[index].folder
        guard Folder.hasFile(path) else { return }
        repeat {
            experiment.runs[index].broken += 1
        } while Folder.hasFile("\(path).broken-\(experiment.runs[index].broken)")
        try Folder.rename(path, to: "\(path).broken-\(experiment.runs[index].broken)")
        try experiment.write(folder: folder)
    }

    private var interruption: ExperimentFault {
        .interrupted(done: experiment.runs.count { $0.outcome == .complete }, all: experiment.runs.count)
    }
}

/// How an experiment goes, for a person: a line for each recording, which on a terminal makes room for the next.
struct ExperimentLine {
    private let isTerminal = Terminal.errorIsTerminal
    private var begun: (time: Int64, missing: Int)

    init(_ experiment: Experiment) {
        begun = (monotonicNanoseconds(), experiment.runs.count { $0.outcome == .missing })
    }

    func begin(_ experiment: Experiment, _ run: Experiment.Run) {
        guard isTerminal else { return }
        let missing = experiment.runs.count { $0.outcome == .missing }
        let number = experiment.runs.count - missing + 1
        var text =
            "round \(run.round) of \(experiment.design.rounds)   \(run.arm)   recording \(number) of \(experiment.runs.count)"
        if begun.missing > missing {
            let each = (monotonicNanoseconds() - begun.time) / Int64(begun.missing - missing)
            let seconds = each * Int64(missing) / 1_000_000_000
            text += "   about \(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60) left"
        }
        Terminal.showStatus(text)
    }

    /// In the line's place; the next recording begins a new one.
    static func note(_ text: String) {
        Terminal.clearStatus()
        Failure.warn(text)
    }

    func done(_ run: Experiment.Run) {
        if !isTerminal { Terminal.printError("virtlat: recorded \(run.folder)\n") }
    }

    func broken(_ run: Experiment.Run, _ reason: String) {
        Self.note("\(run.folder) is no use: \(reason)")
    }

    func end() {
        Terminal.clearStatus()
    }
}

extension ExperimentFault {
    var text: String {
        switch self {
        case .otherDesign(let folder):
            "\(folder): has another experiment (experiment.json there says which): give the same arms, rounds, times, workload and guests to go on with "
                + "it, or another folder"
        case .busy(let folder): "\(folder): another virtlat goes on with this experiment"
        case .broken(let arm, let round, let reason):
            "nothing came of round \(round) of \(arm), three times over: \(reason). Remove the cause; the same command then goes on there"
        case .impossible(let arm, let fault): "\(arm): \(fault.text)"
        case .interrupted(let done, let all):
            "interrupted with \(done) of \(all) recordings done, and everything restored; the same command goes on with the rest"
        }
    }
}

extension Experiment.Fault {
    var text: String {
        switch self {
        case .unreadable(let path, let error): "\(path): \(error.textOfInput)"
        case .unwritable(let path, let error): "\(path): \(error.textOfOutput)"
        case .malformed(let path): "\(path): is no experiment's account, or another virtlat's; give another folder"
        }
    }
}
