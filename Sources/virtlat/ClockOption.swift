// --clock: how the guests' clocks are put on the host's, as people say it.

import ArgumentParser
import ClockSync
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
        case "ptp": selection = .method(.crossTimestamps)
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
