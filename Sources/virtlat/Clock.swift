// virtlat clock: each kind of evidence about the guests' clocks, what it says, and which one is used.

import ArgumentParser
import ClockSync
import Findings
import GuestClocks
import LinuxSystem
import PacketPath
import Report
import Sessions
import TraceData

struct ClockVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock",
        abstract:
            "Print how each guest's clock relates to the host's, by each kind of evidence, and how wrong that can be.",
        usage: "virtlat clock [options] FOLDER\nvirtlat clock [options] HOST.dat GUEST.dat ...",
        discussion: """
            Gathers all evidence there is about each guest's clock (KVM's TSC offset, TIME_SHIFT of the file, messages between recorder and \
            agent, the KVM PTP clock, the trace itself), holds each against the events (a guest's events lie where its vCPU's thread was in the \
            guest), and prints what each says, with its error, and which one `virtlat analyze` uses. Recordings that were made by hand, \
            without any synchronisation, need nothing else: the pattern of entries and activity tells the offset.

            EXAMPLES
              virtlat clock session
                  every kind of evidence, side by side

              virtlat clock host.dat guest.dat
                  two files that were recorded by hand, with unrelated clocks

              virtlat clock host.dat guest.dat --write && trace-cmd report -i host.dat -i guest.dat
                  the same files, merged by trace-cmd

              virtlat clock session --format json | jq '.guests[] | {machine, used}'
                  which evidence is used

            EXIT STATUS
              0  done; the clock of every guest is known
              1  a file can't be read, the files are no session, or nothing tells a guest's clock
              64 wrong usage
            """)

    @Argument(
        help: "A folder that holds .dat files, or the .dat files themselves.", completion: .file(extensions: ["dat"]))
    var input: [String]

    @Option(help: "How to print: text or json.")
    var format = Format.text

    @OptionGroup var clockOptions: ClockOptions

    @Flag(
        help: ArgumentHelp(
            "Store the map that is used in each guest's file, as the option TIME_SHIFT, so that trace-cmd and KernelShark show the merged order."
        ))
    var write = false

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    func run() throws {
        try Failure.reported {
            let session = try Session(input)
            let (files, machines) = (session.files, session.machines)
            guard !machines.guests.isEmpty else {
                throw Failure("\(files.name): holds no guest's recording, and the host's clock is the axis")
            }
            var progress = ProgressLine("finding the clocks")
            let resolution = ClockResolution(
                machines, manifest: files.manifest, servoLogs: try clockOptions.evidence(machines))
            let clocks = try resolution.thorough(clockOptions.clock.selection) { progress.show($0) }
            progress.clear()
            let findings = ClockFindings(session: files.name, machines, clocks)
            var output = OutputStream.standardOutput()
            switch format {
            case .text: try output.write(ClockText.text(findings))
            case .json: try output.write(bytes: ClockJSON.bytes(findings))
            }
            try output.flush()
            if write { try store(machines, clocks) }
        }
    }

    private func store(_ machines: Machines, _ clocks: [GuestClock]) throws {
        let host = machines.host.file
        guard let peer = host.options.traceID else {
            throw Failure(
                "\(host.path): has no trace id (option TRACEID), by which a guest's file could name it; trace-cmd 3.0 and newer write one"
            )
        }
        for (guest, clock) in zip(machines.guests, clocks) {
            guard let times = clock.recorded else { throw Failure("\(guest.file.path): holds no events") }
            let maps = clock.candidate.maps
            let shifts = (0..<max(1, guest.cpuCount)).map { cpu in
                let map = maps[min(cpu, maps.count - 1)]
                let exact = map.timeShift(over: times)
                // trace-cmd can't multiply a scaled TSC.
                return exact.fractionBits > 0 ? map.lines(over: times) : exact
            }
            try TimeShiftExport.write(shifts, peer: peer, hostClock: machines.hostClock, to: guest.file.path)
            Terminal.printError(
                "virtlat: \(guest.file.path): TIME_SHIFT stored; trace-cmd report -i \(host.path) -i \(guest.file.path) shows the merged order\n"
            )
        }
    }
}
