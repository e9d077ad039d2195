// virtlat clock: each kind of evidence about the guests' clocks, what it says, and which one is used.

import ArgumentParser
import LinuxSystem
import PacketPath
import Report
import Sessions
import TraceData

struct ClockVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock",
        abstract: "Print how each guest's clock relates to the host's, by each kind of evidence, and how wrong that can be.")

    @Argument(help: "A folder that holds .dat files, or the .dat files themselves.", completion: .file(extensions: ["dat"]))
    var input: [String]

    func run() throws {
        try Failure.reported {
            let files = try SessionFiles(input)
            let machines = try Machines(
                files.recordings.map { MachineFile(name: $0.machine, file: try TraceFile(path: $0.path), recorded: $0.recorded) })
            let clocks = try ClockResolution(machines, manifest: files.manifest).thorough(.automatic)
            for clock in clocks {
                for (i, c) in clock.candidates.enumerated() { print(i == clock.chosen ? "*" : " ", c.debug) }
                print(clock.silent, clock.threads)
            }
        }
    }
}
