// virtlat record: a session of this host and its guests.

import Affinity
import ArgumentParser
import Glibc
import LinuxSystem
import Recording
import Sessions

struct Record: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record this host and its guests together.",
        usage: """
            virtlat record [-o FOLDER] [--vm NAME=vsock:CID[:PORT]] ... [--duration TIME] [options]
            virtlat record [-o FOLDER] [--vm NAME=tcp:HOST[:PORT] --key-file FILE] ... [options] -- COMMAND ...
            virtlat record --recover FOLDER
            """,
        discussion: """
            Traces the host, and each guest that is named through the virtlat agent that runs in it, in ftrace instances of their own; \
            compares their clocks before and after; and leaves a session folder that virtlat analyze reads, whose .dat files trace-cmd and \
            KernelShark open too. It records until COMMAND ends, for the duration, or until Ctrl-C. Guests keep their traces until then, so that \
            the network that is measured and vsock stay quiet.

            EXAMPLES
              virtlat record --vm web=vsock:3 --duration 10s -o session
              virtlat analyze session
                  ten seconds of the guest with vsock context id 3, and what its packets' way cost

              virtlat record --vm web=vsock:3 -- ssh client sockperf ping-pong -i 10.0.0.3 -t 5
                  while a command runs; its exit status is passed on

              virtlat record --vm web=tcp:10.0.0.3 --key-file virtlat.key --transfer live --duration 10m
                  a long recording over the network; the guest sends its trace as it goes

              virtlat record --vm web=vsock:3 --bind same-cpu --vcpus current --duration 10s
                  with the vhost workers on their vCPUs' CPUs as long as it records; virtlat bind --help has the policies

              virtlat record -o bare-metal --duration 10s
              virtlat analyze bare-metal
                  the host alone: its own packets, between its NICs and its own applications, for comparison with a guest's

            EXIT STATUS
              0  recorded (also when Ctrl-C ended it), or what COMMAND returned
              1  nothing, or not all, was recorded; the message says what is missing
              64 wrong usage
            """)

    @Option(
        name: [.short, .customLong("output")], help: "The session folder, which is made; virtlat-DATE-TIME by default.",
        completion: .directory)
    var output: String?

    @OptionGroup var recording: RecordingOptions

    @Option(help: "Record for this long (10s, 1.5s, 500ms).")
    var duration: Duration?

    @Option(
        help: ArgumentHelp(
            "For the time of the recording, bind the vhost workers by this policy (same-cpu, sibling, same-llc, other-cpu, cpus=LIST, unbound).",
            valueName: "policy"))
    var bind: BindingPolicy?

    @OptionGroup var binding: BindingOptions

    @Flag(help: "Keep the kernels' symbols (kallsyms) in the files; virtlat does not need them.")
    var kallsyms = false

    @Option(
        help: ArgumentHelp(
            "Record nothing, but finish the session in this folder, whose recorder was killed.", valueName: "folder"),
        completion: .directory)
    var recover: String?

    @Argument(parsing: .postTerminator, help: ArgumentHelp("Record while this runs.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        if binding.request(policy: bind) != nil, recording.vm.isEmpty {
            throw ValidationError(
                "--bind, --vcpus and --sched bind threads of the guests that are recorded: name one with --vm.")
        }
        if let duration, duration.nanoseconds == 0 { throw ValidationError("--duration \(duration) records nothing.") }
    }

    func run() async throws {
        let status = try await Failure.reported { try await record() }
        if status != 0 { throw ExitCode(status) }
    }

    /// - Returns: the exit status.
    private func record() async throws -> Int32 {
        if let recover {
            try CutOffSession.recover(folder: recover)
            return 0
        }
        let folder = output ?? "virtlat-\(UTCTime.stamp)"
        var plan = try recording.plan(folder: folder, command: command, duration: duration)
        plan.wantsKernelSymbols = kallsyms
        let stop = StopRequest()
        try Signals.handle([SIGINT, SIGTERM, SIGHUP]) { stop.make(by: $0) }
        plan.binding = binding.request(policy: bind).map { TemporaryBinding($0, stop: stop) { Failure.warn($0) } }
        let line = RecordingLine(folder: folder, isOpenEnded: command.isEmpty && duration == nil)
        let recorder = Recorder(plan, stop: stop) { line.show($0) }
        let manifest = try await recorder.run()
        line.end(manifest)
        let status = manifest.commandStatus ?? 0
        return status != 0 ? status : manifest.outcome == .complete ? 0 : 1
    }
}
