// --clock: how the guests' clocks are put on the host's, as people say it.

import ArgumentParser
import ClockSync
import GuestClocks
import LinuxSystem
import PacketPath

struct ClockOption: ExpressibleByArgument, CustomStringConvertible {
    let selection: ClockSelection
    let description: String

    static let automatic = ClockOption(selection: .automatic, description: "auto")

    static let allValueStrings = ["auto", "file", "kvm", "ptp", "exchanges", "containment", "none"]

    private init(selection: ClockSelection, description: String) {
        self.selection = selection
        self.description = description
    }

    init?(argument: String) {
        description = argument
        switch argument {
        case "auto": selection = .automatic
        case "file": selection = .file
        case "kvm": selection = .method(.kvmTSCOffset)
        case "ptp": selection = .ptp
        case "exchanges": selection = .method(.exchanges)
        case "containment": selection = .method(.containment)
        case "none": selection = .none
        default:
            guard argument.hasPrefix("offset=") else { return nil }
            let text = argument.dropFirst("offset=".count)
            let isNegative = text.hasPrefix("-")
            guard let offset = Duration(argument: String(isNegative ? text.dropFirst() : text)) else { return nil }
            selection = .offset(isNegative ? -offset.nanoseconds : offset.nanoseconds)
        }
    }
}

/// What verbs that put guests on the host's clock have in common.
struct ClockOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How to put guests on the host's clock: auto (the smallest error of what the events don't contradict), file, kvm, ptp, exchanges, "
                + "containment, none or offset=TIME (host minus guest).", valueName: "evidence"))
    var clock = ClockOption.automatic

    @Option(
        name: .customLong("servo-log"),
        help: ArgumentHelp(
            "A log of ptp4l or phc2sys, with the name of the machine it ran on (may be left out for the only guest); as often as there are logs.",
            valueName: "[name=]file"),
        completion: .file())
    var servoLogs: [String] = []

    /// The logs, read.
    func evidence(_ machines: Machines) throws -> [ServoEvidence] {
        try servoLogs.map { argument in
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            var (name, path) = (machines.guests.first?.name ?? "", argument)
            if parts.count == 2, machines.all.contains(where: { $0.name == parts[0] }) {
                (name, path) = (String(parts[0]), String(parts[1]))
            } else if machines.guests.count != 1 {
                throw Failure(
                    "--servo-log \(argument): say whose log it is, NAME=FILE; there are \(machines.all.map(\.name).joined(separator: ", "))"
                )
            }
            let log: ServoLog
            do throws(SystemError) {
                log = ServoLog(String(decoding: try TextFile.bytes(of: path, limit: 1 << 28), as: UTF8.self))
            } catch {
                throw Failure("\(path): \(error.textOfInput)")
            }
            guard !log.reports.isEmpty else {
                throw Failure(
                    "\(path): holds no report of ptp4l or phc2sys (\(log.unknownLines) other lines); run them with -m, or give their journal"
                )
            }
            return ServoEvidence(machine: name, log: log)
        }
    }
}
