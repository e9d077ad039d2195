// virtlat experiment: arms recorded in turn, so that what wanders meanwhile wanders for all of them.

import Affinity
import ArgumentParser
import Glibc
import LinuxSystem
import Recording
import Sessions

struct ExperimentVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Record several bindings in interleaved rounds.",
        usage: """
            virtlat experiment --arm POLICY --arm POLICY ... --vm NAME=ADDRESS ... -o FOLDER [--rounds N] --duration TIME [options]
            virtlat experiment --arm POLICY --arm POLICY ... --vm NAME=ADDRESS ... -o FOLDER [--rounds N] --workload COMMAND [options]
            """,
        discussion: """
            In each round every arm is recorded once, in an order drawn by lot: threads are bound as the arm says, the session \
            FOLDER/ARM-ROUND is recorded, and what was before is restored. What is done stands in FOLDER/experiment.json: the same command \
            with the same folder goes on with what is missing, whatever ended it. A recording that is not whole is made again, three times in all; \
            what was recorded of it stays in FOLDER/ARM-ROUND.broken-N.

            EXAMPLES
              virtlat experiment --arm unbound --arm same-cpu --arm sibling --vcpus current --vm web=vsock:3 --duration 5s -o placement
                  six rounds of three arms of five seconds each, of traffic that goes on by itself

              virtlat experiment --arm unbound --arm cpus=2+fifo:10 --vm web=vsock:3 --rounds 10 -o classes \\
                      --workload 'ssh client sockperf ping-pong -i 10.0.0.3 -t 5'
                  a load of its own for each recording, which ends with it

            EXIT STATUS
              0  all recordings are there; standard output has their comparison
              1  something is missing; the message says what, and the same command goes on with it
              64 wrong usage
            """)

    @Option(
        help: ArgumentHelp(
            "An arm: a policy of virtlat bind, and a scheduling class if wanted (same-cpu, cpus=2-3, sibling+fifo:10).",
            valueName: "policy[+class]"))
    var arm: [ArmOption] = []

    @Option(help: "How many times each arm is recorded.")
    var rounds = 6

    @Option(help: "Record for this long each time (10s, 1.5s, 500ms).")
    var duration: Duration?

    @Option(
        help: ArgumentHelp("A shell's command that runs while each recording does, and ends it.", valueName: "command"))
    var workload: String?

    @Option(help: "Wait for this long between binding and recording.")
    var settle = Duration(argument: "1s")!

    @Option(
        help: ArgumentHelp(
            "In all arms, pin the vCPUs: each where it runs now (current), or in turn on these CPUs (2,3 or 4-7).",
            valueName: "current|list"))
    var vcpus: VCPUPlacement?

    @Option(
        name: [.short, .customLong("output")], help: "The experiment's folder, which is made, or gone on with.",
        completion: .directory)
    var output: String

    @Option(help: "What the order is drawn by; a new one by default.")
    var seed: UInt64?

    @OptionGroup var recording: RecordingOptions

    func validate() throws {
        guard arm.count > 1 else {
            throw ValidationError("An experiment compares two arms or more: --arm unbound --arm same-cpu.")
        }
        guard Set(arm.map(\.name)).count == arm.count else { throw ValidationError("Two arms are the same.") }
        let possible = Experiment.Design.possibleRounds
        guard possible.contains(rounds) else {
            throw ValidationError("--rounds is a number from \(possible.lowerBound) to \(possible.upperBound).")
        }
        guard !recording.vm.isEmpty else {
            throw ValidationError("Whose threads are to be bound? Give --vm NAME=ADDRESS.")
        }
        guard duration != nil || workload != nil else {
            throw ValidationError("When does a recording end? Give --duration, --workload, or both.")
        }
        if let duration, duration.nanoseconds == 0 { throw ValidationError("--duration \(duration) records nothing.") }
    }

    func run() async throws {
        let isWhole = try await Failure.reported { try await conduct() }
        if !isWhole { throw ExitCode(1) }
    }

    private func conduct() async throws -> Bool {
        let stop = StopRequest()
        try Signals.handle([SIGINT, SIGTERM, SIGHUP]) { _ in stop.make() }
        try SessionPlace.make(output)
        let lock = try ExperimentRun.lock(output)
        defer { withExtendedLifetime(lock) {} }
        let experiment = try experiment()
        // What an experiment that was killed has left, even if nothing is missing any more.
        BindingText.tellLeftovers(try Binder().restoreAbandoned())
        let requests = Dictionary(uniqueKeysWithValues: arm.map { ($0.name, $0.request(vcpus: vcpus)) })
        let recorder = ArmRecorder(
            options: recording, workload: workload, duration: duration, settle: settle.nanoseconds, stop: stop)
        let conduct = ExperimentRun(experiment, folder: output, stop: stop) { run, folder in
            guard let request = requests[run.arm] else { return "there is no such arm" }
            return try await recorder.record(request, into: folder)
        }
        let done = try await conduct.run()
        if done.runs.contains(where: { $0.outcome == .missing }) { return false }
        // What is to be done with all arms' sessions when they are there.
        try ExperimentReport.write(done, folder: output)
        return true
    }

    /// A new one, or the one that the folder has.
    private func experiment() throws -> Experiment {
        func design(seed: UInt64) -> Experiment.Design {
            Experiment.Design(
                arms: arm.map { $0.arm(vcpus: vcpus) }, rounds: rounds, seed: seed, duration: duration?.nanoseconds,
                settle: settle.nanoseconds, workload: workload, vms: recording.vm)
        }
        if var begun = try Experiment.read(folder: output) {
            guard begun.design == design(seed: seed ?? begun.design.seed) else {
                throw ExperimentFault.otherDesign(folder: output)
            }
            // Whoever removes a session has it recorded again.
            for index in begun.runs.indices
            where !Folder.hasFile("\(output)/\(begun.runs[index].folder)/\(Manifest.fileName)") {
                begun.runs[index].outcome = .missing
            }
            return begun
        }
        guard (try? Folder.names(in: output).isEmpty) ?? false else { throw RecordingFault.folderInUse(output) }
        let new = Experiment(
            design(seed: seed ?? UInt64(UInt32.random(in: 0 ... .max))),
            recorder: "virtlat \(Virtlat.configuration.version)",
            started: UTCTime.now)
        try new.write(folder: output)
        return new
    }
}
